#include "support/sim/file.hpp"

#include <algorithm>
#include <string>

#include <sys/epoll.h>

namespace vk::sim {

void file::abandon()
{
    abandoned_ = true;
    if (holders_ == 0)
        close();
}

void file::let_go()
{
    if (--holders_ == 0 && abandoned_)
        close();
}

void file::watch(watcher& one)
{
    watchers_.push_back(&one);
}

void file::unwatch(watcher& one) noexcept
{
    std::erase(watchers_, &one);
}

void file::wake(std::uint32_t bits)
{
    for (watcher* const one : watchers_)
        one->woken(bits);
}

bool file::hang_up_reported() const noexcept
{
    return (reported_ & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0;
}

void file::end_input_stall()
{
    if (!input_stalled_)
        return;
    input_stalled_ = false;
    wake(EPOLLIN);
}

void file::end_output_stall()
{
    if (!output_stalled_)
        return;
    output_stalled_ = false;
    wake(EPOLLOUT);
}

std::uint32_t terminal::readiness()
{
    return EPOLLIN | EPOLLOUT;
}

ssize_t terminal::write(const iovec* parts, int count)
{
    for (int i = 0; i < count; ++i)
        output_.append(static_cast<const char*>(parts[i].iov_base), parts[i].iov_len);
    return static_cast<ssize_t>(bytes_of(parts, count));
}

std::size_t bytes_of(const iovec* parts, int count) noexcept
{
    std::size_t bytes = 0;
    for (int i = 0; i < count; ++i)
        bytes += parts[i].iov_len;
    return bytes;
}

} // namespace vk::sim
