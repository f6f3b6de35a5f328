#pragma once

// exit_reason: why a process ended, as a value.
//
// It crosses from a heap that may be corrupt to the kernel and from there to whoever monitors the process, so
// it refers to nothing. The kinds are those of Erlang's exit reasons, as far as they have a meaning here.

#include <cstdint>
#include <string>

namespace vk {

struct exit_reason {
    enum class kind : std::uint8_t {
        normal, // its last thread returned
        failed, // an exception escaped a thread that nobody joins; `code` is its errno, if it had one
        fault,     // a hardware fault, which ended it or escaped a thread; `code` is the signal
        cancelled, // it was told to end, and did
        discarded, // it was told to end, did not, and its memory was taken without running it
        missing,   // there was no such process
    };

    kind what = kind::normal;
    std::int32_t code = 0;
    std::uintptr_t address = 0;     // of a fault: what was accessed,
    std::uintptr_t instruction = 0; // and by which instruction

    /// Whether it ended as it was meant to: nobody linked to it is concerned, nor a transient child restarted.
    bool is_normal() const noexcept { return what == kind::normal; }

    friend bool operator==(const exit_reason&, const exit_reason&) noexcept = default;
};

/// As a line of a log has it: "normal", "SIGSEGV at 0x10, by vk-http+0x5581", "failed: errno 104".
std::string text_of(const exit_reason& reason);

} // namespace vk
