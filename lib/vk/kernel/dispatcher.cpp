#include "vk/kernel/dispatcher.hpp"

#include "vk/base/log.hpp"

#include <cerrno>
#include <exception>
#include <utility>

namespace vk {

void dispatcher::run() noexcept
{
    mask_.close_kernel();
    running_ = 0;
    if (sigsetjmp(landing_.at(), 0) != 0)
        drop(batch_[running_++]);
    landing_.arm();
    run_rest();
    landing_.disarm();
    global_account::current = nullptr;
    mask_.open_kernel();
    if (refused.possible()) [[unlikely]] {
        gate::open();
        refused.report();
    }
}

void dispatcher::run_rest() noexcept
{
    for (; running_ < count_; ++running_) {
        bool last = running_ + 1 == count_;
        shared.coming.expect(last ? nullptr : batch_[running_ + 1].local);
        shared.coming.fetch_first();
        run_one(batch_[running_]);
        if (batch_[running_].privileged) [[unlikely]]
            mask_.close_kernel();
    }
}

// Nothing of its heap is looked at: a fault has left it in any state.
void dispatcher::drop(dispatch& lost) noexcept
{
    frame_stack::current = nullptr;
    if (const global_account* account = std::exchange(global_account::current, nullptr))
        shared.count.global_bytes_lost += account->held();
    landing_.forget_exceptions();
    open_blocks_ = lost.blocks;
    if (lost.privileged)
        mask_.close_kernel();
    lost.result = outcome::dropped;
    reason_for(lost) = landing_.reason();
    ++shared.count.processes_failed;
    if (const char* type = landing_.exception_type())
        log::warn(
            "process {} is dropped: an exception of type {} left a function that lets none out",
            lost.id, *type ? type : "?");
    else
        log::warn("process {} is dropped: {}", lost.id, text_of(landing_.reason()));
}

void dispatcher::run_one(dispatch& now) noexcept
{
    global_account::current = nullptr; // that of the last one is about to be closed
    if (refused.possible()) [[unlikely]] {
        refused.begin();
        gate::close(); // and it stays so: what is called here passes by itself
    }
    if (mask_.is_closed(now.heap))
        open(now);
    if (now.privileged) [[unlikely]]
        mask_.open_kernel_too();
    shared.requests.set_sender(now.process_index);
    shared.blocks.lend_to(now.blocks);
    if (!now.local)
        make(now);
    if (!now.local) {
        now.result = outcome::ended;
        reason_for(now) = {exit_reason::kind::failed, ENOMEM};
        return;
    }
    process& local = *now.local;
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
    }
    open_blocks_ = now.blocks;
    if (refused.possible() && refused.ends()) [[unlikely]]
        landing::leave(refusals::reason);
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

void dispatcher::open(const dispatch& now) noexcept
{
    shared.blocks.for_each_of(std::exchange(open_blocks_, 0),
                              [this](std::byte* kept) { mask_.close_block(kept); });
    mask_.open(now.heap, now.key);
    shared.blocks.for_each_of(now.blocks, [this](std::byte* kept) { mask_.open_block(kept); });
}

void dispatcher::take_back_blocks(lender::holder& of) noexcept
{
    shared.blocks.for_each_of(of, [this](std::byte* kept) { mask_.open_block(kept); });
    shared.blocks.take_back_all(of);
}

bool dispatcher::forget(const std::byte* heap) noexcept
{
    if (!mask_.forget(heap))
        return false;
    open_blocks_ = 0;
    return true;
}

} // namespace vk
