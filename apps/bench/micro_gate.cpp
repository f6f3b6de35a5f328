// What the system-call gate costs: the shortest call that there is, made on a thread without a gate and with one,
// trapped and let pass, refused and caught.

#include "bench/micro.hpp"

#include "vk/base/error.hpp"
#include "vk/base/gate.hpp"
#include "vk/base/refused_call.hpp"

#include <sys/syscall.h>
#include <unistd.h>

namespace vk::bench {

namespace {

void refuse(void*, const gate::call& refused)
{
    throw refused_call(refused.number);
}

void call()
{
    keep(::syscall(SYS_getpid)); // which passes when it is trapped
}

void call_with_pass()
{
    gate::pass through;
    call();
}

void refused_and_caught()
try {
    (void)!::write(-1, nullptr, 0);
} catch (const refused_call& e) {
    keep(e.number());
}

timing alone(void (*what)())
{
    return each([what](std::uint64_t) { what(); });
}

timing behind_gate(gate::state selector, void (*what)())
{
    return [selector, what](std::uint64_t n) {
        gate::watch here({refuse, nullptr});
        const std::int64_t began = now_ns();
        gate::selector = selector;
        for (std::uint64_t i = 0; i < n; ++i)
            what();
        gate::open();
        return now_ns() - began;
    };
}

bool has_gate()
try {
    gate::require();
    return true;
} catch (const error&) {
    return false;
}

} // namespace

topics gate_topics()
{
    if (!has_gate())
        return {};
    using gate::state;
    return {
        {"gate, a call that passes",
         {{"no gate", alone(call)},
          {"no gate, vk::gate::pass", alone(call_with_pass)},
          {"gate open", behind_gate(state::open, call)},
          {"gate closed, vk::gate::pass", behind_gate(state::closed, call_with_pass)}}},
        {"gate, a call that is trapped",
         {{"no gate", alone(call)},
          {"let pass", behind_gate(state::closed, call)},
          {"refused and caught", behind_gate(state::closed, refused_and_caught)}}},
    };
}

} // namespace vk::bench
