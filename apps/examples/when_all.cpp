// when_all() awaits several things at once, each in a thread of its own, and gives all their results. Here one waits for
// what the other does: one after the other they would wait for ever.

#include "examples/options.hpp"

vk::task<int> wait_for(vk::socket& io, vk::event& happened)
{
    co_await io.print("the first waits\n");
    co_await happened.wait();
    co_await io.print("the first goes on\n");
    co_return 1;
}

vk::task<std::string> happen(vk::socket& io, vk::event& happened)
{
    co_await io.print("the second has it happen\n");
    happened.set();
    co_return "two";
}

vk::task<> when_all(vk::socket& io)
{
    vk::event happened;
    auto [one, two] = co_await vk::when_all(wait_for(io, happened), happen(io, happened));
    co_await io.print("{} and {}\n", one, two);
}

int main()
{
    return vk::run(when_all, examples::options());
}
