#pragma once

// thread_server: the oldest baseline: a thread a connection, blocking reads and writes, 64 KiB
// stacks. Its replies must know that they run on many threads.

#include "bench/blocking_connection.hpp"
#include "bench/listener.hpp"

#include <cstddef>
#include <cstdint>

#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

namespace vk::bench {

template <class Reply>
class thread_server {
public:
    thread_server() : listener_(listen_on_loopback(0))
    {
        ::pthread_attr_init(&attributes_);
        ::pthread_attr_setdetachstate(&attributes_, PTHREAD_CREATE_DETACHED);
        ::pthread_attr_setstacksize(&attributes_, stack_bytes);
    }

    [[noreturn]] void run()
    {
        for (;;) {
            const int fd = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
            if (fd < 0)
                continue;
            no_delay(fd);
            pthread_t thread{};
            auto* argument = reinterpret_cast<void*>(static_cast<std::intptr_t>(fd));
            if (::pthread_create(&thread, &attributes_, serve, argument) != 0)
                ::close(fd);
        }
    }

private:
    static constexpr std::size_t stack_bytes = 64 * 1024;

    static void* serve(void* argument)
    {
        serve_connection<Reply>(static_cast<int>(reinterpret_cast<std::intptr_t>(argument)));
        return nullptr;
    }

    int listener_;
    pthread_attr_t attributes_{};
};

} // namespace vk::bench
