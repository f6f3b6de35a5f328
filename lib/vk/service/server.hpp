#pragma once

// server: a service on addresses, from start to drain.

#include "vk/kernel/kernel.hpp"
#include "vk/service/service.hpp"

#include <chrono>
#include <initializer_list>
#include <string>
#include <vector>

namespace vk {

/// Addresses as address::parse() reads them; one string is one address.
class address_list : public std::vector<std::string> {
public:
    using std::vector<std::string>::vector;
    address_list(const char* one) : vector{one} {}            // NOLINT(google-explicit-constructor)
    address_list(std::string one) : vector{std::move(one)} {} // NOLINT(google-explicit-constructor)
    address_list(std::vector<std::string> all)                // NOLINT(google-explicit-constructor)
        : vector(std::move(all))
    {
    }
};

struct server_options {
    /// Where to listen; see address.
    address_list listen = "127.0.0.1:8080";

    /// Pages of a connection's heap: frames, buffers that outgrow a lent block, what the service allocates.
    std::size_t heap_pages = limits::heap_pages_default;

    /// Heaps in the pool. 0: one for each connection that there may be.
    std::size_t pool = 0;

    /// Connections at most, in each worker; more wait in the backlog. 0: as many as there can be fds.
    std::size_t connections_max = 0;

    /// Pending connections of a listening socket. 0: limits::backlog_default.
    int backlog = 0;

    /// Ends an operation on a connection in which no byte moves for so long, and so an idle client. Zero: no
    /// limit. vk::http::settings has the limits of HTTP; standard input and output have none.
    std::chrono::milliseconds timeout{0};

    /// How long connections may take to end after SIGTERM, before they are cancelled.
    std::chrono::milliseconds drain{limits::drain_ms_default};

    /// OS processes, each with a kernel of its own, that share the port.
    unsigned workers = 1;

    enum isolation isolation = isolation::none;

    /// What becomes of system calls that a service makes by itself, as kernel_options::syscall_gate.
    enum syscall_gate syscall_gate = syscall_gate::off;

    /// Poller driver, as kernel_options::poller; empty for the environment's VK_POLLER, else epoll.
    std::string poller{};

    /// File that gets the counters as JSON when the server ends; empty for none.
    std::string stats{};

    /// Called in each OS process when its kernel has ended: what must be written is written here.
    void (*ended)() noexcept = nullptr;

    /// Print "listening on ADDRESS" on stdout for each address once it accepts.
    bool announce = true;
};

/// Serve each connection by a process that runs `what`, until SIGTERM or SIGINT; then stop accepting, let the
/// connections end, and return 0. Returns 1 after a line on stderr when the server cannot be started or a
/// worker failed.
int serve(const server_options& options, const service& what) noexcept;

/// Serve standard input and output as one connection, until the service ends. Of the options those of the kernel
/// count, `stats` and `ended`. Returns 1 when the service ended by an exception, or could not be started.
int serve_standard(const server_options& options, const service& what) noexcept;

} // namespace vk
