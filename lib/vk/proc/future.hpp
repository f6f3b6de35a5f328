#pragma once

// future: a thread of the process asks, another answers.
//
// What is asked is moved to who answers it, and the answer is moved back: nothing is copied or allocated, as a
// requester that waits is its own node in the queue, and neither side finds the other's memory gone when that is
// cancelled. Who listens already is given a request when it is made: it enters no queue.

#include "vk/base/error.hpp"
#include "vk/proc/parking.hpp"

#include <boost/intrusive/list.hpp>
#include <cerrno>
#include <cstddef>
#include <optional>
#include <utility>
#include <variant>

namespace vk {

template <class Request, class Response>
class responder;

/// Requesters and responders may be many. Requests are answered in the order in which they came, or in any other: who
/// listens holds a request until it answers, and may listen to more meanwhile.
///
/// Nobody waits for ever: a request that is dropped unanswered, be it since its responder failed, fails its requester
/// (vk::error, EPIPE), and so do all that wait when the last responder goes. Before the first has come requests wait
/// for it.
template <class Request, class Response = void>
class future {
    using answer_type = std::conditional_t<std::is_void_v<Response>, std::monostate, Response>;
    static_assert(std::is_nothrow_move_constructible_v<Request>);

public:
    class call;
    class request_awaiter;

    future() noexcept = default;
    future(const future&) = delete;
    future& operator=(const future&) = delete;
    ~future()
    {
        responders_.clear_and_dispose(
            [](responder<Request, Response>* one) { one->of_ = nullptr; });
    }

    /// Ask, and wait for the answer. Suspends, unless nobody will answer: that is vk::error (EPIPE). Ended early by
    /// cancellation, and by the end of the future; the request is then withdrawn, or its answer passed over.
    request_awaiter request(Request what,
                            std::source_location where = std::source_location::current()) noexcept
    {
        return {*this, std::move(what), where};
    }

    /// Hand over `what`, and wait until it was received: a request that has no answer.
    request_awaiter send(Request what,
                         std::source_location where = std::source_location::current()) noexcept
        requires std::is_void_v<Response>
    {
        return request(std::move(what), where);
    }

private:
    friend responder<Request, Response>;

    class hold;
    class listen_awaiter;

    using responder_hook = boost::intrusive::list_base_hook<
        boost::intrusive::link_mode<boost::intrusive::auto_unlink>>;

    static request_awaiter& request_of(const thread& asker) noexcept
    {
        return *static_cast<request_awaiter*>(asker.awaiter());
    }

    // Who asked first, and is about to be held.
    thread& take_oldest() noexcept
    {
        thread& asker = asking_.front();
        held_.take_over(request_of(asker), asker);
        return asker;
    }

    // Have who waits longest to listen run, with the request of `asker`.
    void give(thread& asker) noexcept
    {
        thread& listener = listeners_.front();
        static_cast<listen_awaiter*>(listener.awaiter())->given_.take(asker);
        listeners_.wake(listener);
    }

    // One listens that could be served but for those who were woken: it runs behind them.
    void serve_late() noexcept
    {
        if (!asking_.empty() && !listeners_.empty())
            give(take_oldest());
    }

    parking_lot
        asking_; // requesters, until their request is held; none while somebody waits to listen
    parking_lot held_; // and from then on
    parking_lot listeners_;
    boost::intrusive::list<responder<Request, Response>,
                           boost::intrusive::constant_time_size<false>>
        responders_;
    bool abandoned_ = false; // the last responder has gone
};

template <class Request, class Response>
class future<Request, Response>::request_awaiter : parked {
public:
    request_awaiter(future& to, Request&& what, std::source_location where) noexcept
        : parked(where), to_(&to), what_(std::move(what))
    {
    }
    request_awaiter(const request_awaiter&) = delete;
    request_awaiter& operator=(const request_awaiter&) = delete;
    ~request_awaiter() { withdraw(); }

    bool await_ready() const noexcept { return to_->abandoned_; }
    void await_suspend(std::coroutine_handle<> caller) noexcept
    {
        future& to = *to_;
        if (to.listeners_.empty())
            return park(caller, to.asking_, "future::request", this);
        thread& asker = thread::current();
        park(caller, to.held_, "future::request", this);
        if (asker.blocked()) // it was not cancelled before
            to.give(asker);
    }
    Response await_resume()
    {
        withdraw(); // it may live on when this throws
        resume();
        if (!answer_) [[unlikely]]
            raise(EPIPE, "future::request");
        if constexpr (!std::is_void_v<Response>)
            return std::move(*answer_);
    }

private:
    friend future;

    void withdraw() noexcept
    {
        if (held_by_) [[unlikely]]
            std::exchange(held_by_, nullptr)->asker_ = nullptr;
    }

    future* to_;
    Request what_;
    std::optional<answer_type> answer_;
    hold* held_by_ = nullptr;
};

// A requester that waits for an answer, held by who is to give it: each knows the other, and is told when it goes.
template <class Request, class Response>
class future<Request, Response>::hold {
public:
    hold() noexcept = default;
    hold(hold&& other) noexcept
    {
        if (other.asker_)
            take(*std::exchange(other.asker_, nullptr));
    }
    hold& operator=(hold&&) = delete;
    ~hold() { let_go(); }

