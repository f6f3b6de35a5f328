#include "vk/base/faults.hpp"

#include "vk/base/c_library.hpp"
#include "vk/base/critical.hpp"
#include "vk/base/error.hpp"
#include "vk/base/hardware_fault.hpp"
#include "vk/base/limits.hpp"
#include "vk/base/machine_state.hpp"
#include "vk/base/os.hpp"

#include <algorithm>
#include <csignal>
#include <exception>
#include <mutex>
#include <typeinfo>
#include <utility>

#include <cxxabi.h>

#include <fmt/format.h>

/// Of every sanitizer's runtime (sanitizer/common_interface_defs.h); null without one.
extern "C" [[gnu::weak]] void __sanitizer_set_death_callback(void (*callback)());

namespace vk {
namespace {

constexpr int handled[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT};

// What was there before, for what is not for a landing.
struct {
    std::mutex lock;
    unsigned users = 0;
    struct sigaction actions[std::size(handled)];
    std::terminate_handler terminate = nullptr;
} before;

const struct sigaction& action_before(int signal) noexcept
{
    const int* at = std::find(std::begin(handled), std::end(handled), signal);
    return before.actions[at - std::begin(handled)];
}

// Whether the thread that handles `signal` has caused it: neither kill(2) nor a timer.
bool is_own(int signal, const siginfo_t& info) noexcept
{
    if (signal == SIGABRT)
        return info.si_code == SI_TKILL && info.si_pid == os::pid();
    return info.si_code > 0;
}

void act_by_default(int signal, const siginfo_t& info)
{
    // The instruction runs again, and ends the program; what does not repeat itself is sent.
    struct sigaction fatal = {};
    fatal.sa_handler = SIG_DFL;
    (void)os::restore_signal(signal, fatal);
    if (!is_own(signal, info) || signal == SIGTRAP || signal == SIGABRT)
        (void)os::kill(os::pid(), signal);
}

void act_as_before(int signal, siginfo_t* info, void* context)
{
    const struct sigaction& prior = action_before(signal);
    if ((prior.sa_flags & SA_SIGINFO) != 0)
        prior.sa_sigaction(signal, info, context);
    else if (prior.sa_handler != SIG_DFL && prior.sa_handler != SIG_IGN)
        prior.sa_handler(signal);
    else if (prior.sa_handler == SIG_DFL || is_own(signal, *info))
        act_by_default(signal, *info);
}

[[noreturn]] void end_program(const hardware_fault& why) noexcept
{
    char line[256];
    auto end = fmt::format_to_n(line, sizeof(line),
                                "{}: in code that holds a lock of the whole program, which ends\n",
                                why.what());
    (void)os::write(2, line, static_cast<std::size_t>(end.out - line));
    os::exit_now(limits::exit_status_broken);
}

// What the C++ runtime counts for a thread (Itanium C++ ABI, 2.2.2).
struct runtime_state {
    void* caught;
    unsigned thrown;
};
runtime_state& runtime() noexcept
{
    return *reinterpret_cast<runtime_state*>(abi::__cxa_get_globals());
}

bool is_on_signal_stack(std::uintptr_t at) noexcept
{
    stack_t here;
    if (os::signal_stack(nullptr, &here) < 0)
        return false;
    return at - reinterpret_cast<std::uintptr_t>(here.ss_sp) < here.ss_size;
}

} // namespace

// The ways to a landing.
struct fault_handler {
    [[noreturn]] static void jump(landing& to, const exit_reason& why, const char* type) noexcept
    {
        to.reason_ = why;
        to.type_ = type;
        siglongjmp(to.at_, 1);
    }

