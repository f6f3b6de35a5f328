#include "support/sim/epoll.hpp"

#include <iterator>
#include <utility>
#include <vector>

namespace vk::sim {

namespace {

/// How an item behaves, as against what it waits for.
constexpr std::uint32_t modes = EPOLLET | EPOLLONESHOT | EPOLLWAKEUP | EPOLLEXCLUSIVE;

} // namespace

epoll::item::item(epoll& its_owner, std::shared_ptr<file> its_file, const epoll_event& its_event)
    : owner{its_owner}, to{std::move(its_file)}, event{}
{
    to->watch(*this);
    set(its_event);
}

epoll::item::~item()
{
    to->unwatch(*this);
    if (queued)
        owner.queue_.remove(this);
}

void epoll::item::set(const epoll_event& its_event)
{
    event = its_event;
    event.events |= EPOLLERR | EPOLLHUP;
    if (ready() != 0)
        queue();
}

std::uint32_t epoll::item::ready()
{
    return to->readiness() & event.events & ~modes;
}

void epoll::item::woken(std::uint32_t bits)
{
    const std::uint32_t wanted = event.events & ~modes;
    if (wanted == 0 || (bits != 0 && (bits & wanted) == 0))
        return;
    queue();
}

void epoll::item::queue()
{
    if (!std::exchange(queued, true))
        owner.queue_.push_back(this);
    owner.wake(EPOLLIN); // each time: who polls the instance may have looked in between
}

epoll::~epoll()
{
    items_.clear();
}

std::uint32_t epoll::readiness()
{
    for (item* const one : queue_)
        if (one->ready() != 0)
            return EPOLLIN;
    return 0;
}

void epoll::close()
{
    items_.clear();
}

int epoll::add(int fd, std::shared_ptr<file> to, const epoll_event& event)
{
    if (items_.contains(fd))
        return -EEXIST;
    items_.emplace(fd, std::make_unique<item>(*this, std::move(to), event));
    return 0;
}

int epoll::modify(int fd, const epoll_event& event)
{
    const auto at = items_.find(fd);
    if (at == items_.end())
        return -ENOENT;
    at->second->set(event);
    return 0;
}

int epoll::remove(int fd)
{
    return items_.erase(fd) == 1 ? 0 : -ENOENT;
}

int epoll::collect(epoll_event* events, int count)
{
    std::vector<item*> again;
    int reported = 0;
    while (!queue_.empty() && reported < count) {
        item* const one = queue_.front();
        queue_.pop_front();
        one->queued = false;
        const std::uint32_t bits = one->ready();
        if (bits == 0)
            continue;
        one->to->report(bits);
        events[reported++] = {.events = bits, .data = one->event.data};
        if ((one->event.events & EPOLLONESHOT) != 0)
            one->event.events &= modes;
        else if ((one->event.events & EPOLLET) == 0)
            again.push_back(one);
    }
    for (item* const one : again)
        one->queue();
    return reported;
}

void epoll::forget(int fd) noexcept
{
    items_.erase(fd);
}

void epoll::queue_any(std::uint64_t which)
{
    if (items_.empty())
        return;
    const auto at = std::next(items_.begin(), static_cast<std::ptrdiff_t>(which % items_.size()));
    item& one = *at->second;
    if ((one.event.events & ~modes) != 0)
        one.queue();
}

} // namespace vk::sim
