// A span for a task, and a span for a socket on which nothing moves. What had been received before it passed is there for
// the next operation.

#include "examples/options.hpp"

#include <array>

using namespace std::chrono_literals;

vk::task<std::string> answer_after(std::chrono::milliseconds span)
{
    co_await vk::sleep_for(span);
    co_return "an answer";
}

vk::task<std::string> ask(std::chrono::milliseconds span)
{
    try {
        co_return co_await vk::timeout(20ms, answer_after(span));
    } catch (const vk::timed_out&) {
        co_return "none in time";
    }
}

vk::task<> timeout(vk::socket& io)
{
    std::string first = co_await ask(0ms);
    std::string second = co_await ask(1h);
    co_await io.print("{}, {}\n", first, second);

    vk::socket near;
    vk::socket far;
    bind(near, far);
    near.set_timeout(5ms);
    std::array<char, 10> whole;
    co_await far.write("half,");
    bool late = false;
    try {
        (void)co_await near.read(whole);
    } catch (const vk::timed_out&) {
        late = true;
    }
    co_await far.write("whole");
    std::size_t got = co_await near.read(whole);
    co_await io.print("late: {}; then {} bytes: {}\n", late, got,
                      std::string_view(whole.data(), got));
}

int main()
{
    return vk::run(timeout, examples::options());
}
