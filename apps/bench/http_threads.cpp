#include "bench/contestant.hpp"
#include "bench/reply.hpp"
#include "bench/thread_server.hpp"

namespace vk::bench {

int http_threads(const arguments& options)
{
    refuse(options);
    thread_server<http_reply_of_threads> server;
    server.run();
}

} // namespace vk::bench
