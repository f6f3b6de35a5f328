// Lines for people: on stderr, with the time, the level, and what was running. The output stays what the service writes.

#include "examples/options.hpp"

vk::task<> log_lines(vk::socket& io)
{
    int lines = 0;
    while (auto line = co_await io.readline()) {
        ++lines;
        if (line->starts_with("!"))
            vk::log::warn("line {} is loud", lines);
        co_await io.write(*line);
    }
    vk::log::info("{} lines", lines);
    vk::log::set_level(vk::log::level::error);
    vk::log::warn("nobody reads this");
}

int main()
{
    return vk::run(log_lines, examples::options());
}
