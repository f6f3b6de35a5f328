#include "fault_routes.hpp"

#include <vk/memory/heap_resource.hpp>
#include <vk/memory/mapping.hpp>

#include <cstdint>
#include <cstdlib>
#include <stdexcept>
#include <string>
#include <vector>

namespace http = vk::http;

namespace apps::fault_routes {
namespace {

// What the compiler must not see through.
char* volatile nowhere = nullptr;
volatile int zero = 0;

int read_null()
{
    return *nowhere;
}

int write_null()
{
    *nowhere = 1;
    return 0;
}

int read_closed()
{
    vk::mapping closed(vk::limits::page_bytes, vk::os::access::none);
    return static_cast<int>(*static_cast<volatile std::byte*>(closed.base()));
}

int divide()
{
    return 1 / zero;
}

int run_no_instruction()
{
    __builtin_trap();
}

int call_null()
{
    auto function = reinterpret_cast<int (*)()>(nowhere);
    return function() + 1;
}

int overflow_stack_below(volatile char* above)
{
    volatile char room[4096];
    room[0] = above ? above[0] : '\0';
    return zero ? 0 : overflow_stack_below(room) + room[0];
}

int overflow_stack()
{
    return overflow_stack_below(nullptr);
}

int exhaust_heap()
{
    std::pmr::vector<char> all(vk::heap_resource());
    for (;;)
        all.resize(2 * all.size() + 4096);
}

int abort_it()
{
    std::abort();
}

int let_nothing_out() noexcept
{
    return read_null();
}

int throw_exception()
{
    throw std::runtime_error("asked for");
}

int free_nothing()
{
    std::free(reinterpret_cast<void*>(reinterpret_cast<std::uintptr_t>(nowhere) + 64));
    return 0;
}

struct kind {
    std::string_view name;
    int (*commit)();
    std::string_view is;
};

constexpr kind kinds[] = {
    {"read", read_null, "a read of address 0"},
    {"write", write_null, "a write to address 0"},
    {"closed", read_closed, "a read of memory without access rights"},
    {"divide", divide, "a division by zero"},
    {"illegal", run_no_instruction, "an illegal instruction"},
    {"call", call_null, "a call of address 0"},
    {"stack", overflow_stack, "an overflow of the stack"},
    {"heap", exhaust_heap, "a heap that is exhausted"},
    {"abort", abort_it, "abort()"},
    {"noexcept", let_nothing_out, "a fault in a noexcept function"},
    {"throw", throw_exception, "an exception"},
    {"free", free_nothing, "a fault in free(): it ends the OS process"},
};

std::string list_of_kinds()
{
    std::string text;
    for (const kind& one : kinds)
        text.append(one.name).append(": ").append(one.is).append("\n");
    return text;
}

} // namespace

vk::task<> answer(http::request& req, http::response& res)
{
    std::string_view query = req.query();
    if (query.empty()) {
        co_await res.send(list_of_kinds(), "text/plain");
        co_return;
    }
    constexpr std::string_view name = "kind=";
    if (query.starts_with(name))
        query.remove_prefix(name.size());
    for (const kind& one : kinds)
        if (query == one.name) {
            std::string text = std::to_string(one.commit());
            co_await res.send(text, "text/plain");
            co_return;
        }
    throw http::error(400, "kind is none of those that /fault lists");
}

} // namespace apps::fault_routes
