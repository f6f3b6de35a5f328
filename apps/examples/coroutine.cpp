// A task is a coroutine that others call by co_await. It returns a value, may take references, since who calls waits,
// and throws into its caller what escapes it. A call is no thread: nothing else runs in between unless something blocks.

#include "examples/options.hpp"

#include <stdexcept>

vk::task<int> factorial(int n)
{
    if (n < 0)
        throw std::domain_error("a negative number has none");
    if (n < 2)
        co_return 1;
    int smaller = co_await factorial(n - 1);
    co_return n* smaller;
}

vk::task<> tell(vk::socket& io, int n)
{
    std::string why;
    try {
        int product = co_await factorial(n);
        co_await io.print("{}! = {}\n", n, product);
    } catch (const std::domain_error& e) {
        why = e.what(); // co_await may not stand here
    }
    if (!why.empty())
        co_await io.print("{}! = ? {}\n", n, why);
}

vk::task<> coroutine(vk::socket& io)
{
    co_await tell(io, 5);
    co_await tell(io, -1);
    co_await tell(io, 10);
}

int main()
{
    return vk::run(coroutine, examples::options());
}
