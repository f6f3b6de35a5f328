#include "vk/base/exit_reason.hpp"

#include "vk/base/hardware_fault.hpp"

#include <fmt/format.h>

namespace vk {

std::string text_of(const exit_reason& reason)
{
    using kind = exit_reason::kind;
    switch (reason.what) {
    case kind::normal:
        return "normal";
    case kind::failed:
        return reason.code ? fmt::format("failed: errno {}", reason.code) : "failed";
    case kind::fault: {
        char where[64];
        write_location(where, sizeof(where), reason.instruction);
        return fmt::format("{} at {:#x}, by {}", signal_name(reason.code), reason.address, where);
    }
    case kind::cancelled:
        return "cancelled";
    case kind::discarded:
        return "discarded";
    case kind::missing:
        return "no such process";
    }
    return "unknown";
}

} // namespace vk
