#include "support/sim/parity_sim.hpp"

#include <array>
#include <utility>

#include "support/sim/address.hpp"
#include "support/sim/parity.hpp"
#include "support/sim/sim.hpp"

namespace vk::sim {

namespace {

class simulated_peer final : public parity_peer {
public:
    explicit simulated_peer(std::shared_ptr<socket> end) : end_{std::move(end)} {}
    ~simulated_peer() override { close(); }
    simulated_peer(const simulated_peer&) = delete;
    simulated_peer& operator=(const simulated_peer&) = delete;

    void send(std::string_view bytes) override
    {
        const iovec part{const_cast<char*>(bytes.data()), bytes.size()};
        end_->write(&part, 1);
    }

    std::string receive() override
    {
        std::string all;
        std::array<char, 65'536> buffer;
        for (;;) {
            const iovec part{buffer.data(), buffer.size()};
            const ssize_t count = end_->read(&part, 1);
            if (count == 0)
                return all + " eof";
            if (count < 0)
                return count == -EAGAIN ? all : all + " reset";
            all.append(buffer.data(), static_cast<std::size_t>(count));
        }
    }

    void half_close() override { end_->shutdown(SHUT_WR); }

    void close() override
    {
        if (const auto end = std::exchange(end_, nullptr))
            end->close();
    }

    void reset() override
    {
        if (const auto end = std::exchange(end_, nullptr))
            end->sever(0);
    }

private:
    std::shared_ptr<socket> end_;
};

class simulated_system final : public parity_system {
public:
    explicit simulated_system(world& in) : world_{in} {}

    std::unique_ptr<parity_peer> connect(const sockaddr_storage& address) override
    {
        const auto* const name = reinterpret_cast<const sockaddr*>(&address);
        const auto listener = world_.find_listener(text_of(name, sizeof address));
        const auto theirs = world_.make_socket(listener->family(), world_.how().socket_bytes);
        const auto mine = world_.make_socket(listener->family(), world_.how().socket_bytes);
        theirs->address = listener->address;
        socket::join(theirs, mine);
        listener->offer(theirs);
        return std::make_unique<simulated_peer>(mine);
    }

    void settle() override { world_.settle(); }
    void settle_end() override { world_.settle(); }

    void use_up_descriptors() override
    {
        before_ = world_.open_files();
        world_.set_open_files(world_.open_fds() + 3);
    }

    void free_descriptors() override { world_.set_open_files(before_); }

private:
    world& world_;
    std::size_t before_ = 0;
};

} // namespace

std::string run_simulated_parity()
{
    world simulated;
    simulated_system system{simulated};
    return run_parity(system, "/simulated/socket");
}

} // namespace vk::sim
