#pragma once

// future: a thread of the process asks, another answers.
//
// What is asked is moved to who answers it, and the answer is moved back: nothing is copied or allocated, as a
// requester that waits is its own node in the queue, and neither side finds the other's memory gone when that is
// cancelled.

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
        asked_.clear();
        responders_.clear();
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

    using queued = boost::intrusive::list_base_hook<
        boost::intrusive::tag<future>, boost::intrusive::link_mode<boost::intrusive::auto_unlink>>;

    bool nobody_answers() const noexcept { return responders_.empty() && had_responder_; }

    void fail_all() noexcept
    {
        while (!asked_.empty())
            take_oldest().wake();
    }

    request_awaiter& take_oldest() noexcept
    {
        request_awaiter& one = asked_.front();
        asked_.pop_front();
        --asked_count_;
        return one;
    }

    // Whether there is one whose requester still waits.
    bool has_request() noexcept
    {
        while (!asked_.empty() && !asked_.front().is_waiting())
            take_oldest();
        return !asked_.empty();
    }

    template <class T>
    using queue = boost::intrusive::list<T, boost::intrusive::base_hook<queued>,
                                         boost::intrusive::constant_time_size<false>>;

    queue<request_awaiter> asked_;
    std::size_t asked_count_ = 0;
    queue<responder<Request, Response>> responders_;
    parking_lot requesters_;
    fair_lot listeners_;
    bool had_responder_ = false;
};

template <class Request, class Response>
class future<Request, Response>::request_awaiter : parked, public queued {
public:
    request_awaiter(future& to, Request&& what, std::source_location where) noexcept
        : parked("future::request", where), to_(&to), what_(std::move(what))
    {
    }
    request_awaiter(const request_awaiter&) = delete;
    request_awaiter& operator=(const request_awaiter&) = delete;
    ~request_awaiter() { withdraw(); }

    bool await_ready() const noexcept { return to_->nobody_answers(); }
    void await_suspend(std::coroutine_handle<> caller) noexcept
    {
        asker_ = &thread::current();
        to_->asked_.push_back(*this);
        ++to_->asked_count_;
        park(caller, to_->requesters_);
        to_->listeners_.serve(to_->asked_count_);
    }
    Response await_resume()
    {
        withdraw(); // it may live on when this throws
        resume();
        if (!answer_)
            raise(EPIPE, "future::request");
        if constexpr (!std::is_void_v<Response>)
            return std::move(*answer_);
    }

private:
    friend future;
    friend call;

    // Not if it was cancelled, and has not run since.
    bool is_waiting() const noexcept { return asker_->blocked(); }

    void withdraw() noexcept
    {
        if (call* holder = std::exchange(held_by_, nullptr))
            holder->asked_by_ = nullptr;
        if (queued::is_linked()) {
            queued::unlink();
            --to_->asked_count_;
        }
    }

    void wake() noexcept
    {
        if (is_waiting())
            asker_->wake_up(wake::ready);
    }

    future* to_;
    Request what_;
    std::optional<answer_type> answer_;
    thread* asker_ = nullptr;
    call* held_by_ = nullptr;
};

/// A request that was listened to. When it goes unanswered its requester fails.
template <class Request, class Response>
class [[nodiscard(
    "a request that is dropped fails its requester")]] future<Request, Response>::call {
public:
    call(call&& other) noexcept
        : what_(std::move(other.what_)), asked_by_(std::exchange(other.asked_by_, nullptr))
    {
        if (asked_by_)
            asked_by_->held_by_ = this;
    }
    call& operator=(call&&) = delete;
    ~call()
    {
        if (asked_by_)
            let_go();
    }

    /// What was asked.
    Request& request() noexcept { return what_; }

    /// Whether somebody waits for the answer: not if the requester was cancelled meanwhile, or it was answered.
    bool is_wanted() const noexcept { return asked_by_ && asked_by_->is_waiting(); }

    /// Answer. Does not suspend; the requester runs when the caller blocks. Where the answer is not wanted it is
    /// passed over.
    template <class... Answer>
        requires std::is_constructible_v<answer_type, Answer...>
    void respond(Answer&&... answer)
    {
        if (!asked_by_)
            return;
        asked_by_->answer_.emplace(std::forward<Answer>(answer)...);
        let_go();
    }

private:
    friend future;
    friend responder<Request, Response>;
    friend request_awaiter;

    explicit call(request_awaiter& by) noexcept : what_(std::move(by.what_)), asked_by_(&by)
    {
        by.held_by_ = this;
    }

    void let_go() noexcept
    {
        request_awaiter& one = *std::exchange(asked_by_, nullptr);
        one.held_by_ = nullptr;
        one.wake();
    }

    Request what_;
    request_awaiter* asked_by_;
};

/// Who answers: the thread in whose frame it lies. Its future may go before it.
template <class Request, class Response>
class responder : public future<Request, Response>::queued {
    using future = vk::future<Request, Response>;
    using call = typename future::call;

public:
    explicit responder(future& of) noexcept : of_(&of)
    {
        of.responders_.push_back(*this);
        of.had_responder_ = true;
    }
    responder(const responder&) = delete;
    responder& operator=(const responder&) = delete;
    ~responder()
    {
        if (!this->is_linked())
            return; // the future is gone
        this->unlink();
        if (of_->responders_.empty())
            of_->fail_all();
    }

    class listen_awaiter : parked {
    public:
        listen_awaiter(future* of, std::source_location where) noexcept
            : parked("future::listen", where), of_(of)
        {
        }
        bool await_ready() const noexcept
        {
            return !of_ || (of_->listeners_.is_idle() && of_->has_request());
        }
        void await_suspend(std::coroutine_handle<> caller) noexcept
        {
            park(caller, of_->listeners_, this, [](void* self) noexcept {
                return static_cast<listen_awaiter*>(self)->try_again();
            });
        }
        call await_resume()
        {
            resume();
            if (!of_)
                throw cancelled("future::listen");
            call taken(of_->take_oldest());
            of_->listeners_.serve(of_->asked_count_);
            return taken;
        }

    private:
        // It was woken for a request that may have been withdrawn since.
        progress try_again() noexcept
        {
            if (is_orphaned())
                return progress::done;
            of_->listeners_.keep_promise();
            return of_->has_request() ? progress::done : progress::blocked;
        }

        future* of_; // null: it is gone
    };

    /// Take the oldest request. Suspends where there is none. Ended early by cancellation, and by the end of the future.
    listen_awaiter listen(std::source_location where = std::source_location::current()) noexcept
    {
        return {future_or_null(), where};
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
        return {future_or_null(), where};
    }

private:
    future* future_or_null() noexcept { return this->is_linked() ? of_ : nullptr; }

    future* of_;
};

} // namespace vk
