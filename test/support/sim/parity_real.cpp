// The parity scenario on the real kernel: prints its record. Peers are plain blocking-free sockets of this
// process, made without os.hpp, so that what is recorded is os.cpp alone.

#include <array>
#include <cerrno>
#include <cstdio>
#include <ctime>
#include <string>

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/resource.h>
#include <sys/un.h>
#include <unistd.h>

#include "support/sim/parity.hpp"

namespace {

using vk::sim::parity_peer;
using vk::sim::parity_system;

void pause_ms(long ms)
{
    const timespec pause{.tv_sec = 0, .tv_nsec = ms * 1'000'000};
    ::nanosleep(&pause, nullptr);
}

class real_peer final : public parity_peer {
public:
    explicit real_peer(int fd) : fd_{fd} {}
    ~real_peer() override { close(); }
    real_peer(const real_peer&) = delete;
    real_peer& operator=(const real_peer&) = delete;

    void send(std::string_view bytes) override
    {
        // An error is of no interest: it shows at the other end.
        static_cast<void>(::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL));
    }

    std::string receive() override
    {
        std::string all;
        std::array<char, 65'536> buffer;
        for (;;) {
            const ssize_t count = ::recv(fd_, buffer.data(), buffer.size(), MSG_DONTWAIT);
            if (count < 0 && errno == EAGAIN && !drain_pause())
                return all;
            if (count == 0)
                return all + " eof";
            if (count < 0 && errno == ECONNRESET)
                return all + " reset";
            if (count > 0)
                all.append(buffer.data(), static_cast<std::size_t>(count));
        }
    }

    void half_close() override { ::shutdown(fd_, SHUT_WR); }

    void close() override
    {
        if (fd_ >= 0)
            ::close(fd_);
        fd_ = -1;
    }

    void reset() override
    {
        const linger hard{.l_onoff = 1, .l_linger = 0};
        ::setsockopt(fd_, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
        close();
    }

private:
    /// What was read makes room for more: give that a moment to come. Whether some did.
    bool drain_pause() const
    {
        pause_ms(3);
        char byte = 0;
        return ::recv(fd_, &byte, 1, MSG_DONTWAIT | MSG_PEEK) > 0;
    }

    int fd_;
};

class real_system final : public parity_system {
public:
    std::unique_ptr<parity_peer> connect(const sockaddr_storage& listener) override
    {
        const int fd = ::socket(listener.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
        const socklen_t bytes =
            listener.ss_family == AF_UNIX ? sizeof(sockaddr_un) : sizeof(sockaddr_in);
        if (::connect(fd, reinterpret_cast<const sockaddr*>(&listener), bytes) < 0)
            std::perror("connect");
        const int at_once = 1;
        if (listener.ss_family != AF_UNIX)
            ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &at_once, sizeof at_once);
        return std::make_unique<real_peer>(fd);
    }

    void settle() override { pause_ms(3); }
    void settle_end() override { pause_ms(60); } // longer than an acknowledgement is delayed

    void use_up_descriptors() override
    {
        ::getrlimit(RLIMIT_NOFILE, &before_);
        const int lowest = ::fcntl(0, F_DUPFD_CLOEXEC, 0);
        ::close(lowest);
        const rlimit none{.rlim_cur = static_cast<rlim_t>(lowest), .rlim_max = before_.rlim_max};
        ::setrlimit(RLIMIT_NOFILE, &none);
    }

    void free_descriptors() override { ::setrlimit(RLIMIT_NOFILE, &before_); }

private:
    rlimit before_{};
};

} // namespace

int main()
{
    real_system system;
    std::array<char, 32> folder{"/tmp/vk-parity-XXXXXX"};
    if (::mkdtemp(folder.data()) == nullptr) {
        std::perror("mkdtemp");
        return 1;
    }
    const std::string record = vk::sim::run_parity(system, std::string{folder.data()} + "/socket");
    ::rmdir(folder.data());
    std::fputs(record.c_str(), stdout);
    return 0;
}
