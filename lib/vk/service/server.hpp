#pragma once

// server: a service on addresses, from start to drain.

#include "vk/kernel/kernel.hpp"
#include "vk/service/service.hpp"

#include <chrono>
#include <initializer_list>
#include <string>
#include <vector>

namespace vk {

class supervisor;

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

    /// Bytes of the global heap that a connection may hold, as kernel_options::global_bytes_max. 0: any number.
    std::size_t global_bytes_max = 0;

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

    /// One worker has a parent too, as several always have: it opens the sockets and, when the worker dies, starts
    /// another one, which goes on to accept from them (workers.hpp). Connections that were accepted die with a
    /// worker.
    bool supervised = false;

    enum isolation isolation = isolation::none;

    /// Whether the connections' processes run with the kernel's memory in reach, on level `full` too.
    bool privileged = false;

    /// As kernel_options::contain_faults.
    bool contain_faults = true;

    /// As kernel_options::mask.
    mask_way mask = mask_way::automatic;

    /// What becomes of system calls that a service makes by itself, as kernel_options::syscall_gate.
    enum syscall_gate syscall_gate = syscall_gate::off;

    /// Poller driver, as kernel_options::poller; empty for the environment's VK_POLLER, else epoll.
    std::string poller{};

    /// Processes that run beside the connections, in each worker, as their supervisor says; it must outlive the server.
    /// They end after the listeners have stopped, beside the connections. When it gives up the server ends, by 1.
    const class supervisor* supervisor = nullptr;

    /// Ties between processes at most, in each worker, as kernel_options::ties_max.
    std::size_t ties_max = 0;

    /// File that gets the counters as JSON when the server ends; empty for none.
    std::string stats{};

    /// Called in each OS process when its kernel has ended: what must be written is written here.
    void (*ended)() noexcept = nullptr;

    /// Print "listening on ADDRESS" on stdout for each address once it accepts.
    bool announce = true;
};

/// Serve each connection by a process that runs `what`, until SIGTERM or SIGINT; then stop accepting, let the
/// connections end, and return 0. Returns 1 after a line on stderr when the server cannot be started, or a
/// worker failed over and over, or at the end.
int serve(const server_options& options, const service& what) noexcept;

/// Run `tree` alone, without connections, until SIGTERM or SIGINT; then let it end its children, and return 0. Returns 1
/// after a line on stderr when it cannot be started, and when it gives up. Of the options those of the kernel count,
/// `stats` and `ended`.
int supervise(const supervisor& tree, const server_options& options = {}) noexcept;

/// Serve standard input and output as one connection, until the service ends. Of the options those of the kernel
/// count, `stats` and `ended`. Returns 1 when the service ended by an exception, or could not be started.
int serve_standard(const server_options& options, const service& what) noexcept;

} // namespace vk
