#include "support/sim/client.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include <sys/epoll.h>

#include "support/sim/pipe.hpp"
#include "support/sim/world.hpp"

namespace vk::sim {

client::client(world& in, std::string name)
    : world_{in}, name_{std::move(name)}, window_{in.how().socket_bytes}
{
}

client::~client()
{
    if (input_)
        input_->unwatch(*this);
    if (output_ && output_ != input_)
        output_->unwatch(*this);
}

// --- the script -------------------------------------------------------------------------------------

client& client::add(step take)
{
    steps_.push_back(std::move(take));
    return *this;
}

client& client::add_act(std::function<void()> act)
{
    return add([act = std::move(act)] {
        act();
        return true;
    });
}

client& client::add_wait(beginning begin)
{
    enum class progress { ahead, begun, done };
    const auto at = std::make_shared<progress>(progress::ahead);
    return add([this, at, begin = std::move(begin)] {
        if (*at == progress::ahead) {
            *at = progress::begun;
            begin([this, at] {
                *at = progress::done;
                advance();
            });
        }
        return *at == progress::done;
    });
}

client& client::after(nanoseconds pause)
{
    return add_wait([this, pause](std::function<void()> done) {
        world_.later(pause.count(), std::move(done));
    });
}

client& client::at(nanoseconds since_start)
{
    return add_wait([this, since_start](std::function<void()> done) {
        world_.later((since_start - world_.elapsed()).count(), std::move(done));
    });
}

client& client::connect(std::string address)
{
    return add_wait([this, address = std::move(address)](std::function<void()> done) {
        try_connect(address, std::move(done));
    });
}

client& client::accept(std::string address)
{
    world_.offer_remote(address, *this);
    return add([this] { return input_ != nullptr; });
}

client& client::standard_io()
{
    auto [their_input, my_output] = pipe_end::make(world_.how().pipe_bytes);
    auto [my_input, their_output] = pipe_end::make(window_);
    their_input->blocking = their_output->blocking = true;
    world_.set_standard(std::move(their_input), std::move(their_output));
    established(std::move(my_input), std::move(my_output));
    return *this;
}

client& client::send(std::string bytes)
{
    sent_ += bytes;
    const auto position = std::make_shared<std::size_t>(0);
    return add([this, position, bytes = std::move(bytes)] { return try_send(bytes, *position); });
}

client& client::send_cut(std::string_view bytes, std::size_t each, nanoseconds gap)
{
    for (std::size_t at = 0; at < bytes.size(); at += each) {
        if (at != 0)
            after(gap);
        send(std::string{bytes.substr(at, each)});
    }
    return *this;
}

client& client::send_random(std::string_view bytes, nanoseconds gap_max)
{
    dice& roll = world_.dice();
    while (!bytes.empty()) {
        // Mostly short pieces, now and then all the rest: both ends of what a network does.
        const std::size_t longest =
            roll.chance(0.5) ? std::min<std::size_t>(bytes.size(), 8) : bytes.size();
        const std::size_t piece = 1 + roll.below(longest);
        send(std::string{bytes.substr(0, piece)});
        bytes.remove_prefix(piece);
        after(nanoseconds{roll.below(static_cast<std::uint64_t>(gap_max.count()) + 1)});
    }
    return *this;
}

client& client::receive(std::size_t bytes)
{
    return add([this, bytes] {
        if (!has_come(consumed_ + bytes))
            return false;
        consumed_ += bytes;
        return true;
    });
}

client& client::receive_line()
{
    return add([this] {
        const std::size_t newline = received_.find('\n', consumed_);
        if (newline == std::string::npos)
            return has_come(received_.size() + 1);
        consumed_ = newline + 1;
        return true;
    });
}

client& client::receive_end()
{
    return add([this] { return ended_ != ending::none; });
}

client& client::half_close()
{
    return add_act([this] {
        if (const auto one = connection())
            one->shutdown(SHUT_WR);
        else if (output_)
            std::exchange(output_, nullptr)->close();
    });
}

client& client::close()
{
    return add_act([this] { hang_up(); });
}

client& client::reset()
{
    return add_act([this] { abort(); });
}

client& client::stop_reading()
{
    return add_act([this] { reading_ = false; });
}

client& client::read_on()
{
    return add_act([this] {
        reading_ = true;
        schedule_pump(nanoseconds{0});
    });
}

client& client::read_slowly(std::size_t each, nanoseconds gap)
{
    return add_act([this, each, gap] {
        read_each_ = each;
        read_gap_ = gap;
    });
}

client& client::window(std::size_t bytes)
{
    window_ = bytes;
    return *this;
}

client& client::then(std::function<void(client&)> act)
{
    return add_act([this, act = std::move(act)] { act(*this); });
}

// --- playing it -------------------------------------------------------------------------------------

void client::begin()
{
    advance();
}

void client::advance()
{
    if (advancing_)
        return; // called back from within a step: its own turn goes on
    advancing_ = true;
    while (!done() && steps_[position_]())
        if (!given_up_)
            ++position_;
    advancing_ = false;
    if (done() && !std::exchange(told_done_, true))
        world_.client_done();
}

void client::try_connect(const std::string& address, std::function<void()> done)
{
    const auto again = [this, address, done] { try_connect(address, done); };
    const auto listener = world_.find_listener(address);
    if (!listener) {
        if (!world_.knew_listener(address))
            return world_.when_listening(again);
        note_end(ending::refused);
        give_up();
        return advance();
    }
    if (listener->backlog_full())
        return listener->when_room(again);
    const auto theirs = world_.make_socket(listener->family(), world_.how().socket_bytes);
    const auto mine = world_.make_socket(listener->family(), window_);
    theirs->address = listener->address;
    socket::join(theirs, mine);
    established(mine, mine);
    listener->offer(theirs);
    done();
}

void client::established(std::shared_ptr<file> input, std::shared_ptr<file> output)
{
    input_ = std::move(input);
    output_ = std::move(output);
    input_->watch(*this);
    if (output_ != input_)
        output_->watch(*this);
    if (const auto one = connection())
        one->owner = this;
    schedule_pump(nanoseconds{0});
}

bool client::try_send(const std::string& bytes, std::size_t& position)
{
    if (!output_) {
        give_up();
        return false;
    }
    const iovec rest{const_cast<char*>(bytes.data()) + position, bytes.size() - position};
    const ssize_t count = output_->write(&rest, 1);
    if (count > 0) {
        position += static_cast<std::size_t>(count);
    } else if (count < 0 && count != -EAGAIN) {
        note_end(ending::reset);
        give_up();
    }
    const bool all = position == bytes.size();
    if (!all && output_)
        static_cast<void>(output_->readiness()); // asks to be told of room
    return all;
}

bool client::has_come(std::size_t end)
{
    if (received_.size() >= end)
        return true;
    if (ended_ != ending::none)
        give_up();
    return false;
}

void client::woken(std::uint32_t)
{
    schedule_pump(nanoseconds{world_.latency()});
}

void client::schedule_pump(nanoseconds pause)
{
    if (pump_due_)
        return;
    pump_due_ = true;
    world_.later(pause.count(), [this] { pump(); });
}

void client::pump()
{
    pump_due_ = false;
    if (reading_ && input_ && ended_ == ending::none && read_some())
        schedule_pump(std::max(read_gap_, nanoseconds{1}));
    else if (const auto one = connection(); !reading_ && one && one->reset())
        note_end(ending::reset);
    advance();
}

/// Read once, or as long as something comes if the client is not slow; whether there may be more.
bool client::read_some()
{
    std::array<char, 16'384> buffer;
    for (;;) {
        const iovec part{buffer.data(), std::min(buffer.size(), read_each_)};
        const ssize_t count = input_->read(&part, 1);
        if (count > 0) {
            received_.append(buffer.data(), static_cast<std::size_t>(count));
            if (read_gap_ > nanoseconds{0})
                return true;
            continue;
        }
        if (count == 0)
            note_end(ending::eof);
        else if (count != -EAGAIN)
            note_end(ending::reset);
        return false;
    }
}

void client::note_end(ending how)
{
    if (ended_ == ending::none)
        ended_ = how;
}

void client::give_up()
{
    given_up_ = true;
    hang_up();
}

void client::hang_up()
{
    const auto input = std::exchange(input_, nullptr);
    const auto output = std::exchange(output_, nullptr);
    if (input) {
        input->unwatch(*this);
        input->close();
    }
    if (output && output != input) {
        output->unwatch(*this);
        output->close();
    }
}

void client::abort()
{
    if (const auto one = connection()) {
        one->unwatch(*this);
        one->sever(0);
        input_ = output_ = nullptr;
        note_end(ending::reset);
    } else {
        hang_up();
    }
}

std::shared_ptr<socket> client::connection() const noexcept
{
    return std::dynamic_pointer_cast<socket>(input_);
}

} // namespace vk::sim
