// A channel holds a bounded number of values on their way from threads to threads. Who sends into a full one waits; after
// close() what lies in it is still received, then its end.

#include "examples/options.hpp"

using numbers = vk::channel<int, 2>;

vk::task<> produce(vk::socket* io, numbers* to)
{
    for (int i = 1; i <= 5; ++i) {
        if (!co_await to->send(i))
            co_return;
        co_await io->print("sent {}\n", i);
    }
    to->close();
}

vk::task<> channel(vk::socket& io)
{
    numbers between;
    auto producer = vk::spawn(produce, &io, &between);
    co_await vk::yield();
    co_await io.print("full: {}\n", between.size());
    while (auto number = co_await between.receive())
        co_await io.print("received {}\n", *number);
    co_await producer.join();
}

int main()
{
    return vk::run(channel, examples::options());
}
