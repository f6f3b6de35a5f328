#pragma once

// connection: the requests of one client, one after another.

#include "vk/gateway/http1/handler.hpp"
#include "vk/gateway/http1/request.hpp"
#include "vk/gateway/http1/response.hpp"
#include "vk/gateway/http1/settings.hpp"

#include <exception>

namespace vk::http {

/// What all connections of a server share. It lies outside of the processes' heaps, and is only read.
struct site {
    handler answer;
    settings how{};
};

class connection {
public:
    connection(socket& io, const site& what) noexcept
        : io_(&io), site_(&what), request_(io, what.how), response_(request_)
    {
    }

    /// Answer requests until the client or the server ends the connection.
    task<> run();

private:
    void set_waiting(bool waiting) noexcept;
    task<parsed> rest_of_head(std::size_t seen);
    task<> refuse(int status, const char* why);
    task<std::exception_ptr> settle(std::exception_ptr failure);
    task<> end_exchange(std::exception_ptr failure);
    task<> answer_failure(std::exception_ptr failure);
    bool is_last() const noexcept;
    bool is_settled() const noexcept
    {
        return response_.phase_ == response::phase::done && request_.body_ended();
    }

    socket* io_;
    const site* site_;
    request request_;
    response response_;
    request_parser parser_;
    std::uint32_t requests_ = 0;
};

/// The service of an HTTP server: answers the requests of one client.
task<> serve_connection(socket& io, const site& what);

} // namespace vk::http
