#include "vk/kernel/refusals.hpp"

#include "vk/base/c_library.hpp"
#include "vk/base/call_name.hpp"
#include "vk/base/critical.hpp"
#include "vk/base/faults.hpp"
#include "vk/base/log.hpp"
#include "vk/base/refused_call.hpp"
#include "vk/proc/process.hpp"

#include <exception>

namespace vk {

refusals::refusals(enum syscall_gate what, counters& count) noexcept : what_(what), count_(&count)
{
    if (possible())
        c_library::learn();
}

void refusals::refuse(void* self, const gate::call& refused)
{
    refusals& mine = *static_cast<refusals*>(self);
    ++mine.count_->refused_calls;
    mine.keep(refused);
    bool ends = mine.what_ == syscall_gate::end;
    if (critical::entered() || !c_library::is_plain_call(refused.instruction)) {
        mine.ending_ = ends;
        return;
    }
    if (!ends)
        throw refused_call(refused.number);
    landing::leave(reason);
}

void refusals::keep(const gate::call& refused) noexcept
{
    line fresh;
    fresh.number = refused.number;
    fresh.instruction = refused.instruction;
    if (frame_stack::current) {
        const thread& running = thread::current();
        fresh.process = running.process().id();
        fresh.thread = running.id();
    }
    for (std::size_t at = 0; at < kept_count_; ++at)
        if (kept_[at].is_about_the_same(fresh)) {
            ++kept_[at].times;
            return;
        }
    if (kept_count_ == kept_.size()) {
        ++others_;
        return;
    }
    fresh.times = 1;
    kept_[kept_count_++] = fresh;
}

void refusals::write_lines() noexcept
try {
    for (std::size_t at = 0; at < kept_count_; ++at) {
        const line& one = kept_[at];
        log::warn("process {} thread {}: {} refused{}, before the instruction at {:#x}",
                  one.process, one.thread, text_of_call(one.number),
                  one.times > 1 ? fmt::format(" {} times", one.times) : "", one.instruction);
    }
    if (others_ > 0)
        log::warn("{} more system calls refused", others_);
    kept_count_ = 0;
    others_ = 0;
} catch (const std::exception&) { // as in log: there is no memory for a line
    kept_count_ = 0;
}

} // namespace vk
