#include "support/catch.hpp"

#include <vk/base/error.hpp>
#include <vk/service/stats.hpp>

#include <cctype>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>
#include <string>

#include <unistd.h>

using vk::counters;

namespace {

// Reads one flat JSON object of numbers, strictly; throws on anything else.
class flat_json {
public:
    explicit flat_json(std::string text) : text_(std::move(text))
    {
        expect('{');
        if (peek() != '}') {
            do {
                std::string name = string();
                expect(':');
                if (!values.emplace(name, number()).second)
                    throw std::runtime_error("twice: " + name);
            } while (accept(','));
        }
        expect('}');
        if (peek() != '\0')
            throw std::runtime_error("more than an object");
    }

    std::map<std::string, std::uint64_t> values;

private:
    char peek()
    {
        while (at_ < text_.size() && std::isspace(static_cast<unsigned char>(text_[at_])))
            ++at_;
        return at_ < text_.size() ? text_[at_] : '\0';
    }
    bool accept(char wanted)
    {
        if (peek() != wanted)
            return false;
        ++at_;
        return true;
    }
    void expect(char wanted)
    {
        if (!accept(wanted))
            throw std::runtime_error(std::string("expected ") + wanted);
    }
    std::string string()
    {
        expect('"');
        std::size_t end = text_.find('"', at_);
        std::string found = text_.substr(at_, end - at_);
        at_ = end + 1;
        return found;
    }
    std::uint64_t number()
    {
        peek();
        std::size_t used = 0;
        std::uint64_t found = std::stoull(text_.substr(at_), &used);
        at_ += used;
        return found;
    }

    std::string text_;
    std::size_t at_ = 0;
};

struct temporary_folder {
    temporary_folder()
    {
        char pattern[] = "/tmp/vk-stats-XXXXXX";
        path = ::mkdtemp(pattern);
    }
    ~temporary_folder() { std::filesystem::remove_all(path); }
    std::filesystem::path path;
};

} // namespace

TEST_CASE("counters are one flat JSON object, each by its name")
{
    counters all;
    std::uint64_t next = 0;
    counters::for_each(all, [&](const char*, std::uint64_t& value) { value = ++next; });
    all.bytes_in = 18'446'744'073'709'551'615u;
    flat_json read(vk::to_json(all));
    CHECK(read.values.size() == next);
    counters::for_each(all, [&](const char* name, std::uint64_t value) {
        INFO(name);
        REQUIRE(read.values.count(name) == 1);
        CHECK(read.values[name] == value);
    });
}

TEST_CASE("counters are written to a file, in place of what was there")
{
    temporary_folder folder;
    std::string path = folder.path / "stats.json";
    std::ofstream(path) << std::string(10'000, '#');
    counters all;
    all.reads = 12;
    vk::write_stats(path, all);
    std::stringstream text;
    text << std::ifstream(path).rdbuf();
    CHECK(text.str() == vk::to_json(all));
    CHECK(flat_json(text.str()).values["reads"] == 12);
}

TEST_CASE("a file that cannot be written is an error that names it")
{
    temporary_folder folder;
    std::string path = folder.path / "missing" / "stats.json";
    try {
        vk::write_stats(path, counters());
        FAIL("written to a folder that is not there");
    } catch (const vk::error& e) {
        CHECK(e.code() == std::errc::no_such_file_or_directory);
        CHECK_THAT(e.what(), Catch::Matchers::ContainsSubstring(path));
    }
    CHECK_THROWS_AS(vk::write_stats("/dev/full", counters()), vk::error);
}
