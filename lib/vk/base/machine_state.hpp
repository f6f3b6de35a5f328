#pragma once

// machine_state: the registers at a fault, which the handler sees and may change.

#include <cstdint>

#include <ucontext.h>

namespace vk {

class machine_state {
public:
    /// Of what a handler is given (sigaction(2)).
    explicit machine_state(void* context) noexcept : all_(static_cast<ucontext_t*>(context)) {}

#if defined(__x86_64__)
    std::uintptr_t instruction() const noexcept { return word(REG_RIP); }
    std::uintptr_t stack() const noexcept { return word(REG_RSP); }

    /// As if the call that led to this instruction had not been made: there is nothing to unwind at an address that is
    /// no code. The caller is the instruction before the return address, which is the call.
    void undo_call() noexcept
    {
        std::uintptr_t back = *reinterpret_cast<const std::uintptr_t*>(stack());
        all_->uc_mcontext.gregs[REG_RIP] = static_cast<greg_t>(back - 1);
        all_->uc_mcontext.gregs[REG_RSP] += 8;
    }

private:
    std::uintptr_t word(int which) const noexcept
    {
        return static_cast<std::uintptr_t>(all_->uc_mcontext.gregs[which]);
    }
#elif defined(__aarch64__)
    std::uintptr_t instruction() const noexcept { return all_->uc_mcontext.pc; }
    std::uintptr_t stack() const noexcept { return all_->uc_mcontext.sp; }
    void undo_call() noexcept { all_->uc_mcontext.pc = all_->uc_mcontext.regs[30] - 4; }

private:
#else
#error "the registers of this machine are not known: add them here"
#endif

    ucontext_t* all_;
};

} // namespace vk
