// The oldest baseline: a thread a connection, blocking reads and writes, 64 KiB stacks.

#include "bench/contestant.hpp"
#include "bench/listener.hpp"

#include <cstdint>

#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

namespace vk::bench {

namespace {

constexpr std::size_t stack_bytes = 64 * 1024;

bool write_all(int fd, const char* from, std::size_t bytes)
{
    while (bytes > 0) {
        const ssize_t put = ::write(fd, from, bytes);
        if (put <= 0)
            return false;
        from += put;
        bytes -= static_cast<std::size_t>(put);
    }
    return true;
}

void* echo(void* argument)
{
    const int fd = static_cast<int>(reinterpret_cast<std::intptr_t>(argument));
    char buffer[2048];
    for (;;) {
        const ssize_t got = ::read(fd, buffer, sizeof buffer);
        if (got <= 0 || !write_all(fd, buffer, static_cast<std::size_t>(got)))
            break;
    }
    ::close(fd);
    return nullptr;
}

} // namespace

int echo_threads(const arguments& options)
{
    refuse(options);
    const int listener = listen_on_loopback(0);
    pthread_attr_t attributes;
    ::pthread_attr_init(&attributes);
    ::pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    ::pthread_attr_setstacksize(&attributes, stack_bytes);
    for (;;) {
        const int fd = ::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
        if (fd < 0)
            continue;
        no_delay(fd);
        pthread_t thread{};
        auto* argument = reinterpret_cast<void*>(static_cast<std::intptr_t>(fd));
        if (::pthread_create(&thread, &attributes, echo, argument) != 0)
            ::close(fd);
    }
}

} // namespace vk::bench
