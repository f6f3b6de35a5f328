#include "support/catch.hpp"

#include <vk/gateway/http1/fields.hpp>
#include <vk/gateway/http1/method.hpp>
#include <vk/gateway/http1/status.hpp>

#include <iterator>
#include <optional>
#include <string>

using namespace vk::http;

static_assert(std::forward_iterator<fields::iterator>);

TEST_CASE("fields are walked in their order, with values trimmed")
{
    fields all("A: b\r\nC:\r\nlong-name:  x : y \t\r\nA:2\r\n");
    std::string text;
    for (auto [name, value] : all)
        text += std::string(name) + "=" + std::string(value) + ";";
    CHECK(text == "A=b;C=;long-name=x : y;A=2;");
    CHECK(std::distance(all.begin(), all.end()) == 4);
}

TEST_CASE("a field is found by its name in any case, and is the first of that name")
{
    fields all("Ab: 1\r\nAbc: 2\r\nX: Y: 3\r\nabc: 4\r\nZ:\r\n");
    CHECK(all.find("ABC") == "2");
    CHECK(all.find("ab") == "1");
    CHECK(all.find("z") == "");
    CHECK(all.find("y") == std::nullopt);
    CHECK(all.find("a") == std::nullopt);
    CHECK(all.find("") == std::nullopt);
    CHECK(all.find("a-name-that-is-longer-than-the-block-of-all-of-the-lines") == std::nullopt);
}

TEST_CASE("no fields are none")
{
    for (fields none : {fields(), fields("")}) {
        CHECK(none.empty());
        CHECK(none.begin() == none.end());
        CHECK(none.find("a") == std::nullopt);
    }
}

TEST_CASE("a method has the name by which it is found")
{
    for (int which = 0; which < static_cast<int>(method::other); ++which)
        CHECK(method_from(to_text(static_cast<method>(which))) == static_cast<method>(which));
    CHECK(to_text(method::delete_) == "DELETE");
    CHECK(to_text(method::other).empty());
    CHECK(method_from("get") == method::other);
    CHECK(method_from("") == method::other);
}

TEST_CASE("a registered status has a reason")
{
    CHECK(reason(200) == "OK");
    CHECK(reason(404) == "Not Found");
    CHECK(reason(431) == "Request Header Fields Too Large");
    CHECK(reason(505) == "HTTP Version Not Supported");
    CHECK(reason(299).empty());
    CHECK(reason(-1).empty());
}
