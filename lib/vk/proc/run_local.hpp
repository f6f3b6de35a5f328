#pragma once

// run_local: one process without a kernel.
//
// For computations, tests and tools: threads, sockets between them, sleeping. There is no poller, so a thread
// that waits for a file descriptor waits for ever; when all threads do, the run ends with an error.

#include "vk/base/limits.hpp"
#include "vk/proc/process.hpp"

namespace vk {

struct local_options {
    std::size_t heap_pages = 256;
};

namespace detail {

/// What run_local() stands on: a process with memory of its own.
class local_executor {
public:
    explicit local_executor(const local_options& options);
    ~local_executor();
    local_executor(const local_executor&) = delete;
    local_executor& operator=(const local_executor&) = delete;

    class process& process() noexcept { return *process_; }
    commons& shared() noexcept { return *shared_; }

    /// Dispatch until every thread has ended. Throws vk::error (EDEADLK) when all wait for what cannot come.
    void run();

private:
    [[noreturn]] void deadlock();

    mapping memory_;
    mapping commons_memory_;
    commons* shared_;
    class process* process_;
};

task<> keep_failure(task<> (*start)(void*), void* argument, std::exception_ptr* failure);

} // namespace detail

/// Run `main(arguments...)`, which returns task<>, and every thread that it spawns, until all have ended. What
/// escapes `main` is thrown. Throws heap_exhausted, or vk::error (EDEADLK) when every thread waits for
/// something that cannot come. References given to `main` are good for the whole run.
template <class Main, class... Arguments>
void run_local(const local_options& options, Main&& main, Arguments&&... arguments)
{
    detail::local_executor executor(options);
    std::exception_ptr failure;
    auto start = [&] { return main(std::forward<Arguments>(arguments)...); };
    auto call = [](void* closure) { return (*static_cast<decltype(start)*>(closure))(); };
    executor.process().start([&] { return detail::keep_failure(call, &start, &failure); });
    executor.run();
    if (failure)
        std::rethrow_exception(failure);
}

template <class Main, class... Arguments>
    requires(!std::is_same_v<std::remove_cvref_t<Main>, local_options>)
void run_local(Main&& main, Arguments&&... arguments)
{
    run_local(local_options{}, std::forward<Main>(main), std::forward<Arguments>(arguments)...);
}

} // namespace vk
