#include "vk/base/uring.hpp"

#include "vk/base/assert.hpp"
#include "vk/base/gate.hpp"
#include "vk/base/limits.hpp"

#include <cerrno>
#include <utility>

#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace vk::os {
namespace {

std::size_t bytes_of_ring(unsigned buffers) noexcept
{
    return buffers * sizeof(io_uring_buf);
}

// Have all memory now, before the system writes to it.
void touch(std::byte* memory, std::size_t bytes) noexcept
{
    for (std::size_t at = 0; at < bytes; at += limits::page_bytes)
        memory[at] = std::byte{};
}

} // namespace

uring::~uring()
{
    gate::pass through;
    if (open_)
        ::io_uring_queue_exit(&ring_);
    if (provided_)
        (void)::munmap(provided_, bytes_of_ring(count_));
}

int uring::open(unsigned submissions, unsigned completions) noexcept
{
    gate::pass through;
    io_uring_params wanted{};
    // Disabled until the thread is known that will be the single issuer.
    wanted.flags = IORING_SETUP_CQSIZE | IORING_SETUP_SUBMIT_ALL | IORING_SETUP_SINGLE_ISSUER |
                   IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_R_DISABLED;
    wanted.cq_entries = completions;
    int result = ::io_uring_queue_init_params(submissions, &ring_, &wanted);
    open_ = result == 0;
    return result;
}

int uring::provide(std::byte* memory, unsigned count, unsigned bytes, unsigned stride) noexcept
{
    gate::pass through;
    void* at = ::mmap(nullptr, bytes_of_ring(count), PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (at == MAP_FAILED)
        return -ENOMEM;
    provided_ = static_cast<io_uring_buf_ring*>(at);
    memory_ = memory;
    count_ = count;
    bytes_ = bytes;
    stride_ = stride;
    touch(memory, std::size_t{count} * stride);
    ::io_uring_buf_ring_init(provided_);
    io_uring_buf_reg wanted{};
    wanted.ring_addr = reinterpret_cast<std::uintptr_t>(provided_);
    wanted.ring_entries = count;
    wanted.bgid = group;
    int result = ::io_uring_register_buf_ring(&ring_, &wanted, 0);
    if (result < 0)
        return result;
    for (unsigned buffer = 0; buffer < count; ++buffer)
        give_back(buffer);
    return 0;
}

int uring::enter(std::int64_t timeout) noexcept
{
    if (!open_)
        return -EBADF;
    enable();
    int result = enter_once(timeout);
    while (!submitted())
        result = enter_once(0);
    return result;
}

void uring::enable() noexcept
{
    gate::pass through;
    if (std::exchange(entered_, true))
        return;
    // The library of Debian 12 has io_uring_enable_rings(3) in its header alone.
    long result =
        ::syscall(SYS_io_uring_register, ring_.ring_fd, IORING_REGISTER_ENABLE_RINGS, nullptr, 0);
    VK_ASSERT(result == 0);
}

int uring::enter_once(std::int64_t timeout) noexcept
{
    gate::pass through;
    int result = timeout < 0    ? ::io_uring_submit_and_wait(&ring_, 1)
                 : timeout == 0 ? ::io_uring_submit_and_get_events(&ring_)
                                : wait_for(timeout);
    // What may pass; all else would come again and again (io_uring_enter(2)).
    VK_ASSERT(result >= 0 || result == -ETIME || result == -EINTR || result == -EAGAIN ||
              result == -EBUSY || result == -ENOMEM);
    return result;
}

int uring::wait_for(std::int64_t timeout) noexcept
{
    gate::pass through;
    constexpr std::int64_t second = 1'000'000'000;
    __kernel_timespec span{timeout / second, timeout % second};
    io_uring_cqe* first = nullptr;
    return ::io_uring_submit_and_wait_timeout(&ring_, &first, 1, &span, nullptr);
}

// The system takes what was prepared, whatever becomes of it, as long as it has memory for it (SUBMIT_ALL).
io_uring_sqe* uring::place_after_submit() noexcept
{
    gate::pass through;
    io_uring_sqe* free = nullptr;
    enable();
    while (!free) {
        (void)::io_uring_submit(&ring_);
        free = ::io_uring_get_sqe(&ring_);
    }
    return free;
}

} // namespace vk::os
