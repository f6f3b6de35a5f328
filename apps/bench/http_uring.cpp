// The epoll baseline's twin on io_uring: one thread, completions in place of readiness.
//
// One accept and one receive for each connection are armed once and complete many times
// (multishot); what is received lands in buffers that the kernel picks from a ring shared by all;
// sends are queued, and go out with the next wait: a round of any number of requests is one system
// call. A connection has one send under way at a time, since two that the peer takes slowly could
// mix their bytes.

#include "bench/contestant.hpp"
#include "bench/listener.hpp"
#include "bench/reply.hpp"

#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <system_error>

#include <fmt/core.h>
#include <liburing.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

namespace vk::bench {

namespace {

constexpr unsigned submissions = 4096;
constexpr unsigned completions = 32'768;
constexpr unsigned buffers = 1024;                        // a power of two
constexpr unsigned buffer_bytes = http_reply::read_bytes; // of memory: what is touched of it
constexpr int buffer_group = 0;

int open_ring(io_uring& ring)
{
    io_uring_params parameters{};
    parameters.flags =
        IORING_SETUP_CQSIZE | IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN;
    parameters.cq_entries = completions;
    return ::io_uring_queue_init_params(submissions, &ring, &parameters);
}

void check(int result, const char* what)
{
    if (result < 0)
        throw std::system_error(-result, std::generic_category(), what);
}

class uring_server {
public:
    uring_server() : listener_(listen_on_loopback(0))
    {
        check(open_ring(ring_), "io_uring");
        provide_buffers();
    }

    [[noreturn]] void run()
    {
        accept();
        for (;;) {
            ::io_uring_submit_and_wait(&ring_, 1);
            unsigned head = 0;
            unsigned seen = 0;
            io_uring_cqe* completion = nullptr;
            io_uring_for_each_cqe(&ring_, head, completion)
            {
                complete(*completion);
                ++seen;
            }
            ::io_uring_cq_advance(&ring_, seen);
        }
    }

private:
    struct connection {
        int fd = -1;
        bool ended = false;    // nothing more is received
        std::string_view out;  // the send that is under way; empty: none
        std::string waiting;   // what goes out after it
        std::string going_out; // owns `out` where it once waited
        http_reply reply;
    };

    // The low bits of what a completion carries; the rest is its connection.
    enum operation : std::uint64_t { accepting, receiving, sending, closing };
    static constexpr std::uint64_t operation_bits = 3;
    static_assert(alignof(connection) > operation_bits);

    void provide_buffers()
    {
        constexpr std::size_t bytes = buffers * sizeof(io_uring_buf);
        auto* const memory = static_cast<char*>(
            std::aligned_alloc(4096, bytes + std::size_t{buffers} * buffer_bytes));
        if (memory == nullptr)
            throw std::bad_alloc();
        provided_ = reinterpret_cast<io_uring_buf_ring*>(memory);
        memory_ = memory + bytes;
        io_uring_buf_reg registration{};
        registration.ring_addr = reinterpret_cast<std::uintptr_t>(provided_);
        registration.ring_entries = buffers;
        registration.bgid = buffer_group;
        ::io_uring_buf_ring_init(provided_);
        check(::io_uring_register_buf_ring(&ring_, &registration, 0), "io_uring buffers");
        for (unsigned id = 0; id < buffers; ++id)
            give_back(id);
    }

    void give_back(unsigned id)
    {
        ::io_uring_buf_ring_add(provided_, memory_ + std::size_t{id} * buffer_bytes, buffer_bytes,
                                static_cast<unsigned short>(id), buffers - 1, 0);
        ::io_uring_buf_ring_advance(provided_, 1);
    }

    io_uring_sqe* submission()
    {
        io_uring_sqe* next = ::io_uring_get_sqe(&ring_);
        while (next == nullptr) {
            ::io_uring_submit(&ring_);
            next = ::io_uring_get_sqe(&ring_);
        }
        return next;
    }

    // After it was prepared, which clears it.
    static void carry(io_uring_sqe* s, operation what, connection* c)
    {
        s->user_data = reinterpret_cast<std::uintptr_t>(c) | what;
    }

