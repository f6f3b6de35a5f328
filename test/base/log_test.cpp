#include "support/catch.hpp"
#include "support/child.hpp"

#include <vk/base/log.hpp>

#include <cstdlib>
#include <string>
#include <vector>

#include <unistd.h>

using Catch::Matchers::ContainsSubstring;
using vk::test::ending;
using vk::test::in_child;

namespace {

// Counts how often it is formatted.
struct counted {
    int* times;
};

} // namespace

template <>
struct fmt::formatter<counted> {
    constexpr auto parse(format_parse_context& context) { return context.begin(); }
    auto format(const counted& value, format_context& context) const
    {
        return fmt::format_to(context.out(), "{}", ++*value.times);
    }
};

namespace {

std::vector<std::string> lines_of(const std::string& text)
{
    std::vector<std::string> lines;
    for (std::size_t at = 0; at < text.size();) {
        std::size_t end = text.find('\n', at);
        lines.push_back(text.substr(at, end - at));
        at = end == std::string::npos ? text.size() : end + 1;
    }
    return lines;
}

// The level is read from the environment once: each value needs a program of its own.
ending start_with_level(const char* level)
{
    return in_child([level] {
        if (level)
            ::setenv("VK_LOG", level, 1);
        else
            ::unsetenv("VK_LOG");
        ::close(STDOUT_FILENO);
        ::execl("/proc/self/exe", "base-test", "a line of each level", nullptr);
        return 1;
    });
}

std::size_t lines_with(const ending& ended, const char* word)
{
    std::size_t count = 0;
    for (const std::string& line : lines_of(ended.said))
        count += line.find(word) != std::string::npos;
    return count;
}

} // namespace

// Hidden: what start_with_level() runs.
TEST_CASE("a line of each level", "[.]")
{
    vk::log::print(vk::log::level::debug, "about {}", "debug");
    vk::log::info("about {}", "info");
    vk::log::warn("about {}", "warn");
    vk::log::error("about {}", "error");
}

TEST_CASE("without a word from the environment lines of info and above are written")
{
    ending ended = start_with_level(nullptr);
    INFO(ended.text());
    CHECK(ended.exited_with(0));
    CHECK(lines_of(ended.said).size() == 3);
    CHECK(lines_with(ended, "about debug") == 0);
    CHECK(lines_with(ended, "about info") == 1);
    CHECK(lines_with(ended, "about warn") == 1);
    CHECK(lines_with(ended, "about error") == 1);
}

TEST_CASE("VK_LOG drops the lines below its level")
{
    auto [level, lines] = GENERATE(table<const char*, std::size_t>(
        {{"trace", 4}, {"debug", 4}, {"info", 3}, {"warn", 2}, {"error", 1}, {"off", 0}}));
    ending ended = start_with_level(level);
    INFO(level << ": " << ended.text());
    CHECK(ended.exited_with(0));
    CHECK(lines_of(ended.said).size() == lines);
}

TEST_CASE("VK_LOG with a word that is no level does not silence errors")
{
    ending ended = start_with_level("loud");
    INFO(ended.text());
    CHECK(lines_with(ended, "about error") == 1);
}

TEST_CASE("a level that is set drops the lines below it from then on")
{
    ending ended = in_child([] {
        vk::log::set_level(vk::log::level::warn);
        if (vk::log::enabled(vk::log::level::info) || !vk::log::enabled(vk::log::level::warn))
            return 1;
        vk::log::info("dropped");
        vk::log::set_level(vk::log::level::info);
        vk::log::info("kept");
        return vk::log::enabled(vk::log::level::info) ? 0 : 2;
    });
    INFO(ended.text());
    CHECK(ended.exited_with(0));
    CHECK(lines_with(ended, "dropped") == 0);
    CHECK(lines_with(ended, "kept") == 1);
}

TEST_CASE("a line that is dropped is not formatted")
{
    ending ended = in_child([] {
        int formatted = 0;
        vk::log::set_level(vk::log::level::error);
        vk::log::warn("{}", counted{&formatted});
        bool skipped = formatted == 0;
        vk::log::error("{}", counted{&formatted});
        return skipped && formatted == 1 ? 0 : 1;
    });
    INFO(ended.text());
    CHECK(ended.exited_with(0));
}

TEST_CASE("each line says what was running when it was written")
{
    ending ended = in_child([] {
        vk::log::set_level(vk::log::level::info);
        vk::log::set_describer([](std::string& out) { out += "process 7 thread 1"; });
        vk::log::info("with");
        vk::log::set_describer([](std::string&) {});
        vk::log::info("without");
        return 0;
    });
    INFO(ended.text());
    CHECK(ended.exited_with(0));
    auto lines = lines_of(ended.said);
    REQUIRE(lines.size() == 2);
    CHECK_THAT(lines[0], ContainsSubstring("process 7 thread 1: with"));
    CHECK_THAT(lines[0], ContainsSubstring("info"));
    CHECK_THAT(lines[1], !ContainsSubstring(": without"));
    CHECK_THAT(lines[1], ContainsSubstring("without"));
}

TEST_CASE("a line of debug is compiled out of a release")
{
    ending ended = in_child([] {
        vk::log::set_level(vk::log::level::debug);
        vk::log::debug("seen");
        return 0;
    });
#ifdef NDEBUG
    CHECK(lines_with(ended, "seen") == 0);
#else
    CHECK(lines_with(ended, "seen") == 1);
#endif
}

TEST_CASE("a log that cannot be written ends nothing")
{
    ending ended = in_child([] {
        vk::log::set_level(vk::log::level::info);
        ::close(STDERR_FILENO);
        vk::log::info("lost");
        return 0;
    });
    INFO(ended.text());
    CHECK(ended.exited_with(0));
}
