"""What an exchange costs in system calls, exactly, on the poller that is tested.

Each exchange is made with a server that is at rest, so that nothing is shared between two of them: what many of them
share under load shows in counting.py and vk-bench syscalls. docs/pollers.md has the table.
"""

import time

from server import POLLER, ServerCase, main

_FEW, _MANY = 5, 105
_NAMES = ("reads", "writes", "waits", "registrations", "eagain")

# In the order of _NAMES. A new connection is looked at by a read and an accept that are in vain; how many waits it
# takes depends on what comes between, so that none are given.
_LINE, _PARTS, _LINES = "a line", "a line in two segments", "16 lines"
_CONNECTION, _NOTHING = "a connection, a line, its end", "nothing for a while"
_EXPECTED = {
    "epoll": {
        _LINE: (1, 1, 1, 0, 0),
        _PARTS: (2, 1, 2, 0, 0),
        _LINES: (1, 1, 1, 0, 0),
        _CONNECTION: (3, 1, None, 1, 2),
    },
    "epoll-oneshot": {
        _LINE: (1, 1, 1, 1, 0),
        _PARTS: (2, 1, 2, 2, 0),
        _LINES: (1, 1, 1, 1, 0),
        _CONNECTION: (3, 1, None, 3, 2),
    },
    "poll": {
        _LINE: (1, 1, 1, 1, 0),
        _PARTS: (2, 1, 2, 2, 0),
        _LINES: (1, 1, 1, 1, 0),
        _CONNECTION: (3, 1, None, 3, 2),
    },
    "aio": {
        _LINE: (1, 1, 1, 1, 0),
        _PARTS: (2, 1, 2, 2, 0),
        _LINES: (1, 1, 1, 1, 0),
        _CONNECTION: (3, 1, None, 4, 2),
    },
    "uring": {
        _LINE: (0, 0, 1, 0, 0),
        _PARTS: (0, 0, 2, 0, 0),
        _LINES: (0, 0, 1, 0, 0),
        _CONNECTION: (1, 0, None, 1, 2),
    },
    "uring-poll": {
        _LINE: (1, 1, 1, 1, 0),
        _PARTS: (2, 1, 2, 2, 0),
        _LINES: (1, 1, 1, 1, 0),
        _CONNECTION: (3, 1, None, 3, 2),
    },
}


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

    def costs(self, name, exchange):
        few, many = self.count(exchange, _FEW), self.count(exchange, _MANY)
        cost = {one: (many[one] - few[one]) / (_MANY - _FEW) for one in _NAMES}
        print(f"{POLLER}: {name}: " + ", ".join(f"{cost[one]:g} {one}" for one in _NAMES))
        expected = _EXPECTED.get(POLLER, {}).get(name, (0,) * len(_NAMES))
        for one, calls in zip(_NAMES, expected):
            if calls is not None:  # what is timed otherwise now and then is not held against it
                self.assertAlmostEqual(cost[one], calls, delta=0.1, msg=one)

    def test_a_line(self):
        self.costs(_LINE, lambda _, client: client.exchange(b"hello\n"))

    def test_a_line_in_two_segments(self):
        def exchange(server, client):
            client.send(b"hel")
            time.sleep(0.005)
            self.rest(server)
            client.exchange(b"lo\n")

        self.costs(_PARTS, exchange)

    def test_16_lines(self):
        self.costs(_LINES, lambda _, client: client.exchange(b"hello\n" * 16))

    def test_a_connection(self):
        def exchange(server, _):
            with server.connect() as client:
                time.sleep(0.005)
                self.rest(server)
                client.exchange(b"hello\n")
                self.rest(server)
                client.finish()
                client.read_to_end()

        self.costs(_CONNECTION, exchange)

    def test_nothing(self):
        self.costs(_NOTHING, lambda *_: time.sleep(0.01))


if __name__ == "__main__":
    main()
