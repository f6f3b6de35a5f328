// poll_read() waits for a byte at least and says how many can be read without waiting, of which it consumes none: to take
// what has come, whatever its length.

#include "examples/options.hpp"

#include <array>
#include <span>

vk::task<> poll_read(vk::socket& io)
{
    std::array<char, 8> some;
    for (;;) {
        std::size_t ready = co_await io.poll_read();
        if (ready == 0)
            break;
        std::size_t taken = std::min(ready, some.size());
        (void)co_await io.read(std::span(some).first(taken));
        co_await io.print("{} of {}: {}\n", taken, ready, std::string_view(some.data(), taken));
    }
    co_await io.print("the end\n");
}

int main()
{
    return vk::run(poll_read, examples::options());
}
