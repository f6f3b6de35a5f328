"""What an exchange costs in system calls, exactly, on the poller that is tested.

Each exchange is made with a server that is at rest, so that nothing is shared between two of them: what many of them
share under load shows in counting.py and vk-bench syscalls. docs/pollers.md has the table.
"""

import contextlib
import signal
import time
import unittest

from server import KIB, POLLER, ServerCase, main, wait_until

_LONG = b"." * 3999 + b"\n"
_FEW, _MANY = 5, 105
_NAMES = ("reads", "writes", "waits", "registrations", "eagain")

# In the order of _NAMES. A new connection is looked at by a read and an accept that are in vain; how many waits it
# takes depends on what comes between, so that none are given.
_LINE, _PARTS, _LINES = "a line", "a line in two segments", "16 lines"
_HALF = "a line and a half-close at once, on a new connection"
_UPLOAD, _DOWNLOAD = "16 long lines at once", "256 kB to a client that reads 4 KiB at a time"
_CONNECTION, _NOTHING = "a connection, a line, its end", "nothing for a while"
# Where the poller is told at each block.
_EACH_BLOCK = {
    _LINE: (1, 1, 1, 1, 0),
    _PARTS: (2, 1, 2, 2, 0),
    _LINES: (1, 1, 1, 1, 0),
    _CONNECTION: (3, 1, None, 3, 2),
    _HALF: (2, 1, None, 2, 1),
    _UPLOAD: (4, 4, None, 1, 0),
}
_EXPECTED = {
    "epoll": {
        _LINE: (1, 1, 1, 0, 0),
        _PARTS: (2, 1, 2, 0, 0),
        _LINES: (1, 1, 1, 0, 0),
        _CONNECTION: (3, 1, None, 1, 2),
        _HALF: (2, 1, None, 1, 1),
        _UPLOAD: (4, 4, None, 0, 0),
    },
    "epoll-oneshot": _EACH_BLOCK,
    "poll": _EACH_BLOCK,
    "aio": _EACH_BLOCK,
    "uring-poll": _EACH_BLOCK,
    "uring": {
        _LINE: (0, 0, 1, 0, 0),
        _PARTS: (0, 0, 2, 0, 0),
        _LINES: (0, 0, 1, 0, 0),
        _CONNECTION: (1, 0, None, 2, 2), # a receive, and a poll beside it
        _HALF: (1, 1, None, 2, 1),
        _UPLOAD: (0, None, None, 0, 0),
    },
}


@unittest.skipIf(POLLER not in _EXPECTED, "what it costs is not known")
class Exchanges(ServerCase):
    def count(self, exchange, times):
        server = self.serve()
        with server.connect() as client:
            client.exchange(b"hello\n")
            self.rest(server)
            for _ in range(times):
                exchange(server, client)
                self.rest(server)
        return server.stop()

    @contextlib.contextmanager
    def stopped(self, server):
        """What clients do meanwhile, the server finds all at once."""
        server.send_signal(signal.SIGSTOP)
        wait_until(lambda: server.status()["State"].startswith("T"), what="the stop")
        yield
        server.send_signal(signal.SIGCONT)

    def costs(self, name, exchange):
        few, many = self.count(exchange, _FEW), self.count(exchange, _MANY)
        cost = {one: (many[one] - few[one]) / (_MANY - _FEW) for one in _NAMES}
        print(f"{POLLER}: {name}: " + ", ".join(f"{cost[one]:g} {one}" for one in _NAMES))
        return cost

    def check(self, name, exchange):
        cost = self.costs(name, exchange)
        for one, calls in zip(_NAMES, _EXPECTED[POLLER].get(name, (0,) * len(_NAMES))):
            if calls is not None:  # what is timed otherwise now and then is not held against it
                self.assertAlmostEqual(cost[one], calls, delta=0.1, msg=one)

    def test_a_line(self):
        self.check(_LINE, lambda _, client: client.exchange(b"hello\n"))

    def test_a_line_in_two_segments(self):
        def exchange(server, client):
            client.send(b"hel")
            time.sleep(0.005)
            self.rest(server)
            client.exchange(b"lo\n")

        self.check(_PARTS, exchange)

    def test_16_lines(self):
        self.check(_LINES, lambda _, client: client.exchange(b"hello\n" * 16))

    def test_a_connection(self):
        def exchange(server, _):
            with server.connect() as client:
                time.sleep(0.005)
                self.rest(server)
                client.exchange(b"hello\n")
                self.rest(server)
                client.finish()
                client.read_to_end()

        self.check(_CONNECTION, exchange)

    def test_a_half_close(self):
        def exchange(server, _):
            with self.stopped(server):
                client = server.connect()
                client.send(b"hello\n")
                client.finish()
            client.read_to_end()
            client.close()

        self.check(_HALF, exchange)

    def test_an_upload(self):
        def exchange(server, client):
            with self.stopped(server):
                client.send(_LONG * 16)
            client.read()

        self.check(_UPLOAD, exchange)

    def test_a_slow_download(self):
        def exchange(server, _):
            with server.connect(receive_buffer=4 * KIB) as client:
                with self.stopped(server):
                    client.send(_LONG * 64)
                while client.due:
                    client.read_some(4 * KIB)
                    self.rest(server)
                client.finish()
                client.read_to_end()

        # How much the system takes at once is its own affair.
        cost = self.costs(_DOWNLOAD, exchange)
        self.assertLessEqual(cost["reads"], 64 * len(_LONG) / (12 * KIB))
        self.assertLessEqual(cost["writes"], 64 * len(_LONG) / (12 * KIB))
        self.assertLessEqual(cost["eagain"], 2.1)  # as with every new connection

    def test_nothing(self):
        self.check(_NOTHING, lambda *_: time.sleep(0.01))


if __name__ == "__main__":
    main()
