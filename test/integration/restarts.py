"""Workers that die: each is replaced by its parent, and the port never refuses.

A connection that a worker had accepted dies with it. One that it had not waits in the backlog, which the
parent keeps, and is accepted by the next worker.
"""

import multiprocessing
import os
import selectors
import signal
import socket
import statistics
import tempfile
import time
from pathlib import Path

from client import Client, open_socket
from server import ServerCase, is_sanitized, main, wait_until

WELL_S = 0.7  # a worker that served for so long is restarted at once (limits::restart_well_ms)
BACK_S = 0.1  # in which one is to be back
LINE = b"." * 63 + b"\n"


def is_alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


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


class Restarts(ServerCase):
    limit_s = 100

    def crew(self, size, *options, **how):
        """A server of `size` workers under a parent."""
        server = self.serve("--workers", str(size), "--supervise", *options, **how)
        self.assertEqual(len(server.children()), size)
        return server

    def background(self, function, *arguments):
        made = Background(function, *arguments)
        self.addCleanup(made.end)
        return made

    def kill(self, pid, number=signal.SIGKILL):
        os.kill(pid, number)
        return time.monotonic()

    def replaced(self, server, pid):
        """Wait until another worker runs in the place of `pid`."""
        count = self.size_of(server)
        wait_until(lambda: pid not in server.children() and len(server.children()) == count,
                   what=f"another worker for {pid}")

    def size_of(self, server):
        return int(server.options[server.options.index("--workers") + 1])

    def serve(self, *options, **how):
        server = super().serve(*options, **how)
        server.options = options
        return server

    def back_after(self, server, pid, clients=16):
        """Kill `pid`; seconds until connections opened right then are answered, all of them.

        So many that one at least is for the worker that was killed, however many there are.
        """
        killed = self.kill(pid)
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

    # --- the port

    def is_back_under_load(self, size, kills):
        server = self.crew(size)
        loading = self.background(load, server.address, 32)
        calling = self.background(connect_over_and_over, server.address)
        spans = []
        for number in range(kills):
            time.sleep(WELL_S / size)
            pid = server.children()[0]  # the eldest
            spans.append(self.back_after(server, pid))
            self.replaced(server, pid)
        called, loaded = calling.result(), loading.result()
        count = server.stop()

        ms = sorted(1000 * span for span in spans)
        print(f"\n    {size} supervised, {kills} kills under load: back after "
              f"{statistics.median(ms):.1f} ms (least {ms[0]:.1f}, most {ms[-1]:.1f}); "
              f"{called['answered']} connections one after another, {called.get('died', 0)} died "
              f"with a worker; {loaded['lines']} lines beside", flush=True)
        self.assertEqual(set(called) - {"answered", "died"}, set(), called)
        self.assertLessEqual(called.get("died", 0), kills)  # it has one at a time
        self.assertGreater(called["answered"], kills)
        self.assertEqual(loaded["refused"], 0)
        self.assertGreaterEqual(loaded["lost"], kills)  # they did die: it was under load
        self.assertGreater(loaded["lines"], 10 * kills)
        self.assertEqual(count["restarts"], kills)
        self.assertEqual(server.log().count("was ended by signal 9"), kills)
        self.assertLess(statistics.median(ms), 1000 * BACK_S * (5 if is_sanitized() else 1))

    def test_one_worker_is_back_and_the_port_never_refuses(self):
        self.is_back_under_load(size=1, kills=9)

    def test_two_workers_are_back_and_the_port_never_refuses_in_20_kills(self):
        self.is_back_under_load(size=2, kills=20)

    def waits_in_the_backlog(self, server):
        """Connections that are surely not accepted outlive the workers that did not accept them."""
        workers = server.children()
        accepted = self.connect(server)
        accepted.exchange(b"hello\n")
        for pid in workers:
            os.kill(pid, signal.SIGSTOP)
        waiting = [self.connect(server) for _ in range(64)]
        for client in waiting[:32]:
            client.send(b"before\n")
        for pid in workers:
            self.kill(pid)
        for client in waiting[32:]:
            client.send(b"after\n")
        for client in waiting:
            client.read()
            client.exchange(b"more\n")
        self.assertTrue(accepted.has_ended())
        count = server.stop()
        self.assertEqual(count["restarts"], len(workers))

    def test_what_was_not_accepted_is_accepted_by_the_next(self):
        for size in (1, 3):
            with self.subTest(size):
                self.waits_in_the_backlog(self.crew(size))

    def test_so_is_what_waits_at_a_unix_socket(self):
        with tempfile.TemporaryDirectory(prefix="vk-unix-") as room:
            for size in (1, 3):
                with self.subTest(size):
                    path = Path(room, "echo.sock")
                    self.waits_in_the_backlog(self.crew(size, listen=[f"unix:{path}"]))
                    self.assertFalse(path.exists())

    def test_a_worker_keeps_the_sockets_of_others_no_longer_than_it_starts(self):
        server = self.crew(3)
        inodes = [self.listening(pid) for pid in server.children()]
        self.assertEqual([len(each) for each in inodes], [1, 1, 1])
        self.assertEqual(len(set().union(*inodes)), 3)
        self.assertEqual(self.listening(server.pid), set().union(*inodes))
        killed = server.children()[1]
        self.kill(killed)
        self.replaced(server, killed)
        wait_until(lambda: sorted(map(sorted, inodes)) ==
                   sorted(sorted(self.listening(pid)) for pid in server.children()),
                   what="the same sockets")
        server.stop()

    def listening(self, pid):
        """The inodes of the listening TCP sockets that `pid` has open."""
        rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
        listening = {row[9] for row in rows if row[3] == "0A"}
        found = set()
        for fd in Path(f"/proc/{pid}/fd").iterdir():
            try:
                target = os.readlink(fd)
            except FileNotFoundError:
                continue
            if target.startswith("socket:["):
                found.add(target[8:-1])
        return found & listening

    # --- who is restarted, and how often

    def test_any_death_is_mended_and_said(self):
        for number in (signal.SIGKILL, signal.SIGSEGV, signal.SIGABRT, signal.SIGBUS):
            with self.subTest(number.name):
                server = self.crew(1)
                pid = server.children()[0]
                client = self.connect(server)
                client.exchange(b"hello\n")
                self.kill(pid, number)
                with self.connect(server) as next_one:
                    next_one.exchange(b"hello\n")
                self.assertTrue(client.has_ended())
                count = server.stop()
                if not is_sanitized():  # which makes an exit of it
                    self.assertRegex(server.log(),
                                     rf"worker 0 \({pid}\) was ended by signal {int(number)} "
                                     r"\(.*\); it is restarted at once")
                self.assertRegex(server.log(), r"worker 0 serves again, as \d+, after [\d.]+ ms")
                self.assertEqual(count["restarts"], 1)

    def test_a_worker_that_dies_soon_again_waits_before_it_is_back(self):
        server = self.crew(1)
        pids = []
        for _ in range(4):
            with self.connect(server) as client:
                client.exchange(b"hello\n")  # it serves
            pids += server.children()
            self.kill(pids[-1])
            self.replaced(server, pids[-1])
        with self.connect(server) as client:
            client.exchange(b"hello\n")
        server.stop()
        for pid, when in zip(pids, ("at once", "in 50 ms", "in 100 ms", "in 200 ms")):
            self.assertRegex(server.log(), rf"\({pid}\) was ended by .*; it is restarted {when}\n")

    def test_what_a_killed_worker_counted_is_kept(self):
        server = self.crew(2)
        for _ in range(3):
            for _ in range(20):
                with server.connect() as client:
                    for _ in range(5):
                        client.exchange(b"123456789\n")
                    client.finish()
                    client.read_to_end()
            time.sleep(WELL_S)  # a kernel leaves its counters before it waits
            for pid in server.children():
                self.kill(pid)
                self.replaced(server, pid)
        count = server.stop()
        self.assertEqual(count["restarts"], 6)
        self.assertEqual(count["accepts"], 60)
        self.assertEqual(count["bytes_in"], 60 * 50)

    # --- the end

    def test_a_signal_while_a_worker_waits_to_be_restarted_ends_all(self):
        for number in (signal.SIGTERM, signal.SIGINT):
            with self.subTest(number.name):
                server = self.crew(2)
                killed = []
                for _ in range(6):  # the next one waits for long
                    wait_until(lambda: len(server.children()) == 2, what="two workers")
                    killed.append(next(pid for pid in reversed(server.children())
                                       if pid != server.children()[0]))
                    self.kill(killed[-1])
                    wait_until(lambda: killed[-1] not in server.children(), what="its end")
                self.assertEqual(len(server.children()), 1)
                survivor = self.connect_to_survivor(server)
                server.stop(number, within=5)
                self.assertTrue(survivor.has_ended())

    def connect_to_survivor(self, server):
        """A client of the only worker there is: others wait for the next."""
        for _ in range(200):
            client = self.connect(server, timeout=0.2)
            client.send(b"hello\n")
            try:
                client.read()
                return client
            except TimeoutError:
                continue
        raise AssertionError("nobody serves")

    def test_the_port_refuses_while_the_server_drains(self):
        for size in (1, 2):
            with self.subTest(size):
                server = self.crew(size, "--drain", "20")
                clients = [self.connect(server, receive_buffer=4096) for _ in range(16)]
                for client in clients:
                    client.send_what_fits((b"." * 150 + b"\n") * 1000, patience=0.05)
                server.send_signal(signal.SIGTERM)
                wait_until(lambda: not self.accepts(server), what="the port's end")
                self.assertTrue(server.running)
                for client in clients:
                    client.reset()
                server.ended()

    def accepts(self, server):
        try:
            open_socket(server.address).close()
            return True
        except ConnectionError:
            return False

    def test_a_worker_that_drains_alone_does_not_spin_and_is_replaced(self):
        # Its listening socket lives on in its parent, and gets connections that are for the next one.
        server = self.crew(1, "--drain", "20")
        pid = server.children()[0]
        client = self.connect(server, receive_buffer=4096)
        client.send_what_fits((b"." * 150 + b"\n") * 1000, patience=0.1)
        os.kill(pid, signal.SIGTERM)
        wait_until(lambda: not self.listening(pid), what="the end of its listener")
        waiting = [self.connect(server) for _ in range(8)]
        for one in waiting:
            one.send(b"hello\n")
        self.does_not_spin_itself(pid)
        client.reset()
        for one in waiting:
            one.read()
        count = server.stop()
        self.assertEqual(count["restarts"], 1)
        self.assertRegex(server.log(), rf"worker 0 \({pid}\) ended early; it is restarted at once")

    def does_not_spin_itself(self, pid, span=0.5):
        def used():
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
            return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

        before = used()
        time.sleep(span)
        self.assertLess(used() - before, 0.2 * span)

    def test_no_restarted_worker_outlives_a_killed_parent(self):
        server = self.crew(2)
        first = server.children()
        self.kill(first[0])
        self.replaced(server, first[0])
        workers = server.children()
        os.kill(server.pid, signal.SIGKILL)
        server.wait()
        wait_until(lambda: not any(map(is_alive, workers)), what="the end of the workers")
        with self.assertRaises(ConnectionRefusedError):
            open_socket(server.address)

    def test_a_worker_that_cannot_be_made_ends_the_server(self):
        with self.assertRaisesRegex(AssertionError, "worker 0.*ended with status 1"):
            self.serve("--supervise", "--heap-pages", str(1 << 20), "--pool", str(1 << 24))

    def test_a_parent_rests_while_its_worker_serves(self):
        server = self.crew(1)
        self.kill(server.children()[0])
        with self.connect(server) as client:
            client.exchange(b"hello\n")
        self.does_not_spin(server)
        server.stop()


if __name__ == "__main__":
    main()
