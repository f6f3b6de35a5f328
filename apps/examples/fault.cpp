// A fault of the hardware is an exception in the thread that committed it. It may be caught there; one that escapes a
// thread whose handle was dropped is taken by the thread that supervises. The process goes on either way.

#include "examples/options.hpp"

#include <csignal>
#include <string>

int* volatile nowhere = nullptr;

[[gnu::noinline]] int read_nowhere()
{
    return *nowhere;
}

vk::task<> catch_it(vk::socket* io)
{
    int signal = 0;
    try {
        co_await io->print("read {}\n", read_nowhere());
    } catch (const vk::hardware_fault& e) {
        signal = e.signal();
    }
    co_await io->print("caught {}\n", signal == SIGSEGV ? "SIGSEGV" : "nothing");
}

vk::task<> let_it_go(int* read)
{
    *read = read_nowhere();
    co_return;
}

vk::task<> fault(vk::socket& io)
{
    auto first = vk::spawn(catch_it, &io);
    co_await first.join();

    int read = 0;
    vk::spawn(let_it_go, &read).detach();
    while (auto failure = co_await vk::next_failure()) {
        bool faulted = failure->reason.what == vk::exit_reason::kind::fault;
        co_await io.print("a thread ended by {}\n", faulted ? "a fault" : "an error");
    }
    co_await io.print("the process goes on\n");
}

int main()
{
    return vk::run(fault, examples::options());
}
