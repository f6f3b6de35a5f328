#include "vk/kernel/dispatcher.hpp"

#include "vk/base/assert.hpp"
#include "vk/base/log.hpp"
#include "vk/base/os.hpp"

#include <cerrno>
#include <exception>

namespace vk {

void dispatcher::run() noexcept
{
    bool full = memory_.isolation == isolation::full;
    if (full)
        protect(memory_.kernel_heap, memory_.kernel_heap_bytes, os::access::none);
    for (std::size_t at = 0; at < count_; ++at) {
        shared.coming.expect(at + 1 < count_ ? batch_[at + 1].local : nullptr);
        shared.coming.fetch_first();
        run_one(batch_[at]);
    }
    if (full)
        protect(memory_.kernel_heap, memory_.kernel_heap_bytes, os::access::read_write);
}

void dispatcher::run_one(dispatch& now) noexcept
{
    if (memory_.isolation != isolation::none)
        open(now);
    shared.requests.set_sender(now.process_index);
    if (!now.local)
        make(now);
    if (!now.local) {
        now.result = outcome::ended;
        reason_for(now) = {exit_reason::kind::failed, ENOMEM};
        return;
    }
    process& local = *now.local;
    open_process_ = &local;
    if (now.orders != order::none) [[unlikely]] {
        give_orders(local, now.orders);
        if (has(now.orders, order::news))
            board_.tell(number_of(now), local);
    }
    for (std::uint32_t at = now.first_note; at < now.first_note + now.notes; ++at)
        local.refresh(notes_[at].where, notes_[at].fd, notes_[at].bits, notes_[at].there);

    now.result = local.dispatch();
    now.deadline = local.next_deadline();
    if (now.result == outcome::ended) {
        now.pages_used = static_cast<std::uint32_t>(local.heap().pages_high_water());
        reason_for(now) = local.reason();
        open_process_ = nullptr;
    }
}

void dispatcher::give_orders(process& to, order orders) noexcept
{
    if (has(orders, order::drain))
        to.drain();
    if (has(orders, order::cancel))
        to.cancel();
    if (has(orders, order::vacancy))
        to.vacancy();
}

void dispatcher::make(dispatch& now) noexcept
try {
    process& made = process::create(now.heap, memory_.heap_pages, shared, now.id);
    now.pages_used = static_cast<std::uint32_t>(made.heap().pages_high_water());
    now.what->start(made, now.fd);
    now.local = &made;
} catch (const std::exception& e) {
    log::warn("process {} could not start: {}", now.id, e.what());
    ++shared.count.processes_failed;
}

void dispatcher::open(const dispatch& now) noexcept
{
    if (open_heap_ == now.heap)
        return;
    close_last();
    protect(now.heap, memory_.heap_bytes, os::access::read_write);
    open_heap_ = now.heap;
    if (!now.local)
        return;
    for (lease& kept : now.local->leases())
        protect(kept.block, limits::block_bytes, os::access::read_write);
}

void dispatcher::close_last() noexcept
{
    if (!open_heap_)
        return;
    if (open_process_)
        for (lease& kept : open_process_->leases())
            protect(kept.block, limits::block_bytes, os::access::none);
    protect(open_heap_, memory_.heap_bytes, os::access::none);
    open_heap_ = nullptr;
    open_process_ = nullptr;
}

bool dispatcher::forget(const std::byte* heap) noexcept
{
    if (open_heap_ != heap)
        return false;
    open_heap_ = nullptr;
    open_process_ = nullptr;
    return true;
}

// A mask that fails would leave memory open that was promised to be closed, and a process that cannot be opened
// may be the listener: when a second attempt fails too there is no going on. The number of mappings, the one
// cause in practice, is kept below the system's limit from the start (kernel.cpp).
void dispatcher::protect(void* at, std::size_t bytes, os::access rights) noexcept
{
    ++shared.count.masks;
    if (os::protect(at, bytes, rights) < 0) [[unlikely]]
        VK_ASSERT(os::protect(at, bytes, rights) == 0);
}

} // namespace vk
