"""What the command line says: when it is wrong, one clear line and a status."""

import os
import re
import resource
import socket
import subprocess
import tempfile
from pathlib import Path

import server
from server import MIB, ServerCase, is_sanitized, main


class CommandLine(ServerCase):
    def run_program(self, *options, **environment):
        """Run it to its end, which is to come soon."""
        try:
            return subprocess.run([server.PROGRAM, *options], stdin=subprocess.DEVNULL, timeout=3,
                                  capture_output=True, text=True,
                                  env={**os.environ, **environment})
        except subprocess.TimeoutExpired:
            raise AssertionError(f"it serves, with {options}") from None

    def refuses(self, options, named, status=2, **environment):
        """Check that it ends with `status` and one line on stderr in which `named` is found."""
        with self.subTest(options):
            done = self.run_program(*options.split(), **environment)
            self.assertEqual(done.returncode, status, done.stderr)
            self.assertEqual(done.stdout, "")
            self.assertRegex(done.stderr, rf"\A[^\n]*{named}[^\n]*\n\Z")

    def test_version_is_that_of_the_project(self):
        done = self.run_program("--version")
        self.assertEqual(done.returncode, 0)
        self.assertRegex(done.stdout, r"\Avk-echo \d+\.\d+\.\d+\n\Z")
        self.assertEqual(done.stderr, "")

    def test_help_names_every_option(self):
        done = self.run_program("--help")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        for option in ("--listen", "--stdio", "--poller", "--isolation", "--mask", "--privileged",
                       "--crash-on-fault", "--workers", "--supervise", "--heap-pages", "--pool",
                       "--stats", "--version", "--help",
                       "--connections", "--timeout", "--drain", "--global-memory"):
            self.assertIn(option, done.stdout)
        self.assertLess(max(map(len, done.stdout.splitlines())), 140)

    def test_an_unknown_option_is_refused(self):
        self.refuses("--nonsense", "nonsense")
        self.refuses("-x", "-x")
        self.refuses("stray", "stray")
        self.refuses("--listen 127.0.0.1:0 127.0.0.1:0", "127.0.0.1:0")

    def test_an_option_without_its_value_is_refused(self):
        for option in ("--listen", "--poller", "--isolation", "--mask", "--workers", "--heap-pages", "--pool",
                       "--connections", "--timeout", "--drain", "--stats", "--global-memory"):
            self.refuses(option, option)

    def test_a_wrong_value_is_refused_with_its_option_or_value(self):
        for options, named in {
            "--isolation banana": "banana",
            "--mask banana": "banana",
            "--poller nonsense": "nonsense.*epoll, epoll-oneshot, poll",
            "--workers 0": "--workers|0",
            "--workers -1": "--workers|-1",
            "--workers many": "many",
            "--workers 100000": "--workers|100000",
            "--heap-pages 0": "--heap-pages|0",
            "--heap-pages 3.5": "3.5",
            "--heap-pages 99999999999999999999": "--heap-pages",
            "--pool -1": "--pool|-1",
            "--pool x": "--pool|x",
            "--connections -1": "--connections|-1",
            "--connections x": "--connections|x",
            "--global-memory -1": "--global-memory|-1",
            "--global-memory 99999999999E": "--global-memory",
            "--global-memory much": "much",
            "--global-memory 1X": "x unit",
            "--timeout -1": "--timeout|-1",
            "--timeout soon": "soon",
            "--timeout nan": "--timeout|nan",
            "--timeout 1e300": "--timeout|1e300",
            "--drain -0.5": "--drain|-0.5",
            "--drain inf": "--drain|inf",
        }.items():
            self.refuses(f"--listen 127.0.0.1:0 {options}", named)

    def test_a_wrong_address_is_refused_with_the_address(self):
        for address in ("nonsense", "127.0.0.1", "127.0.0.1:", "127.0.0.1:99999", "127.0.0.1:-1",
                        "127.0.0.1:http", "1.2.3:80", "256.0.0.1:80", "[::1]", "[::1:80", "[]:80",
                        "[nonsense]:80", "::1:80", "unix:", "unix:" + "x" * 200, "example.org:80",
                        ":"):
            self.refuses(f"--listen {address}", re.escape(address))
        self.assertEqual(self.run_program("--listen", "").returncode, 2)

    def test_a_busy_port_is_one_line_and_status_1(self):
        with socket.create_server(("127.0.0.1", 0)) as busy:
            address = f"127.0.0.1:{busy.getsockname()[1]}"
            self.refuses(f"--listen {address}", f"{address}.*[Aa]ddress.*in use", status=1)
            self.refuses(f"--workers 2 --listen {address}", f"{address}.*in use", status=1)
            self.refuses(f"--listen 127.0.0.1:0 --listen {address}", f"{address}.*in use", status=1)

    def test_an_address_that_is_not_ours_is_one_line_and_status_1(self):
        self.refuses("--listen 192.0.2.1:0", "192.0.2.1:0.*[Cc]annot assign", status=1)
        self.refuses("--listen unix:/nowhere/at/all", "/nowhere/at/all.*No such file", status=1)

    def test_more_memory_than_there_is_is_one_line_and_status_1(self):
        if is_sanitized():
            self.skipTest("a sanitizer needs memory of its own")
        limit = resource.getrlimit(resource.RLIMIT_AS)
        resource.setrlimit(resource.RLIMIT_AS, (1024 * MIB, limit[1]))
        try:
            self.refuses("--listen 127.0.0.1:0 --heap-pages 100000 --connections 1000",
                         "[Cc]annot allocate memory", status=1)
        finally:
            resource.setrlimit(resource.RLIMIT_AS, limit)

    def test_protection_keys_that_there_are_not_are_one_line_and_status_1(self):
        if re.search(r"^flags\b.*\bospke\b", Path("/proc/cpuinfo").read_text(), re.M):
            self.skipTest("this CPU has them")
        for level in ("process", "full"):
            self.refuses(f"--listen 127.0.0.1:0 --isolation {level} --mask pkey", "protection keys.*none",
                         status=1)

    def test_a_poller_of_the_environment_that_does_not_exist_is_named(self):
        self.refuses("--listen 127.0.0.1:0", "nonsense.*epoll, epoll-oneshot, poll", status=1,
                     VK_POLLER="nonsense")

    def test_counters_that_cannot_be_written_are_one_line_and_status_1(self):
        done = subprocess.run([server.PROGRAM, "--stdio", "--stats", "/nowhere/at/all"],
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=10)
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stderr, r"\A[^\n]*/nowhere/at/all: No such file[^\n]*\n\Z")

    def test_every_option_of_a_server_may_be_given(self):
        with tempfile.TemporaryDirectory(prefix="vk-options-") as room:
            path = Path(room, "echo.sock")
            for workers in (["1"], ["1", "--supervise"], ["2"]):
                running = self.serve("--workers", *workers, "--heap-pages", "50", "--pool", "16",
                                     "--connections", "64", "--timeout", "5", "--drain", "0.5",
                                     listen=["localhost:0", f"unix:{path}"])
                for _ in range(20):  # more than the pool holds
                    self.connect(running).exchange(b"hello\n")
                running.stop()

    def test_heaps_beyond_the_pool_are_counted_and_given_back(self):
        running = self.serve("--pool", "8")
        for _ in range(3):
            clients = [self.connect(running) for _ in range(20)]
            for client in clients:
                client.exchange(b"hello\n")
                client.exchange(b"x" * 20_000 + b"\n")
            for client in clients:
                client.close()
        overflows = running.stop()["heap_overflows"]
        self.assertGreaterEqual(overflows, 12)
        self.assertLessEqual(overflows, 60)

    def test_an_announced_address_can_be_listened_on_again(self):
        first = self.serve(listen=["127.0.0.1:0"])
        self.assertRegex(first.address, r"\A127\.0\.0\.1:[1-9]\d*\Z")
        client = self.connect(first)
        client.exchange(b"hello\n")
        first.stop()
        client.read_to_end()
        second = self.serve(listen=[first.address])
        self.assertEqual(second.address, first.address)
        second.stop()


if __name__ == "__main__":
    main()
