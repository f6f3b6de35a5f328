#pragma once

// fd_table: what the kernel knows of each file descriptor.
//
// Indexed by the fd's number, sized once at start. A record is dirty when the poller must be told of it and
// fresh when the poller has something to tell; both are queues of the records themselves.
//
// Invariants
//   owner is set from the time the kernel receives the fd until it has closed it
//   where is an address in the owner's heap; the kernel only passes it on, and the owner's dispatch uses it

#include "vk/proc/descriptor.hpp"

#include <boost/intrusive/list.hpp>
#include <cstddef>
#include <cstdint>
#include <memory_resource>
#include <vector>

namespace vk {

struct process_record;
struct dirty_fd_tag;
struct fresh_fd_tag;
struct owned_fd_tag;

template <class Tag>
using fd_hook =
    boost::intrusive::list_base_hook<boost::intrusive::tag<Tag>,
                                     boost::intrusive::link_mode<boost::intrusive::auto_unlink>>;

template <class Record, class Tag>
using fd_list = boost::intrusive::list<Record, boost::intrusive::base_hook<fd_hook<Tag>>,
                                       boost::intrusive::constant_time_size<false>>;

struct fd_record : fd_hook<dirty_fd_tag>, fd_hook<fresh_fd_tag>, fd_hook<owned_fd_tag> {
    process_record* owner = nullptr;
    descriptor* where = nullptr;
    int fd = -1;
    ready interest = ready::none; // what the owner waits for
    ready fresh = ready::none;    // what the poller found and the owner has not been told
    fd_kind kind = fd_kind::other;
    bool lent = false;       // not closed with its owner
    std::uint16_t there = 0; // bytes that the poller found with that, 0 where it does not say
};

using dirty_fds = fd_list<fd_record, dirty_fd_tag>;
using fresh_fds = fd_list<fd_record, fresh_fd_tag>;
using owned_fds = fd_list<fd_record, owned_fd_tag>;

class fd_table {
public:
    fd_table(std::size_t size, std::pmr::memory_resource* memory) : records_(size, memory) {}

    /// The record of `fd`, or null when the table has no place for it.
    fd_record* find(int fd) noexcept
    {
        auto index = static_cast<std::size_t>(fd);
        return fd >= 0 && index < records_.size() ? &records_[index] : nullptr;
    }

    std::size_t size() const noexcept { return records_.size(); }

    static constexpr std::size_t record_bytes = sizeof(fd_record);

private:
    std::pmr::vector<fd_record> records_;
};

} // namespace vk
