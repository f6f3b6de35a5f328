#pragma once

// A stand-in for kqueue(2), for systems without it: as much of its interface as the driver needs, made of epoll. It does what
// the manual of FreeBSD says, as far as we read it; what the BSDs do, only they show.

#include <cstdint>
#include <ctime>

extern "C" {

struct kevent {
    std::uintptr_t ident;
    short filter;
    unsigned short flags;
    unsigned fflags;
    std::int64_t data;
    void* udata;
};

int kqueue();
int kevent(int queue, const struct kevent* changes, int count, struct kevent* events, int room,
           const timespec* timeout);
}

#define EVFILT_READ (-1)
#define EVFILT_WRITE (-2)
#define EV_ADD 0x0001
#define EV_DELETE 0x0002
#define EV_ONESHOT 0x0010
#define EV_CLEAR 0x0020
#define EV_ERROR 0x4000
#define EV_EOF 0x8000