    void accept()
    {
        auto* s = submission();
        ::io_uring_prep_multishot_accept(s, listener_, nullptr, nullptr, SOCK_CLOEXEC);
        carry(s, accepting, nullptr);
    }

    void receive(connection& c)
    {
        auto* s = submission();
        ::io_uring_prep_recv_multishot(s, c.fd, nullptr, 0, 0);
        s->flags |= IOSQE_BUFFER_SELECT;
        s->buf_group = buffer_group;
        carry(s, receiving, &c);
    }

    void send(connection& c)
    {
        auto* s = submission();
        ::io_uring_prep_send(s, c.fd, c.out.data(), c.out.size(), MSG_NOSIGNAL | MSG_WAITALL);
        carry(s, sending, &c);
    }

    void complete(const io_uring_cqe& completion)
    {
        auto* const c = reinterpret_cast<connection*>(completion.user_data & ~operation_bits);
        switch (completion.user_data & operation_bits) {
        case accepting:
            return on_accept(completion);
        case receiving:
            return on_receive(*c, completion);
        case sending:
            return on_send(*c, completion.res);
        default:
            return;
        }
    }

    void on_accept(const io_uring_cqe& completion)
    {
        if (completion.res >= 0) {
            no_delay(completion.res);
            auto* c = new connection;
            c->fd = completion.res;
            receive(*c);
        }
        if ((completion.flags & IORING_CQE_F_MORE) == 0)
            accept();
    }

    void on_receive(connection& c, const io_uring_cqe& completion)
    {
        if (completion.res > 0) {
            const unsigned id = completion.flags >> IORING_CQE_BUFFER_SHIFT;
            answer(c, c.reply({memory_ + std::size_t{id} * buffer_bytes,
                               static_cast<std::size_t>(completion.res)}));
            give_back(id);
        }
        if ((completion.flags & IORING_CQE_F_MORE) != 0)
            return;
        if (completion.res > 0 || completion.res == -ENOBUFS)
            return receive(c);
        c.ended = true;
        close_if_done(c);
    }

    void answer(connection& c, std::string_view what)
    {
        if (what.empty())
            return;
        if (!c.out.empty()) {
            c.waiting += what;
            return;
        }
        c.out = what;
        send(c);
    }

    void on_send(connection& c, int result)
    {
        if (result < 0) {
            c.out = {};
            c.waiting.clear();
            ::shutdown(c.fd, SHUT_RDWR); // so that receiving ends too
            return close_if_done(c);
        }
        c.out.remove_prefix(static_cast<std::size_t>(result));
        if (c.out.empty() && !c.waiting.empty()) {
            c.going_out.swap(c.waiting);
            c.waiting.clear();
            c.out = c.going_out;
        }
        if (!c.out.empty())
            return send(c);
        close_if_done(c);
    }

    void close_if_done(connection& c)
    {
        if (!c.ended || !c.out.empty())
            return;
        auto* s = submission();
        ::io_uring_prep_close(s, c.fd);
        carry(s, closing, nullptr);
        delete &c;
    }

    int listener_;
    io_uring ring_{};
    io_uring_buf_ring* provided_ = nullptr; // ours until the process ends, as the buffers
    char* memory_ = nullptr;
};

} // namespace

// Tried in a child: what a ring leaves to do when it is closed interrupts the waits of its process.
arguments prepare_uring(const std::filesystem::path&)
{
    const pid_t child = ::fork();
    if (child == 0) {
        io_uring ring{};
        ::_exit(-open_ring(ring));
    }
    int status = 0;
    if (child < 0 || ::waitpid(child, &status, 0) != child)
        throw std::system_error(errno, std::generic_category(), "fork");
    if (status != 0)
        throw not_here(fmt::format("io_uring is not to be had: {}",
                                   std::generic_category().message(WEXITSTATUS(status))));
    return {};
}

int http_uring(const arguments& options)
{
    refuse(options);
    static uring_server server;
    server.run();
}

} // namespace vk::bench
