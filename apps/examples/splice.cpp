// Splices between sockets of a process: write_splice() writes what another socket receives; read_splice() takes as input
// what another one writes. Neither copies whole buffers.

#include "examples/options.hpp"

vk::task<> produce(vk::socket* to)
{
    for (int i = 1; i <= 3; ++i)
        co_await to->print("line {}\n", i);
    co_await to->tx_close();
}

vk::task<> splice(vk::socket& io)
{
    vk::socket near;
    vk::socket far;
    bind(near, far);
    auto producer = vk::spawn(produce, &far);
    std::uint64_t first = co_await io.write_splice(near, 7);
    std::uint64_t rest = co_await io.write_splice(near);
    co_await io.print("{} and {} bytes\n", first, rest);
    co_await producer.join();

    vk::socket writer;
    vk::socket reader;
    auto other = vk::spawn(produce, &writer);
    while (co_await reader.read_splice(writer) > 0)
        while (reader.glance().find('\n') != std::string_view::npos) {
            auto line = co_await reader.readline();
            co_await io.print("spliced {}", *line);
        }
    co_await other.join();
}

int main()
{
    return vk::run(splice, examples::options());
}
