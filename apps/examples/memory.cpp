// A process has a heap of its own. What is allocated by vk::heap_resource() lies there, as frames do; it is closed to
// other processes, and gone when the process is. When it is full, who asked for more learns it, and may go on.

#include "examples/options.hpp"

#include <memory_resource>
#include <vector>

vk::task<> backwards(vk::socket& io)
{
    std::pmr::vector<std::pmr::string> lines(vk::heap_resource());
    while (auto line = co_await io.readline())
        lines.emplace_back(*line);
    for (auto line = lines.rbegin(); line != lines.rend(); ++line)
        co_await io.write(*line);
}

bool takes(std::size_t bytes)
{
    try {
        std::pmr::vector<char> room(bytes, vk::heap_resource());
        return true;
    } catch (const vk::heap_exhausted&) {
        return false;
    }
}

vk::task<> memory(vk::socket& io)
{
    co_await backwards(io);
    for (std::size_t kib = 1; kib <= 1024; kib *= 32)
        co_await io.print("{} KiB: {}\n", kib, takes(kib * 1024) ? "there" : "exhausted");
}

int main()
{
    vk::server_options options = examples::options();
    options.heap_pages = 25; // 100 KiB
    return vk::run(memory, options);
}
