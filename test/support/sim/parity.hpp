#pragma once

// parity: one scenario, run on the real kernel and on the simulated one, that writes down all it sees.
//
// The records are compared, line by line, by a test: where they differ, the simulation is wrong. What no
// two kernels have in common is left out: descriptor numbers, buffer sizes, times.

#include <memory>
#include <string>
#include <string_view>

#include <sys/socket.h>

namespace vk::sim {

/// The other end of a connection.
class parity_peer {
public:
    virtual ~parity_peer() = default;
    virtual void send(std::string_view bytes) = 0;

    /// All that has come; then " eof" or " reset" if that has.
    virtual std::string receive() = 0;
    virtual void half_close() = 0;
    virtual void close() = 0;
    virtual void reset() = 0;
};

/// What differs between the two systems.
class parity_system {
public:
    virtual ~parity_system() = default;
    virtual std::unique_ptr<parity_peer> connect(const sockaddr_storage& listener) = 0;

    /// Everything that is under way arrives.
    virtual void settle() = 0;

    /// Also the peer's knowledge of an end, which TCP may tell (with an edge) as late as it likes.
    virtual void settle_end() = 0;

    /// No more descriptors can be opened; or as many as before.
    virtual void use_up_descriptors() = 0;
    virtual void free_descriptors() = 0;
};

/// Run the scenario; a line for each thing seen. A unix socket is made at `path`.
std::string run_parity(parity_system& system, const std::string& path);

} // namespace vk::sim
