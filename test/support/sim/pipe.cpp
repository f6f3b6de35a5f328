#include "support/sim/pipe.hpp"

#include <sys/epoll.h>

namespace vk::sim {

std::pair<std::shared_ptr<pipe_end>, std::shared_ptr<pipe_end>> pipe_end::make(std::size_t capacity)
{
    const auto bytes = std::make_shared<byte_queue>(capacity);
    std::shared_ptr<pipe_end> reader{new pipe_end{side::reads, bytes}};
    std::shared_ptr<pipe_end> writer{new pipe_end{side::writes, bytes}};
    reader->other_ = writer;
    writer->other_ = reader;
    return {reader, writer};
}

target pipe_end::kind() const noexcept
{
    return hang_up_reported() || broken() ? target::ended_pipe : target::pipe;
}

std::uint32_t pipe_end::readiness()
{
    if (side_ == side::reads)
        return (has_input() ? EPOLLIN : 0u) | (hung_up() ? EPOLLHUP : 0u);
    const bool writable = !output_stalled() && bytes_->room() > 0;
    return (writable || broken() ? EPOLLOUT : 0u) | (broken() ? EPOLLERR : 0u);
}

ssize_t pipe_end::read(const iovec* parts, int count)
{
    if (side_ != side::reads)
        return -EBADF;
    if (bytes_of(parts, count) == 0)
        return 0;
    if (!has_input())
        return hung_up() ? 0 : -EAGAIN;
    const std::size_t bytes = bytes_->take(parts, count);
    if (const auto writer = other_.lock())
        writer->wake(EPOLLOUT);
    return static_cast<ssize_t>(bytes);
}

ssize_t pipe_end::write(const iovec* parts, int count)
{
    if (side_ != side::writes)
        return -EBADF;
    if (bytes_of(parts, count) == 0)
        return 0;
    const auto reader = other_.lock();
    if (!reader)
        return -EPIPE;
    const std::size_t bytes = output_stalled() ? 0 : bytes_->put(parts, count);
    if (bytes == 0)
        return -EAGAIN;
    if (!reader->input_stalled())
        reader->wake(EPOLLIN);
    return static_cast<ssize_t>(bytes);
}

void pipe_end::close()
{
    const auto other = other_.lock();
    other_.reset();
    if (!other)
        return;
    other->other_.reset();
    other->end_input_stall();
    other->wake(side_ == side::writes ? EPOLLHUP : EPOLLOUT | EPOLLERR);
}

} // namespace vk::sim
