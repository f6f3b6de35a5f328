#include "vk/proc/error_handler.hpp"

#include "vk/proc/thread.hpp"

#include <utility>

namespace vk {
namespace {

// While a handler runs, those around it are the innermost.
class handlers_around {
public:
    explicit handlers_around(error_handler* outer) noexcept
        : innermost_(std::exchange(thread::current().handlers(), outer))
    {
    }
    handlers_around(const handlers_around&) = delete;
    handlers_around& operator=(const handlers_around&) = delete;
    ~handlers_around() { thread::current().handlers() = innermost_; }

private:
    error_handler* innermost_;
};

} // namespace

error_handler::error_handler() noexcept : outer_(std::exchange(thread::current().handlers(), this))
{
}

error_handler::~error_handler()
{
    error_handler*& innermost = thread::current().handlers();
    VK_REQUIRE(innermost == this);
    innermost = outer_;
}

task<> raise_resumable(std::errc code, const char* what)
{
    const error why(static_cast<int>(code), what);
    for (error_handler* asked = thread::current().handlers(); asked; asked = asked->outer_) {
        handlers_around here(asked->outer_);
        task<answer> handling = asked->handle(why);
        if (co_await std::move(handling) == answer::resume)
            co_return;
    }
    throw why;
}

} // namespace vk
