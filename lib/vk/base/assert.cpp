#include "vk/base/assert.hpp"

#include "vk/base/critical.hpp"
#include "vk/base/gate.hpp"

#include <cstdio>
#include <cstdlib>

namespace vk {

void assertion_failed(blame who, const char* expression, const char* file, int line) noexcept
{
    const char* whose = who == blame::caller ? "a rule of the interface was broken"
                                             : "an invariant of the library was broken";
    gate::open(); // for good: the program ends
    std::fprintf(stderr, "%s:%d: %s: %s\n", file, line, whose, expression);
    if (who == blame::caller)
        std::abort();
    critical broken; // not the end of a process alone: what it shares with others is wrong
    std::abort();
}

} // namespace vk
