#include "bench/contestant.hpp"
#include "bench/reply.hpp"
#include "bench/thread_server.hpp"

namespace vk::bench {

int echo_threads(const arguments& options)
{
    refuse(options);
    thread_server<echo_reply> server;
    server.run();
}

} // namespace vk::bench
