"""What it costs to relay a stream from one connection to another: by reads and writes, and by splice(2) through a pipe.

Usage: relay_cost.py. Prints MB/s and the relay's own seconds of CPU for each GiB, the best of three, for reads of 16 KiB
(a block) and 64 KiB (a dispatch's budget) and for pipes of those sizes and of 1 MiB. What docs/architecture.md says of
splices between connections rests on it; it judges nothing.
"""

import fcntl
import os
import resource
import select
import socket
import time

TOTAL = 1 << 30
PIECE = bytes(1 << 16)
NONBLOCK = os.SPLICE_F_MOVE | os.SPLICE_F_NONBLOCK
WAYS = [("copied", 16), ("copied", 64), ("spliced", 16), ("spliced", 64), ("spliced", 1024)]


def tcp_pair():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        near = socket.create_connection(listener.getsockname())
        return near, listener.accept()[0]


def in_child(work, *closed):
    """Run `work` in a child; these sockets are not its own."""
    pid = os.fork()
    if pid == 0:
        for one in closed:
            one.close()
        work()
        os._exit(0)
    return pid


def feed(to):
    for _ in range(TOTAL // len(PIECE)):
        to.sendall(PIECE)


def drain(source):
    into = bytearray(1 << 16)
    while source.recv_into(into):
        pass


def when_ready(call, fd, event):
    """Repeat a call that does not block until it has something; wait for `event` of `fd` between."""
    while True:
        try:
            return call()
        except BlockingIOError:
            waits = select.poll()
            waits.register(fd, event)
            waits.poll()


def copy(source, to, size):
    into = memoryview(bytearray(size))
    while count := when_ready(lambda: source.recv_into(into), source, select.POLLIN):
        left = into[:count]
        while left:
            left = left[when_ready(lambda: to.send(left), to, select.POLLOUT) :]


def splice(source, to, size):
    out, into = os.pipe()
    fcntl.fcntl(into, fcntl.F_SETPIPE_SZ, size)
    move = lambda a, b, most: os.splice(a, b, most, flags=NONBLOCK)
    while left := when_ready(lambda: move(source.fileno(), into, size), source, select.POLLIN):
        while left:
            left -= when_ready(lambda: move(out, to.fileno(), left), to, select.POLLOUT)
    os.close(out)
    os.close(into)


def measure(pair, relay, size):
    """MB/s, and seconds of CPU of this OS process."""
    before, source = pair()
    to, behind = pair()
    began, spent = time.monotonic(), resource.getrusage(resource.RUSAGE_SELF)
    children = [
        in_child(lambda: feed(before), source, to, behind),
        in_child(lambda: drain(behind), source, to, before),
    ]
    before.close()
    behind.close()
    source.setblocking(False)
    to.setblocking(False)
    relay(source, to, size)
    source.close()
    to.close()
    for child in children:
        os.waitpid(child, 0)
    now = resource.getrusage(resource.RUSAGE_SELF)
    cpu = now.ru_utime + now.ru_stime - spent.ru_utime - spent.ru_stime
    return TOTAL / 1e6 / (time.monotonic() - began), cpu


def main():
    for kind, pair in (("tcp", tcp_pair), ("unix", socket.socketpair)):
        for way, kib in WAYS:
            relay = copy if way == "copied" else splice
            runs = [measure(pair, relay, kib * 1024) for _ in range(3)]
            rate, cpu = max(run[0] for run in runs), min(run[1] for run in runs)
            print(f"{kind:5}{way:8}{kib:5} KiB {rate:7.0f} MB/s {cpu:6.2f} s", flush=True)


if __name__ == "__main__":
    main()