    // For one that holds none.
    void take(thread& asker) noexcept
    {
        asker_ = &asker;
        asked().held_by_ = this;
    }

    explicit operator bool() const noexcept { return asker_ != nullptr; }

    // Not if it was cancelled, and has not run since.
    bool is_wanted() const noexcept { return asker_ && asker_->blocked(); }

    request_awaiter& asked() const noexcept { return request_of(*asker_); }

    // Have it run, with what it was answered or nothing.
    void let_go() noexcept
    {
        if (!asker_)
            return;
        thread& asker = *std::exchange(asker_, nullptr);
        request_awaiter& one = request_of(asker);
        one.held_by_ = nullptr;
        if (asker.blocked())
            one.to_->held_.wake(asker);
    }

private:
    friend request_awaiter;

    thread* asker_ = nullptr; // blocked by its request, or has not run since
};

/// A request that was listened to. When it goes unanswered its requester fails.
template <class Request, class Response>
class [[nodiscard(
    "a request that is dropped fails its requester")]] future<Request, Response>::call {
public:
    call(call&&) noexcept = default;
    call& operator=(call&&) = delete;

    /// What was asked.
    Request& request() noexcept { return what_; }

    /// Whether somebody waits for the answer: not if the requester was cancelled meanwhile, or it was answered.
    bool is_wanted() const noexcept { return asked_by_.is_wanted(); }

    /// Answer. Does not suspend; the requester runs when the caller blocks. Where the answer is not wanted it is
    /// passed over.
    template <class... Answer>
        requires std::is_constructible_v<answer_type, Answer...>
    void respond(Answer&&... answer)
    {
        if (!asked_by_)
            return;
        asked_by_.asked().answer_.emplace(std::forward<Answer>(answer)...);
        asked_by_.let_go();
    }

private:
    friend future;

    explicit call(hold&& by) noexcept : what_(std::move(by.asked().what_)), asked_by_(std::move(by))
    {
    }

    Request what_;
    hold asked_by_;
};

template <class Request, class Response>
class future<Request, Response>::listen_awaiter : parked {
public:
    listen_awaiter(future* of, std::source_location where) noexcept : parked(where), of_(of) {}
    bool await_ready() const noexcept
    {
        return !of_ || (of_->listeners_.is_idle() && !of_->asking_.empty());
    }
    void await_suspend(std::coroutine_handle<> caller) noexcept
    {
        park(caller, of_->listeners_, "future::listen", this,
             [](void* self) noexcept { return static_cast<listen_awaiter*>(self)->try_again(); });
        of_->serve_late();
    }
    call await_resume()
    {
        if (!resume())
            take_oldest();
        return call(std::move(given_));
    }

private:
    friend future;

    void take_oldest()
    {
        if (!of_) [[unlikely]]
            throw cancelled("future::listen");
        given_.take(of_->take_oldest());
    }

    // What it was given may have been withdrawn since.
    progress try_again() noexcept
    {
        if (given_.is_wanted())
            return progress::done;
        given_.let_go();
        if (!of_->asking_.empty()) {
            given_.take(of_->take_oldest());
            return progress::done;
        }
        of_->listeners_.take_over(*this);
        return progress::blocked;
    }

    future* of_; // null: it is gone
    hold given_;
};

/// Who answers: the thread in whose frame it lies. Its future may go before it.
template <class Request, class Response>
class responder : public future<Request, Response>::responder_hook {
    using future = vk::future<Request, Response>;
    using call = typename future::call;

public:
    explicit responder(future& of) noexcept : of_(&of)
    {
        of.responders_.push_back(*this);
        of.abandoned_ = false;
    }
    responder(const responder&) = delete;
    responder& operator=(const responder&) = delete;
    ~responder()
    {
        if (!of_)
            return;
        this->unlink();
        of_->abandoned_ = of_->responders_.empty();
        if (of_->abandoned_)
            of_->asking_.wake_all(); // without an answer
    }

    using listen_awaiter = typename future::listen_awaiter;

    /// Take the oldest request. Suspends where there is none. Ended early by cancellation, and by the end of the future.
    listen_awaiter listen(std::source_location where = std::source_location::current()) noexcept
    {
        return {of_, where};
    }

    class receive_awaiter : listen_awaiter {
    public:
        using listen_awaiter::await_ready;
        using listen_awaiter::await_suspend;
        using listen_awaiter::listen_awaiter;
        Request await_resume()
        {
            call one = listen_awaiter::await_resume();
            one.respond();
            return std::move(one.request());
        }
    };

    /// Take the oldest of what was sent, and let its sender go on; otherwise as listen().
    receive_awaiter recv(std::source_location where = std::source_location::current()) noexcept
        requires std::is_void_v<Response>
    {
        return {of_, where};
    }

private:
    friend future;

    future* of_; // null: it is gone
};

} // namespace vk
