#include "bench/contestant.hpp"
#include "bench/epoll_server.hpp"
#include "bench/reply.hpp"

namespace vk::bench {

int echo_epoll(const arguments& options)
{
    refuse(options);
    static epoll_server<echo_reply> server;
    server.run();
}

} // namespace vk::bench
