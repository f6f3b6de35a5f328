#include "vk/kernel/ties.hpp"

#include "vk/base/assert.hpp"
#include "vk/base/log.hpp"

#include <algorithm>
#include <cerrno>

namespace vk {
namespace {

// Each tie has two ends. A process that is being ended may keep its relations when its last tie is gone.
constexpr std::size_t relations_for(std::size_t ties) noexcept
{
    return 3 * ties;
}

} // namespace

ties::ties(std::size_t size, std::pmr::memory_resource* memory, const process_table& all,
           process_list<run_tag>& run)
    : all_(&all), run_(&run), ties_(size, memory), relations_(relations_for(size), memory)
{
}

std::size_t ties::bytes(std::size_t size) noexcept
{
    return places<tie>::bytes(size) + places<relations>::bytes(relations_for(size));
}

std::size_t ties::room() const noexcept
{
    return std::min(ties_.room(), relations_.room() / 2);
}

// --- what a process asks for --------------------------------------------------------------------------

void ties::bear(process_record& by, bond how, std::uint64_t ticket, process_record* child) noexcept
{
    tie& made = add(how, by, ticket, child);
    made.starting = true;
    if (!child)
        tell(made, news::kind::refused, {exit_reason::kind::failed, EAGAIN});
}

void ties::monitor(process_record& by, std::uint64_t ticket, const process_id& id,
                   process_record* whom) noexcept
{
    tie& made = add(bond::monitor, by, ticket, whom);
    made.due.who = id;
    if (!whom)
        tell(made, news::kind::ended, {exit_reason::kind::missing});
}

void ties::forget(process_record& by, std::uint64_t ticket) noexcept
{
    if (!by.related)
        return;
    // Handles are in frames, so the last is the first to go.
    tie_list<watching_tag>& all = by.related->watches;
    for (auto at = all.end(); at != all.begin();) {
        tie& one = *--at;
        if (one.due.ticket != ticket || one.how == bond::link)
            continue;
        one.silent = true;
        one.tie_hook<due_tag>::unlink();
        if (one.how != bond::parent || !one.target) // which it is, watching or not
            remove(one);
        return;
    }
}

void ties::link(process_record& by, process_record* whom, nanoseconds now) noexcept
{
    if (!whom) {
        log::warn("process {} is linked to one that is no more, and ended", by.id);
        return end(by, {exit_reason::kind::missing}, now);
    }
    if (whom == &by)
        return;
    unlink(by, *whom); // there is one link between two processes
    add(bond::link, by, 0, whom);
}

void ties::unlink(process_record& by, process_record& whom) noexcept
{
    if (!by.related)
        return;
    auto remove_from = [&](auto& all, auto&& other) {
        for (tie& one : all)
            if (one.how == bond::link && other(one) == &whom)
                return remove(one);
    };
    remove_from(by.related->watches, [](const tie& one) { return one.target; });
    if (by.related)
        remove_from(by.related->watched_by, [](const tie& one) { return one.watcher; });
}

void ties::stop(process_record& whom, nanoseconds now, nanoseconds deadline) noexcept
{
    if (!whom.related)
        return; // who asked has not waited for it
    endings_.disarm(*whom.related);
    if (deadline != never)
        endings_.arm(*whom.related, deadline);
    if (deadline <= now)
        return;
    whom.orders |= order::cancel;
    queue(*run_, whom);
}

// --- what the kernel knows ----------------------------------------------------------------------------

void ties::hand_over(process_record& to, news_board& board, std::size_t dispatch) noexcept
{
    while (to.related && !to.related->due.empty()) {
        tie& one = to.related->due.front();
        if (!board.add(dispatch, one.due)) {
            to.orders |= order::news;
            queue(*run_, to);
            return;
        }
        one.starting = false;
        one.tie_hook<due_tag>::unlink();
        if (one.due.what != news::kind::started || one.how == bond::starter)
            remove(one);
    }
}

void ties::started(process_record& one) noexcept
{
    if (!one.related)
        return;
    for (tie& by : one.related->watched_by)
        if (by.starting && !by.silent)
            tell(by, news::kind::started, {});
}

exit_reason ties::ended(process_record& one, const exit_reason& why, nanoseconds now) noexcept
{
    if (!one.related)
        return why;
    using kind = exit_reason::kind;
    exit_reason truth = why;
    bool told =
        why.what == kind::normal || why.what == kind::cancelled || why.what == kind::discarded;
    if (told && !one.related->because.is_normal())
        truth = one.related->because;

    endings_.disarm(*one.related);
    one.related->because = {};
    while (one.related && !one.related->watched_by.empty())
        target_ended(one.related->watched_by.front(), truth, now);
    while (one.related && !one.related->watches.empty())
        watcher_ended(one.related->watches.front(), truth, now);
    if (one.related) // which had no tie any more
        release_idle(one);
    VK_ASSERT(!one.related);
    return truth;
}

process_record* ties::overdue(nanoseconds now) noexcept
{
    timer* due = endings_.expire(now);
    return due ? static_cast<relations*>(due)->whose : nullptr;
}

// --- records ------------------------------------------------------------------------------------------

relations& ties::related(process_record& one) noexcept
{
    if (!one.related) {
        one.related = relations_.take();
        VK_ASSERT(one.related != nullptr);
        one.related->whose = &one;
    }
    return *one.related;
}

void ties::release_idle(process_record& one) noexcept
{
    relations& all = *one.related;
    if (!all.watches.empty() || !all.watched_by.empty() || all.armed() || !all.because.is_normal())
        return;
    relations_.give(all);
    one.related = nullptr;
}

tie& ties::add(bond how, process_record& watcher, std::uint64_t ticket,
               process_record* target) noexcept
{
    tie* made = ties_.take();
    VK_ASSERT(made != nullptr); // the commons said that there is room
    made->how = how;
    made->watcher = &watcher;
    made->target = target;
    made->due.ticket = ticket;
    related(watcher).watches.push_back(*made);
    if (target) {
        made->due.who = all_->id_of(*target);
        related(*target).watched_by.push_back(*made);
    }
    return *made;
}

void ties::remove(tie& one) noexcept
{
    process_record& watcher = *one.watcher;
    process_record* target = one.target;
    ties_.give(one); // which leaves every list
    release_idle(watcher);
    if (target && target != &watcher)
        release_idle(*target);
}

void ties::tell(tie& one, news::kind what, const exit_reason& why) noexcept
{
    process_record& to = *one.watcher;
    one.due.what = what;
    one.due.why = why;
    if (!one.tie_hook<due_tag>::is_linked())
        related(to).due.push_back(one);
    to.orders |= order::news;
    queue(*run_, to);
}

// Cancelled, and discarded if that is of no use.
void ties::end(process_record& one, const exit_reason& because, nanoseconds now) noexcept
{
    relations& all = related(one);
    if (all.because.is_normal())
        all.because = because.is_normal() ? exit_reason{exit_reason::kind::cancelled} : because;
    nanoseconds deadline = after(now, limits::shutdown_ms_default * 1'000'000);
    if (!all.armed())
        endings_.arm(all, deadline);
    one.orders |= order::cancel;
    queue(*run_, one);
}

void ties::target_ended(tie& one, const exit_reason& why, nanoseconds now) noexcept
{
    process_record& target = *one.target;
    if (one.how == bond::link) {
        process_record& other = *one.watcher;
        if (!why.is_normal()) {
            log::warn("process {} is ended by its link to process {}: {}", other.id, target.id,
                      text_of(why));
            end(other, why, now);
        }
        return remove(one);
    }
    if (one.silent)
        return remove(one);
    bool unmade = one.starting && !target.local && why.what == exit_reason::kind::failed;
    one.target = nullptr;
    one.tie_hook<watched_tag>::unlink();
    tell(one, unmade ? news::kind::refused : news::kind::ended, why);
    if (one.watcher != &target)
        release_idle(target);
}

void ties::watcher_ended(tie& one, const exit_reason& why, nanoseconds now) noexcept
{
    process_record* other = one.target;
    const process_record& watcher = *one.watcher;
    bool ends = other && (one.how == bond::parent || (one.how == bond::link && !why.is_normal()));
    if (ends) {
        log::warn("process {} ends with process {}: {}", other->id, watcher.id, text_of(why));
        end(*other, why, now);
    }
    remove(one);
}

} // namespace vk
