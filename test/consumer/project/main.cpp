// A program as a user would write it: it knows the library by <vk/vk.hpp> alone.

#include <cstddef>

#include <vk/vk.hpp>

vk::task<int> half(int number)
{
    co_await vk::yield();
    co_return number / 2;
}

vk::task<> compute(int* result)
{
    int value = co_await half(84);
    *result = value;
}

vk::task<> echo(vk::socket& io)
{
    for (std::size_t n = 0;; ++n) {
        auto line = co_await io.readline();
        if (!line)
            co_return;
        co_await io.print("Line {}: {}", n, *line);
    }
}

int main()
{
    int result = 0;
    vk::run_local(compute, &result);
    if (result != 42)
        return 3;
    return vk::run(echo);
}