    static void on_signal(int signal, siginfo_t* info, void* context)
    {
        landing* here = landing::current_;
        if (!here || !is_own(signal, *info)) {
            // Who handled it before may end the program by abort(), which is not to be contained.
            landing::current_ = nullptr;
            act_as_before(signal, info, context);
            landing::current_ = here;
            return;
        }
        if (here->reopen_)
            here->reopen_(here->reopen_argument_);
        ++*here->count_;
        machine_state state(context);
        auto address =
            reinterpret_cast<std::uintptr_t>(signal == SIGABRT ? nullptr : info->si_addr);
        hardware_fault fault(signal, info->si_code, address, state.instruction());
        if (is_on_signal_stack(state.stack())) // it came while another was thrown
            jump(*here, fault.reason(), nullptr);
        if (critical::entered() || c_library::is_broken_by_fault(state.instruction()))
            end_program(fault);
        if (signal == SIGABRT)
            jump(*here, fault.reason(), nullptr);
        if (signal == SIGSEGV && address == state.instruction())
            state.undo_call();
        here->reason_ = fault.reason();
        throw fault;
    }

    // What a sanitizer has reported ends the program: its abort() is not for a landing.
    static void on_sanitizer_death() noexcept { landing::current_ = nullptr; }

    [[noreturn]] static void on_terminate() noexcept
    {
        landing* here = landing::current_;
        if (!here) {
            if (before.terminate)
                before.terminate();
            std::abort();
        }
        const std::type_info* type = abi::__cxa_current_exception_type();
        if (type && *type == typeid(hardware_fault))
            jump(*here, here->reason_, nullptr);
        jump(*here, {exit_reason::kind::failed}, type ? type->name() : "");
    }
};

// --- landing ----------------------------------------------------------------------------------------

void landing::arm() noexcept
{
    const runtime_state& now = runtime();
    caught_before_ = now.caught;
    thrown_before_ = now.thrown;
    current_ = this;
}

void landing::leave(const exit_reason& why) noexcept
{
    if (current_)
        fault_handler::jump(*current_, why, nullptr);
}

void landing::forget_exceptions() noexcept
{
    // To let go of one may run its destructor, which may fault too: then the rest is left.
    if (!std::exchange(forgetting_, true))
        while (runtime().caught && runtime().caught != caught_before_)
            abi::__cxa_end_catch();
    forgetting_ = false;
    runtime().caught = caught_before_;
    runtime().thrown = thrown_before_;
}

// --- fault_handling ---------------------------------------------------------------------------------

fault_handling::fault_handling()
{
    std::lock_guard<std::mutex> alone(before.lock);
    if (before.users == 0) {
        c_library::learn();
        for (std::size_t i = 0; i < std::size(handled); ++i)
            if (int result =
                    os::handle_signal(handled[i], fault_handler::on_signal, before.actions[i]);
                result < 0)
                raise(-result, "handle faults");
        before.terminate = std::set_terminate(fault_handler::on_terminate);
        if (__sanitizer_set_death_callback)
            __sanitizer_set_death_callback(fault_handler::on_sanitizer_death);
    }
    ++before.users;
}

fault_handling::~fault_handling()
{
    std::lock_guard<std::mutex> alone(before.lock);
    if (--before.users > 0)
        return;
    std::set_terminate(before.terminate);
    for (std::size_t i = 0; i < std::size(handled); ++i)
        (void)os::restore_signal(handled[i], before.actions[i]);
}

// --- signal_stack -----------------------------------------------------------------------------------

signal_stack::signal_stack() : bytes_(limits::signal_stack_bytes + os::page_bytes())
{
    int error = 0;
    base_ = static_cast<std::byte*>(os::map(bytes_, os::access::read_write, error));
    if (!base_)
        raise(error, "map a signal stack");
    if (int result = os::protect(base_, os::page_bytes(), os::access::none); result < 0) {
        (void)os::unmap(base_, bytes_);
        raise(-result, "guard a signal stack");
    }
}

signal_stack::~signal_stack()
{
    (void)os::unmap(base_, bytes_);
}

signal_stack::use::use(const signal_stack& which)
{
    stack_t wanted{};
    wanted.ss_sp = which.base_ + os::page_bytes();
    wanted.ss_size = limits::signal_stack_bytes;
    if (int result = os::signal_stack(&wanted, &before_); result < 0)
        raise(-result, "set a signal stack");
}

signal_stack::use::~use()
{
    (void)os::signal_stack(&before_, nullptr);
}

} // namespace vk
