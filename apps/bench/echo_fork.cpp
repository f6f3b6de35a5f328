#include "bench/blocking_connection.hpp"
#include "bench/contestant.hpp"
#include "bench/fork_server.hpp"
#include "bench/reply.hpp"

namespace vk::bench {

int echo_fork(const arguments& options)
{
    refuse(options);
    fork_server server(serve_connection<echo_reply>, [] {});
    server.run();
}

} // namespace vk::bench
