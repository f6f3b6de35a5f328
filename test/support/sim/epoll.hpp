#pragma once

// epoll: a simulated epoll instance, with the rules of Linux's fs/eventpoll.c as a program sees them.
//
// - An item (fd and file) is queued when the file gives an edge in bits it waits for, and when it is added
//   or modified while ready. It is queued once, however many edges came.
// - A wait takes items from the head and asks each for its readiness at this moment: all bits that hold are
//   reported together, and an item of which none holds is dropped silently.
// - A level-triggered item goes back to the tail after a report; an edge-triggered one does not; a one-shot
//   one is disarmed until it is modified.
// - Closing a file removes its items.

#include <list>
#include <map>
#include <memory>

#include <sys/epoll.h>

#include "support/sim/file.hpp"

namespace vk::sim {

class epoll final : public file {
public:
    epoll() = default;
    ~epoll() override;

    std::uint32_t readiness() override;
    void close() override;

    /// 0 or -errno, as epoll_ctl(2).
    int add(int fd, std::shared_ptr<file> to, const epoll_event& event);
    int modify(int fd, const epoll_event& event);
    int remove(int fd);

    /// Report at most `count` items that are ready; how many.
    int collect(epoll_event* events, int count);

    /// The fd is being closed.
    void forget(int fd) noexcept;

    /// Queue an item without an edge (a wake-up that means nothing, as real systems give).
    void queue_any(std::uint64_t which);

    std::size_t size() const noexcept { return items_.size(); }

private:
    class item final : public watcher {
    public:
        item(epoll& owner, std::shared_ptr<file> to, const epoll_event& event);
        ~item();
        item(const item&) = delete;
        item& operator=(const item&) = delete;

        void woken(std::uint32_t bits) override;
        void set(const epoll_event& event);
        std::uint32_t ready();
        void queue();

        epoll& owner;
        std::shared_ptr<file> to;
        epoll_event event;
        bool queued = false;
    };

    std::map<int, std::unique_ptr<item>> items_;
    std::list<item*> queue_;
};

} // namespace vk::sim
