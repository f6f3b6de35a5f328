"""--stdio serves standard input and output, whatever they are, as one connection."""

import fcntl
import json
import os
import pty
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import unittest
from pathlib import Path

import server
from client import Answers
from server import ISOLATION, KIB, POLLER, ServerCase, main

LINES = b"one\n\nthree\nno newline"
ANSWERED = b"Line 0: one\nLine 1: \nLine 2: three\nLine 3: no newline"


class Stdio(ServerCase):
    def setUp(self):
        super().setUp()
        room = tempfile.TemporaryDirectory(prefix="vk-stdio-")
        self.addCleanup(room.cleanup)
        self.room = Path(room.name)

    def start(self, *options, **how):
        """Start vk-echo --stdio."""
        command = [server.PROGRAM, "--stdio", "--isolation", ISOLATION, "--poller", POLLER,
                   "--stats", self.room / "stats", *options]
        started = subprocess.Popen(command, **how)
        self.addCleanup(started.wait)
        self.addCleanup(started.kill)
        for stream in (started.stdin, started.stdout):
            if stream:
                self.addCleanup(stream.close)
        return started

    def ended(self, started, status=0):
        """Check that it ends with `status`. Returns the counters."""
        self.assertEqual(started.wait(10), status)
        return json.loads((self.room / "stats").read_text())

    def test_pipes(self):
        started = self.start(stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        said, _ = started.communicate(LINES, timeout=10)
        self.assertEqual(said, ANSWERED)
        count = self.ended(started)
        self.assertEqual((count["bytes_in"], count["bytes_out"]), (len(LINES), len(ANSWERED)))

    def test_pipes_answer_line_by_line(self):
        started = self.start(stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0)
        for number in range(100):
            started.stdin.write(b"hello\n")
            self.assertEqual(started.stdout.read(100), b"Line %d: hello\n" % number)
        started.stdin.close()
        self.assertEqual(started.stdout.read(), b"")
        self.ended(started)

    def test_files(self):
        (self.room / "in").write_bytes(LINES)
        with open(self.room / "in", "rb") as given, open(self.room / "out", "wb") as taken:
            self.ended(self.start(stdin=given, stdout=taken))
        self.assertEqual((self.room / "out").read_bytes(), ANSWERED)

    def test_a_large_file(self):
        text = b"".join(b"%d bottles\n" % number for number in range(200_000))
        (self.room / "in").write_bytes(text)
        with open(self.room / "in", "rb") as given, open(self.room / "out", "wb") as taken:
            self.ended(self.start(stdin=given, stdout=taken))
        self.assertEqual((self.room / "out").read_bytes(), Answers().to(text))

    def test_a_file_into_a_pipe_that_is_read_slowly(self):
        text = b"a line of some length\n" * 50_000
        (self.room / "in").write_bytes(text)
        with open(self.room / "in", "rb") as given:
            started = self.start(stdin=given, stdout=subprocess.PIPE)
        time.sleep(0.2)
        self.assertEqual(started.stdout.read(), Answers().to(text))
        self.ended(started)

    def test_no_input_at_all(self):
        started = self.start(stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
        self.assertEqual(started.stdout.read(), b"")
        self.ended(started)

    def test_one_socket_as_a_superserver_gives_it(self):
        ours, its = socket.socketpair()
        with ours:
            with its:
                started = self.start(stdin=its, stdout=its)
            ours.settimeout(10)
            for number in range(10):
                ours.sendall(b"hello\n")
                self.assertEqual(ours.recv(100), b"Line %d: hello\n" % number)
            ours.sendall(b"last")
            ours.shutdown(socket.SHUT_WR)
            self.assertEqual(ours.recv(100), b"Line 10: last")
            self.assertEqual(ours.recv(100), b"")
        self.ended(started)

    def test_a_terminal(self):
        try:
            ours, its = pty.openpty()
        except OSError as missing:  # as in a chroot without /dev/pts
            self.skipTest(f"no terminal: {missing}")
        self.addCleanup(os.close, ours)
        started = self.start(stdin=its, stdout=its)
        os.close(its)
        os.write(ours, b"hello\n")
        said = b""
        while b"Line 0: hello" not in said:
            said += os.read(ours, 100)
        os.write(ours, b"\x04")  # ^D
        self.ended(started)

    def test_an_input_that_ends_while_output_is_not_read_yet(self):
        started = self.start(stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        text = b"a line of some length\n" * 2000  # more than the pipe holds, with the answers
        os.set_blocking(started.stdin.fileno(), True)
        os.write(started.stdin.fileno(), text)
        started.stdin.close()
        time.sleep(0.2)
        self.assertEqual(started.stdout.read(), Answers().to(text))
        self.ended(started)

    def test_the_files_are_left_as_blocking_as_they_were(self):
        given, give = os.pipe()
        taken, take = os.pipe()
        self.addCleanup(lambda: [os.close(fd) for fd in (given, taken, take)])
        started = self.start(stdin=given, stdout=take)
        os.write(give, b"hello\n")
        self.assertEqual(os.read(taken, 100), b"Line 0: hello\n")
        os.close(give)
        self.ended(started)
        for fd in (given, take):
            self.assertFalse(fcntl.fcntl(fd, fcntl.F_GETFL) & os.O_NONBLOCK)

    def test_an_output_that_nobody_reads_any_more_is_an_end_and_no_signal(self):
        started = self.start(stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0)
        started.stdin.write(b"hello\n")
        self.assertEqual(started.stdout.read(100), b"Line 0: hello\n")
        started.stdout.close()
        try:
            while started.poll() is None:
                started.stdin.write(b"more\n")
                time.sleep(0.01)
        except BrokenPipeError:
            pass
        self.assertGreaterEqual(started.wait(10), 0, "it was killed by a signal")

    def test_signals_end_it(self):
        for number in (signal.SIGTERM, signal.SIGINT):
            with self.subTest(number.name):
                started = self.start(stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0)
                started.stdin.write(b"hello\nhalf")
                self.assertEqual(started.stdout.read(100), b"Line 0: hello\n")
                started.send_signal(number)
                self.assertEqual(started.stdout.read(), b"Line 1: half")
                self.ended(started)

    def test_a_line_longer_than_the_heap_is_an_error(self):
        started = self.start(stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        try:
            started.communicate(b"x" * 200 * KIB, timeout=10)
        except ValueError:
            pass
        self.assertEqual(started.returncode, 1)

    def test_it_waits_without_spinning(self):
        started = self.start(stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0)
        started.stdin.write(b"hello\n")
        self.assertEqual(started.stdout.read(100), b"Line 0: hello\n")
        before = os.times()
        time.sleep(0.5)
        started.stdin.close()
        count = self.ended(started)
        self.assertLess(count["waits"], 20)
        used = os.times().children_user + os.times().children_system
        # Its beginning is in that, which takes a sanitizer a while.
        self.assertLess(used - before.children_user - before.children_system,
                        0.45 if server.is_sanitized() else 0.25)

    @unittest.skipUnless(shutil.which("socat"), "socat is not installed")
    def test_a_stream_through_socat(self):
        text = b"".join(b"%d\n" % number for number in range(50_000))
        command = f"EXEC:{server.PROGRAM} --stdio --isolation {ISOLATION} --poller {POLLER}"
        done = subprocess.run(["socat", "-t", "10", "-", command], input=text, capture_output=True,
                              timeout=20)
        self.assertEqual(done.stdout, Answers().to(text), done.stderr.decode())


if __name__ == "__main__":
    main()
