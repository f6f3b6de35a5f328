"""--syscall-gate: how it is asked for, and what is said where it cannot be."""

import platform
import subprocess
import sys
from pathlib import Path

import server as server_module
from server import ServerCase, is_sanitized, main

_WITHOUT = Path(__file__).with_name("without_call.py")


class Gate(ServerCase):
    def setUp(self):
        super().setUp()
        if sys.platform != "linux" or platform.machine() != "x86_64":
            self.skipTest("the system-call gate is for Linux on x86-64")
        if is_sanitized():
            self.skipTest("it would refuse the calls that a sanitizer makes by itself")

    def run_server(self, *options, without=()):
        """Run one that ends at once."""
        return subprocess.run([*without, server_module.PROGRAM, "--listen", "127.0.0.1:0", *options],
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=20)

    def test_each_setting_serves_and_refuses_nothing(self):
        for setting in (["--syscall-gate"], ["--syscall-gate", "raise"], ["--syscall-gate", "end"],
                        ["--syscall-gate=off"], ["--syscall-gate", "--workers", "2"]):
            with self.subTest(setting):
                running = self.serve(*setting)
                for _ in range(3):
                    with running.connect() as client:
                        client.exchange(b"hello\n")
                self.assertEqual(running.stop()["refused_calls"], 0)

    def test_a_setting_that_is_none_is_one_line_and_status_2(self):
        done = self.run_server("--syscall-gate", "banana")
        self.assertEqual(done.returncode, 2)
        self.assertRegex(done.stderr, r"\A[^\n]*banana[^\n]*\n\Z")

    def test_where_the_system_has_none_that_is_said_at_the_start(self):
        without = [sys.executable, _WITHOUT, "prctl"]
        for setting in (["--syscall-gate"], ["--syscall-gate", "end"]):
            done = self.run_server(*setting, without=without)
            self.assertEqual(done.returncode, 1, setting)
            self.assertRegex(done.stderr, r"\Aerror: [^\n]*Syscall User Dispatch[^\n]*\n\Z")
            self.assertEqual(done.stdout, "")
        running = self.serve("--syscall-gate", "off", wrapper=without)
        running.stop()

    def test_standard_input_and_output_are_served_behind_it(self):
        done = subprocess.run([server_module.PROGRAM, "--stdio", "--syscall-gate"], input=b"hello\nyou\n",
                              capture_output=True, timeout=20)
        self.assertEqual((done.returncode, done.stdout), (0, b"Line 0: hello\nLine 1: you\n"))


if __name__ == "__main__":
    main()
