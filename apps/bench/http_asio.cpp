#include "bench/asio_server.hpp"
#include "bench/contestant.hpp"
#include "bench/reply.hpp"

namespace vk::bench {

int http_asio(const arguments& options)
{
    refuse(options);
    on_asio::run<http_reply>();
    return 0;
}

} // namespace vk::bench
