#pragma once

// The one place that knows which Catch2 this is: 2.13 is a single header, 3.x a library. Tests use the
// macros and Catch::Matchers, which are spelled alike in both; what 3.x renamed is added to 2.13 here.

#if __has_include(<catch2/catch_all.hpp>)

#include <catch2/catch_all.hpp>

#else

#include <string>

#include <catch2/catch.hpp>

namespace Catch::Matchers {

inline auto ContainsSubstring(const std::string& part)
{
    return Contains(part);
}

} // namespace Catch::Matchers

#endif
