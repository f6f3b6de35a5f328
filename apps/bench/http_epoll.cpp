#include "bench/contestant.hpp"
#include "bench/epoll_server.hpp"
#include "bench/reply.hpp"

namespace vk::bench {

int http_epoll(const arguments& options)
{
    refuse(options);
    static epoll_server<http_reply> server;
    server.run();
}

} // namespace vk::bench
