// cancel() ends the operation in which a thread waits, or the next, by an exception: destructors run, and the thread may
// tidy up, even wait again, before it ends. join() throws what escaped it.

#include "examples/options.hpp"

using namespace std::chrono_literals;

vk::task<> wait_for_ever(vk::socket* io, std::string name)
{
    bool told = false;
    try {
        co_await vk::sleep_for(1h);
    } catch (const vk::cancelled&) {
        told = true;
    }
    co_await io->print("{} tidies up\n", name);
    co_await vk::sleep_for(1ms);
    if (told)
        throw vk::cancelled("wait_for_ever");
}

vk::task<> cancellation(vk::socket& io)
{
    auto waiting = vk::spawn(wait_for_ever, &io, std::string("the one that waits"));
    auto fresh = vk::spawn(wait_for_ever, &io, std::string("the one that has not begun"));
    fresh.cancel();
    co_await vk::sleep_for(1ms);
    waiting.cancel();
    for (auto* thread : {&waiting, &fresh}) {
        std::string how = "returned";
        try {
            co_await thread->join();
        } catch (const vk::cancelled& e) {
            how = e.what();
        }
        co_await io.print("{}\n", how);
    }
}

int main()
{
    return vk::run(cancellation, examples::options());
}
