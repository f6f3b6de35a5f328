#include "vk/gateway/http1/connection.hpp"

#include "vk/base/hardware_fault.hpp"
#include "vk/base/log.hpp"
#include "vk/gateway/http1/error.hpp"

#include <exception>
#include <string>

namespace vk::http {

// The connection ends with this request: the client wants that, or the server does.
inline bool connection::is_last() const noexcept
{
    std::uint32_t most = site_->how.requests_max;
    return !request_.head().keep_alive() || io_->owner().draining() ||
           (most > 0 && requests_ >= most);
}

// Between two requests other limits hold than within one.
void connection::set_waiting(bool waiting) noexcept
{
    io_->set_timeout(waiting ? site_->how.idle_timeout : site_->how.transfer_timeout);
    io_->outlast_drain(!waiting);
}

task<> connection::run()
{
    const settings& how = site_->how;
    for (;;) {
        std::string_view bytes = io_->glance();
        if (bytes.empty()) {
            // A client that ends the connection, that says nothing for long, and a server that drains: all end it.
            set_waiting(true);
            try {
                bytes = co_await io_->look(1);
            } catch (const timed_out&) {
            }
            set_waiting(false);
            if (bytes.empty())
                co_return;
        }
        parsed head = parser_.parse(bytes, how.bounds, request_.head_);
        if (head.state == parsed::incomplete) [[unlikely]] {
            task<parsed> rest = rest_of_head(bytes.size());
            head = co_await std::move(rest);
        }
        if (head.state != parsed::complete) [[unlikely]] {
            if (head.state == parsed::refused) {
                task<> refusing = refuse(head.status, head.why);
                co_await std::move(refusing);
            }
            co_return;
        }
        io_->take(head.bytes);
        parser_.reset();
        ++requests_;
        response_.reset(is_last());

        std::exception_ptr failure;
        try {
            request_.begin();
            task<> answering = site_->answer(request_, response_);
            co_await std::move(answering);
        } catch (...) {
            failure = std::current_exception();
        }
        if (failure || !is_settled()) [[unlikely]] {
            task<std::exception_ptr> settling = settle(std::move(failure));
            failure = co_await std::move(settling);
        }
        if (how.answered) [[unlikely]]
            how.answered(request_, response_);
        if (failure) [[unlikely]]
            std::rethrow_exception(failure);
        request_.end();
        response_.end();
        if (!response_.keeps_connection())
            co_return;
    }
}

// Wait for the rest of a head of which `seen` bytes came. Incomplete when the client ended before it sent one.
task<parsed> connection::rest_of_head(std::size_t seen)
{
    const bounds& most = site_->how.bounds;
    io_->set_deadline(site_->how.header_timeout);
    parsed head{};
    bool late = false;
    bool room = true;
    try {
        do {
            std::string_view bytes = co_await io_->look(seen + 1);
            head = bytes.size() > seen ? parser_.parse(bytes, most, request_.head_)
                                       : parser_.parse_end(bytes, most, request_.head_);
            if (bytes.size() <= seen)
                break;
            seen = bytes.size();
        } while (head.state == parsed::incomplete);
    } catch (const timed_out&) {
        late = true;
    } catch (const heap_exhausted&) {
        room = false;
    }
    io_->set_deadline({});
    if (late)
        head = {parsed::refused, 0, 408, "the request took too long"};
    if (!room)
        head = {parsed::refused, 0, 431, "the head outgrows the connection's heap"};
    co_return head;
}

// Nothing that follows a request that cannot be read may be taken for another one: the connection ends.
task<> connection::refuse(int status, const char* why)
{
    request_.head_ = {};
    response_.reset(true);
    response_.status(status);
    co_await response_.send(why, "text/plain");
    if (site_->how.answered)
        site_->how.answered(request_, response_);
}

// End what the handler left, or return why the connection breaks off.
task<std::exception_ptr> connection::settle(std::exception_ptr failure)
{
    try {
        task<> ending = end_exchange(std::move(failure));
        co_await std::move(ending);
    } catch (...) {
        co_return std::current_exception();
    }
    co_return nullptr;
}

// An answer that is not whole, a body that was not read.
task<> connection::end_exchange(std::exception_ptr failure)
{
    if (failure) {
        task<> answering = answer_failure(std::move(failure));
        co_await std::move(answering);
    }
    task<> finishing = response_.finish();
    co_await std::move(finishing);
    if (!response_.keeps_connection())
        co_return;
    bool dropped = false;
    try {
        task<bool> dropping = request_.drop_rest();
        dropped = co_await std::move(dropping);
    } catch (const error&) {
        // The answer was given: there is nobody to tell what is wrong with the body.
    } catch (const timed_out&) {
    }
    if (!dropped)
        response_.close();
}

// What escaped a handler becomes an answer, if none has begun. Else the connection breaks off, so that the
// client does not take what it got for the whole.
task<> connection::answer_failure(std::exception_ptr failure)
{
    int status = 500;
    std::string_view text = "Internal Server Error";
    std::string said;
    bool sound = true; // what lies in the heap
    try {
        std::rethrow_exception(failure);
    } catch (const cancelled&) {
        throw;
    } catch (const error& e) {
        if (response_.begun())
            throw;
        status = e.status();
        text = said = e.what();
    } catch (const timed_out&) {
        if (response_.begun())
            throw;
        status = 408; // the only wait before an answer is for the request's body
        text = "the request took too long";
    } catch (const std::exception& e) {
        if (response_.begun() || io_->hanged())
            throw;
        sound = dynamic_cast<const hardware_fault*>(&e) == nullptr;
        log::warn("{} {}: {}", request_.method_name(), request_.path(), describe(e));
    } catch (...) {
        if (response_.begun())
            throw;
        log::warn("{} {}: an exception that is not a std::exception", request_.method_name(),
                  request_.path());
    }
    response_.reset(!sound || is_last() || !request_.body_ended() || !response_.keeps_connection());
    response_.status(status);
    co_await response_.send(text, "text/plain");
}

task<> serve_connection(socket& io, const site& what)
{
    connection one(io, what);
    task<> running = one.run();
    co_await std::move(running);
}

} // namespace vk::http
