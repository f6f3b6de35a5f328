"""What an exchange costs in system calls, beside nginx, Asio and a responder by hand, as strace counts them.

The paths of vk-http and vk-bench are its arguments. As in exchanges.py each exchange is made with a server
that is at rest, so that nothing is shared between two of them. docs/pollers.md has the table.
"""

import collections
import os
import selectors
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path

from client import open_socket

VK_HTTP = VK_BENCH = None

_REQUEST = b"GET /plaintext HTTP/1.1\r\nHost: localhost\r\n\r\n"
_BODY = b"Hello, World!"
_FEW, _MANY = 2, 42
_PAUSE_S = 0.01  # until the server is at rest

_KINDS = {
    "read": {"read", "readv", "recvfrom", "recvmsg"},
    "write": {"write", "writev", "sendto", "sendmsg"},
    "wait": {"epoll_wait", "epoll_pwait", "epoll_pwait2", "poll", "ppoll", "io_getevents", "io_uring_enter"},
    "registration": {"epoll_ctl", "io_submit"},
}


def _receive(client, answers):
    """Read until so many answers have come."""
    got = b""
    while got.count(_BODY) < answers:
        some = client.recv(65536)
        assert some, got
        got += some


class Traced:
    """A server under strace, from its start to its end, and a connection to it."""

    def __init__(self, *command):
        self._file = tempfile.NamedTemporaryFile(prefix="vk-strace-")
        self._process = subprocess.Popen(
            ["strace", "-f", "-c", "-U", "calls,errors,name", "-o", self._file.name, *map(str, command)],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, start_new_session=True)
        try:
            with selectors.DefaultSelector() as ready:
                ready.register(self._process.stdout, selectors.EVENT_READ)
                assert ready.select(20), f"{command} does not say that it listens"
            said = self._process.stdout.readline().decode()
            self.address = said.partition("listening on ")[2].strip()
            assert self.address, f"{command} does not say that it listens: {said}"
        except BaseException:
            self.kill()
            raise

    def connect(self):
        return open_socket(self.address)

    def kill(self):
        try:
            os.killpg(self._process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self._process.wait()
        self._process.stdout.close()

    def calls(self):
        """End it. Returns how often each system call was made."""
        try:
            # To the servers, of which strace, their parent, waits.
            for pid in self._children(self._process.pid):
                os.kill(pid, signal.SIGTERM)
            self._process.wait(20)
        finally:
            self.kill()
        made = collections.Counter()
        for line in Path(self._file.name).read_text().splitlines():
            fields = line.split()
            if fields and fields[0].isdigit() and fields[-1] != "total":
                made[fields[-1]] += int(fields[0])
        return made

    @staticmethod
    def _children(pid):
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _a_request(_, client):
    client.sendall(_REQUEST)
    _receive(client, 1)


def _a_request_in_two_segments(_, client):
    client.sendall(_REQUEST[:20])
    time.sleep(_PAUSE_S)
    client.sendall(_REQUEST[20:])
    _receive(client, 1)


def _16_requests(_, client):
    client.sendall(_REQUEST * 16)
    _receive(client, 16)


def _a_connection(server, _):
    with server.connect() as client:
        time.sleep(_PAUSE_S)
        _a_request(server, client)
        time.sleep(_PAUSE_S)
    time.sleep(_PAUSE_S)


def _a_half_close(server, _):
    with server.connect() as client:
        client.sendall(_REQUEST)
        client.shutdown(socket.SHUT_WR)
        _receive(client, 1)
        client.recv(1)


def _nothing(*_):
    time.sleep(0.05)


_EXCHANGES = {
    "a request": _a_request,
    "a request in two segments": _a_request_in_two_segments,
    "16 requests at once": _16_requests,
    "a new connection, a request, its end": _a_connection,
    "a new connection, a request and a half-close at once": _a_half_close,
    "nothing for a while": _nothing,
}


# What costs the same however busy the machine is.
_COMPARED = {"a request", "16 requests at once", "nothing for a while"}


def needed(cost):
    """Without what starting a server costs, which differs from one start to the next."""
    return sum(cost[kind] for kind in _KINDS)


class PeerExchanges(unittest.TestCase):
    limit_s = 100

    def setUp(self):
        signal.alarm(self.limit_s)
        self.addCleanup(signal.alarm, 0)
        room = tempfile.TemporaryDirectory(prefix="vk-exchanges-")
        self.addCleanup(room.cleanup)
        self.room = room.name
        if not self._can_trace():
            self.skipTest("no strace, or it is not allowed")

    def _can_trace(self):
        return shutil.which("strace") and subprocess.run(
            ["strace", "-c", "-o", "/dev/null", "true"], stderr=subprocess.DEVNULL, check=False).returncode == 0

    def servers(self):
        def serve(*command):
            return [VK_BENCH, "serve", "--protocol", "http", *command]

        found = {f"vk {poller}": [VK_HTTP, "--listen", "127.0.0.1:0", "--poller", poller] for poller in ("epoll", "uring")}
        found |= {"epoll by hand": serve("epoll"), "Asio": serve("asio")}
        if shutil.which("nginx"):
            found["nginx"] = serve("nginx", "--folder", self.room)
        return found

    def made(self, command, exchange, times):
        server = Traced(*command)
        try:
            with server.connect() as client:
                _a_request(server, client)
                for _ in range(times):
                    time.sleep(_PAUSE_S)
                    exchange(server, client)
                time.sleep(_PAUSE_S)
            return server.calls()
        finally:
            server.kill()

    def cost(self, command, exchange):
        """System calls of one exchange, by kind."""
        few, many = self.made(command, exchange, _FEW), self.made(command, exchange, _MANY)
        by_kind = collections.Counter()
        for name in few | many:
            kind = next((kind for kind, names in _KINDS.items() if name in names), "other")
            by_kind[kind] += (many[name] - few[name]) / (_MANY - _FEW)
        return by_kind

    def test_on_a_connection_that_is_kept_no_exchange_costs_more_than_with_the_peers(self):
        for name, exchange in _EXCHANGES.items():
            costs = {server: self.cost(command, exchange) for server, command in self.servers().items()}
            for server, cost in costs.items():
                parts = ", ".join(f"{round(cost[kind], 1):g}" for kind in [*_KINDS, "other"])
                print(f"{name} | {server} | {round(cost.total(), 1):g} ({parts})", flush=True)
            if name not in _COMPARED:
                continue
            for server in ("vk epoll", "vk uring"):
                for peer in costs.keys() - {"vk epoll", "vk uring", "epoll by hand"}:
                    self.assertLessEqual(needed(costs[server]), needed(costs[peer]) + 0.5, (name, server, peer))


if __name__ == "__main__":
    VK_HTTP, VK_BENCH = (os.path.abspath(sys.argv.pop(1)) for _ in range(2))
    unittest.main()
