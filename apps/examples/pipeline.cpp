// Stages between a service and its client, as in a shell: `cat | grep -v '^#' | nl`. Each is a thread that reads what the
// one before it writes. The end passes through; and a service whose stage has ended finds a broken pipe.

#include "examples/options.hpp"

vk::task<> without_comments(vk::socket& io)
{
    while (auto line = co_await io.readline())
        if (!line->starts_with('#'))
            co_await io.write(*line);
}

vk::task<> numbered(vk::socket& io, int first)
{
    while (auto line = co_await io.readline())
        co_await io.print("{} {}", first++, *line);
}

vk::task<> pipeline(vk::socket& io)
{
    auto last = vk::spawn_pipeline(io, numbered, 1);
    auto before = vk::spawn_pipeline(io, without_comments); // between `io` and the last
    while (auto line = co_await io.readline())
        co_await io.write(*line);
    co_await io.tx_close();
    co_await before.join();
    co_await last.join();
}

int main()
{
    return vk::run(pipeline, examples::options());
}
