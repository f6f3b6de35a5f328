"""Kills of workers under load: what the tests of restarts have in common."""

import multiprocessing
import os
import selectors
import signal
import time

from client import open_socket
from server import ServerCase, wait_until

WELL_S = 0.7  # a worker that served for so long is restarted at once (limits::restart_well_ms)
LINE = b"." * 63 + b"\n"


class Background:
    """A function that runs in a process of its own until it is told to end, and what it returned."""

    def __init__(self, function, *arguments):
        context = multiprocessing.get_context("fork")
        self._ours, theirs = context.Pipe()
        self._process = context.Process(target=self._run, args=(theirs, function, arguments),
                                        daemon=True)
        self._process.start()
        theirs.close()

    @staticmethod
    def _run(pipe, function, arguments):
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.setitimer(signal.ITIMER_REAL, 100)
        pipe.send(function(*arguments, lambda: pipe.poll()))

    def result(self, within=20):
        self._ours.send("enough")
        if not self._ours.poll(within):
            raise AssertionError("what runs in the background does not end")
        result = self._ours.recv()
        self.end()
        return result

    def end(self):
        if self._process.is_alive():
            self._process.kill()
        self._process.join()


def connect_over_and_over(address, enough):
    """One connection after another, a line on each. Counts how they went, by name."""
    went = {"answered": 0}
    while not enough():
        try:
            made = open_socket(address, timeout=10)
        except OSError as e:
            how = f"not connected: {e}"
        else:
            with made:
                try:
                    made.sendall(b"hello\n")
                    said = made.recv(100)
                    how = "answered" if said == b"Line 0: hello\n" else f"said {said}"
                    if not said:
                        how = "died"
                except ConnectionError:
                    how = "died"
                except OSError as e:
                    how = f"not answered: {e}"
        went[how] = went.get(how, 0) + 1
    return went


class Load:
    """Connections that exchange lines without a pause, each replaced when it ends."""

    def __init__(self, address, count):
        self._address = address
        self._ready = selectors.DefaultSelector()
        self.went = {"lines": 0, "refused": 0, "lost": 0}
        for _ in range(count):
            self._open()

    def _open(self):
        try:
            made = open_socket(self._address, timeout=10)
            made.sendall(LINE)
        except ConnectionRefusedError:
            self.went["refused"] += 1
            time.sleep(0.01)
            return self._open()
        except ConnectionError:
            return self._lose(made)
        self._ready.register(made, selectors.EVENT_READ)
        return None

    def _lose(self, made):
        made.close()
        self.went["lost"] += 1
        self._open()

    def _exchange(self, made):
        try:
            said = made.recv(1 << 16)
            if said:
                if said.endswith(b"\n"):
                    self.went["lines"] += 1
                    made.sendall(LINE)
                return
        except ConnectionError:
            pass
        self._ready.unregister(made)
        self._lose(made)

    def run(self, enough):
        while not enough():
            for key, _ in self._ready.select(0.1):
                self._exchange(key.fileobj)
        return self.went


def load(address, count, enough):
    return Load(address, count).run(enough)


class KillsCase(ServerCase):
    """A test case that kills workers."""

    limit_s = 100

    def crew(self, size, *options, **how):
        """A server of `size` workers under a parent."""
        server = self.serve("--workers", str(size), "--supervise", *options, **how)
        self.assertEqual(len(server.children()), size)
        server.size = size
        return server

    def background(self, function, *arguments):
        made = Background(function, *arguments)
        self.addCleanup(made.end)
        return made

    def replaced(self, server, pid):
        """Wait until another worker runs in the place of `pid`."""
        wait_until(lambda: pid not in server.children() and len(server.children()) == server.size,
                   what=f"another worker for {pid}")

    def back_after(self, server, pid, clients=16):
        """Kill `pid`; seconds until connections opened right then are answered, all of them.

        So many that one at least is for the worker that was killed, however many there are.
        """
        killed = time.monotonic()
        os.kill(pid, signal.SIGKILL)
        opened = [open_socket(server.address) for _ in range(clients)]
        for one in opened:
            one.sendall(b"hello\n")
        lost = 0
        for one in opened:
            with one:
                try:
                    said = one.recv(100)
                except ConnectionError:
                    said = b""
                self.assertIn(said, (b"Line 0: hello\n", b""))
                lost += not said
        # A signal takes a moment to arrive: what the dying worker accepted meanwhile died with it.
        self.assertLess(lost, clients)
        return time.monotonic() - killed

    def kill_in_turn(self, server, kills):
        """Kill a worker that has served for a while, so many times: how long each was away."""
        spans = []
        for _ in range(kills):
            time.sleep(WELL_S / server.size)
            eldest = server.children()[0]
            spans.append(self.back_after(server, eldest))
            self.replaced(server, eldest)
        return spans
