#include "vk/proc/run_local.hpp"

#include "vk/base/error.hpp"
#include "vk/base/log.hpp"
#include "vk/base/os.hpp"

#include <cerrno>
#include <new>

namespace vk::detail {
namespace {

// Rings of a local run that find no block take pages of the heap.
constexpr std::size_t local_blocks = 64;

} // namespace

local_executor::local_executor(const local_options& options)
    : memory_(options.heap_pages * limits::page_bytes),
      commons_memory_(sizeof(commons)),
      shared_(new(commons_memory_.base()) commons(local_blocks)),
      process_(&process::create(memory_.base(), options.heap_pages, *shared_, 1))
{
}

local_executor::~local_executor()
{
    shared_->~commons();
}

void local_executor::run()
{
    for (;;) {
        shared_->now = os::now();
        switch (process_->dispatch()) {
        case outcome::ended:
        case outcome::dropped:
            return;
        case outcome::ready:
            break;
        case outcome::blocked:
            if (process_->next_deadline() == never)
                deadlock();
            (void)os::sleep_until(process_->next_deadline());
        }
        shared_->requests.clear();
    }
}

void local_executor::deadlock()
{
    process_->for_each_thread([](const thread& one) {
        const wait& what = one.waits_for();
        log::error("thread {} waits for ever: {} in {} at {}:{}", one.id(), what.operation,
                   what.where.function_name(), what.where.file_name(), what.where.line());
    });
    raise(EDEADLK, "every thread waits for what cannot come");
}

task<> keep_failure(task<> (*start)(void*), void* argument, std::exception_ptr* failure)
{
    try {
        task<> main = start(argument);
        co_await std::move(main);
    } catch (...) {
        *failure = std::current_exception();
    }
}

} // namespace vk::detail
