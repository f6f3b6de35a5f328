// forward() passes on what a socket receives without showing it to the service: so many bytes, or all to the end. Where it
// fills a buffer, the buffer goes from the one ring to the other. So a service reads the head, and forwards the body.

#include "examples/options.hpp"

#include <charconv>

vk::task<> forward(vk::socket& io)
{
    while (auto head = co_await io.readline()) {
        std::uint64_t bytes = 0;
        if (std::from_chars(head->begin(), head->end(), bytes).ec != std::errc{})
            break;
        co_await io.write("body: ");
        std::uint64_t passed = co_await io.forward(bytes);
        co_await io.print(" ({} bytes)\n", passed);
    }
    std::uint64_t rest = co_await io.forward();
    co_await io.print("and {} bytes to the end\n", rest);
}

int main()
{
    return vk::run(forward, examples::options());
}
