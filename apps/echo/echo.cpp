// vk-echo: the smallest server worth running. Each line comes back with its number.

#include "options/server_options.hpp"

#include <vk/vk.hpp>

vk::task<> echo(vk::socket& io)
{
    for (std::size_t n = 0;; ++n) {
        auto line = co_await io.readline();
        if (!line)
            co_return;
        co_await io.print("Line {}: {}", n, *line);
    }
}

int main(int argc, char** argv)
{
    apps::program program("vk-echo", "Send each line back with its number.");
    if (!program.parse(argc, argv))
        return program.status();
    return program.serve(echo);
}
