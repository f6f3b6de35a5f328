#include "vk/kernel/signals.hpp"

#include "vk/base/error.hpp"
#include "vk/base/log.hpp"
#include "vk/base/os.hpp"
#include "vk/io/call.hpp"
#include "vk/proc/yield.hpp"

#include <cerrno>
#include <csignal>

namespace vk {
namespace {

// One request at a time, so the mailbox, which is emptied before each dispatch, has room.
task<> watch_signals(int fd)
{
    descriptor at(fd);
    wait_list readers;
    at.readers = &readers;
    for (;;) {
        int signal = co_await call(at, os::signal_read, "signal");
        if (signal == -EINTR)
            continue;
        if (signal < 0)
            co_return;
        log::info("{}: draining", signal == SIGINT ? "SIGINT" : "SIGTERM");
        process::current().shared().requests.leave({request::verb::drain});
        co_await yield();
    }
}

class signal_program final : public program {
public:
    void start(process& fresh, int fd) const override
    {
        fresh.start([fd] { return watch_signals(fd); });
    }
};

const signal_program watching;

} // namespace

void drain_on_signals(kernel& drained)
{
    constexpr int wanted[] = {SIGTERM, SIGINT};
    if (int result = os::ignore_sigpipe(); result < 0)
        raise(-result, "ignore SIGPIPE");
    int fd = os::signal_open(wanted, 2);
    if (fd < 0)
        raise(-fd, "signalfd");
    if (!drained.start(watching, fd, true))
        raise(ENOMEM, "start the signal process");
}

} // namespace vk
