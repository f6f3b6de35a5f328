#include "vk/base/error.hpp"

#include <cerrno>

#include <fmt/format.h>

namespace vk {

timed_out::timed_out(const char* what) : error(ETIMEDOUT, what) {}

cancelled::cancelled(const char* what) : error(ECANCELED, what) {}

namespace {

std::string text_of(std::size_t pages_needed, std::size_t pages)
{
    global_account::unrefused here;
    return fmt::format("heap of {} pages exhausted: {} pages needed", pages, pages_needed);
}

} // namespace

heap_exhausted::heap_exhausted(std::size_t pages_needed, std::size_t pages)
    : error(ENOMEM, text_of(pages_needed, pages).c_str()), pages_needed_(pages_needed)
{
}

void raise(int number, const char* what)
{
    throw error(number, what);
}

void raise(std::errc code, const char* what)
{
    throw error(static_cast<int>(code), what);
}

void raise_nested(std::errc code, const char* what)
{
    std::throw_with_nested(error(static_cast<int>(code), what));
}

std::string describe(const std::exception& e)
{
    global_account::unrefused here;
    std::string text = e.what();
    try {
        std::rethrow_if_nested(e);
    } catch (const std::exception& cause) {
        text += ": " + describe(cause);
    } catch (...) {
        text += ": an exception that is not a std::exception";
    }
    return text;
}

} // namespace vk
