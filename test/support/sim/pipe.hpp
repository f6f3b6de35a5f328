#pragma once

// pipe: the two ends of a simulated pipe(2).

#include <memory>
#include <utility>

#include "support/sim/byte_queue.hpp"
#include "support/sim/file.hpp"

namespace vk::sim {

class pipe_end final : public file {
public:
    enum class side { reads, writes };

    /// The reading end and the writing end of a pipe that holds `capacity` bytes.
    static std::pair<std::shared_ptr<pipe_end>, std::shared_ptr<pipe_end>>
    make(std::size_t capacity);

    target kind() const noexcept override;
    std::uint32_t readiness() override;
    ssize_t read(const iovec* parts, int count) override;
    ssize_t write(const iovec* parts, int count) override;
    void close() override;

    /// A write now would raise SIGPIPE.
    bool broken() const noexcept { return side_ == side::writes && other_.expired(); }

private:
    using queue = std::shared_ptr<byte_queue>;

    pipe_end(side which, queue bytes) : side_{which}, bytes_{std::move(bytes)} {}

    bool has_input() const noexcept { return !input_stalled() && !bytes_->empty(); }
    bool hung_up() const noexcept { return !input_stalled() && other_.expired(); }

    side side_;
    queue bytes_;
    std::weak_ptr<pipe_end> other_; // expired once that end is closed
};

} // namespace vk::sim
