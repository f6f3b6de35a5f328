// A scope ends when its body and its children have ended, and so no child outlives what the caller of in_scope() lent it.
// The first that fails has the others cancelled, and is thrown when they have ended.

#include "examples/options.hpp"

#include <stdexcept>

using namespace std::chrono_literals;

vk::task<> add(int* total, int number)
{
    co_await vk::yield();
    *total += number;
}

vk::task<> wait(std::string* said)
{
    try {
        co_await vk::sleep_for(1h);
    } catch (const vk::cancelled&) {
        *said = "cancelled";
        throw;
    }
}

vk::task<> fail()
{
    co_await vk::sleep_for(1ms);
    throw std::runtime_error("a child failed");
}

vk::task<> add_all(vk::scope& children, int* total)
{
    for (int number = 1; number <= 10; ++number)
        children.spawn(add, total, number);
    co_return; // the children are awaited
}

vk::task<> fail_one(vk::scope& children, std::string* said)
{
    children.spawn(wait, said);
    children.spawn(fail);
    co_return;
}

vk::task<> scope(vk::socket& io)
{
    int total = 0;
    co_await vk::in_scope(add_all, &total);
    co_await io.print("the sum is {}\n", total);

    std::string said;
    std::string why;
    try {
        co_await vk::in_scope(fail_one, &said);
    } catch (const std::runtime_error& e) {
        why = e.what();
    }
    co_await io.print("{}, the other was {}\n", why, said);
}

int main()
{
    return vk::run(scope, examples::options());
}
