// Who runs when: a thread that is spawned runs when the others wait. yield() lets each have its turn, join() waits for
// an end, pause() for a play(), and call() plays a thread and pauses until it plays back.

#include "examples/options.hpp"

vk::task<> count(vk::socket* io, char name, int last)
{
    for (int i = 1; i <= last; ++i) {
        co_await io->print("{}{}\n", name, i);
        co_await vk::yield();
    }
}

vk::task<> wait_for_play(vk::socket* io)
{
    co_await io->print("paused\n");
    co_await vk::pause();
    co_await io->print("played\n");
}

vk::task<> play_back(vk::socket* io, vk::thread* caller)
{
    for (int i = 1; i <= 2; ++i) {
        co_await io->print("called {}\n", i);
        caller->play();
        co_await vk::pause();
    }
}

vk::task<> execution(vk::socket& io)
{
    auto a = vk::spawn(count, &io, 'a', 3);
    auto b = vk::spawn(count, &io, 'b', 2);
    co_await io.print("spawned\n");
    co_await a.join();
    co_await b.join();

    auto paused = vk::spawn(wait_for_play, &io);
    co_await vk::yield();
    co_await io.print("it waits: {}\n", paused.play());
    co_await paused.join();

    auto called = vk::spawn(play_back, &io, &vk::thread::current());
    while (!called.ended()) {
        co_await called.call();
        co_await io.print("back\n");
    }
}

int main()
{
    return vk::run(execution, examples::options());
}
