#include "support/catch.hpp"

#include <vk/base/memory_exhausted.hpp>

#include <cstdint>
#include <new>
#include <string>

TEST_CASE("exhausted memory says what is held, what was asked and what the limit is")
{
    try {
        throw vk::memory_exhausted(700, 500, 1000);
    } catch (const std::bad_alloc& e) { // as the standard library knows it
        CHECK(std::string(e.what()) ==
              "global memory of 1000 bytes exhausted: 700 held, 500 more asked");
    }
    vk::memory_exhausted one(700, 500, 1000);
    CHECK(one.held() == 700);
    CHECK(one.asked() == 500);
    CHECK(one.limit() == 1000);
}

TEST_CASE("the largest numbers fit into the text of exhausted memory")
{
    vk::memory_exhausted one(SIZE_MAX, SIZE_MAX, SIZE_MAX);
    CHECK(std::string(one.what()).ends_with("18446744073709551615 more asked"));
}
