#include "vk/kernel/dispatcher.hpp"

#include "vk/base/log.hpp"

#include <exception>

namespace vk {

void dispatcher::run() noexcept
{
    mask_.close_kernel();
    for (std::size_t at = 0; at < count_; ++at) {
        shared.coming.expect(at + 1 < count_ ? batch_[at + 1].local : nullptr);
        shared.coming.fetch_first();
        run_one(batch_[at]);
    }
    mask_.open_kernel();
}

void dispatcher::run_one(dispatch& now) noexcept
{
    if (mask_.is_closed(now.heap))
        open(now);
    shared.requests.set_sender(now.process_index);
    if (!now.local)
        make(now);
    if (!now.local) {
        now.result = outcome::ended;
        return;
    }
    process& local = *now.local;
    open_process_ = &local;
    if (now.orders != order::none) [[unlikely]]
        give_orders(local, now.orders);
    for (std::uint32_t at = now.first_note; at < now.first_note + now.notes; ++at)
        local.refresh(notes_[at].where, notes_[at].fd, notes_[at].bits, notes_[at].there);

    now.result = local.dispatch();
    now.deadline = local.next_deadline();
    if (now.result == outcome::ended) {
        now.pages_used = static_cast<std::uint32_t>(local.heap().pages_high_water());
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
    process& made = process::create(now.heap, heap_pages_, shared, now.id);
    now.pages_used = static_cast<std::uint32_t>(made.heap().pages_high_water());
    now.what->start(made, now.fd);
    now.local = &made;
} catch (const std::exception& e) {
    log::warn("process {} could not start: {}", now.id, e.what());
    ++shared.count.processes_failed;
}

// The leases of a process lie in its heap: they are read while that is open.
void dispatcher::open(const dispatch& now) noexcept
{
    if (open_process_)
        for (lease& kept : open_process_->leases())
            mask_.close_block(kept.block);
    open_process_ = nullptr;
    mask_.open(now.heap, now.key);
    if (now.local)
        for (lease& kept : now.local->leases())
            mask_.open_block(kept.block);
}

bool dispatcher::forget(const std::byte* heap) noexcept
{
    if (!mask_.forget(heap))
        return false;
    open_process_ = nullptr;
    return true;
}

} // namespace vk
