// when_any() awaits several things until one is done; the others are cancelled, and have ended when it returns. Whatever
// was done by then is there, so that nothing is lost: a line that comes as the time is up is either read or still to read.

#include "examples/options.hpp"

using namespace std::chrono_literals;

vk::task<> set(vk::event* one, vk::event* other)
{
    co_await vk::yield(); // until both are waited for
    one->set();
    other->set();
}

vk::task<> when_any(vk::socket& io)
{
    auto won = co_await vk::when_any(vk::sleep_for(1h), io.readline());
    auto line = *won.get<1>();
    co_await io.print("branch {}: {}", won.first(), *line);

    vk::socket near;
    vk::socket far;
    bind(near, far);
    auto late = co_await vk::when_any(near.readline(), vk::sleep_for(1ms));
    co_await io.print("branch {}, a line: {}\n", late.first(), late.has<0>());
    co_await far.write("it came later\n");
    auto later = co_await near.readline();
    co_await io.print("{}", *later);

    vk::event a;
    vk::event b;
    auto setting = vk::spawn(set, &a, &b);
    auto both = co_await vk::when_any(a.wait(), b.wait());
    co_await io.print("branch {} first, the other too: {}\n", both.first(), both.has<1>());
    co_await setting.join();
}

int main()
{
    return vk::run(when_any, examples::options());
}
