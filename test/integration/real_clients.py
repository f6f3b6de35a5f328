"""Clients that people use: nc, socat, Python's socket; over IPv4, IPv6 and unix sockets."""

import os
import shutil
import socket
import stat
import subprocess
import tempfile
import unittest
from pathlib import Path

from client import open_socket
from server import ServerCase, main, wait_until

SAID = b"one\n\nthree\nno newline"
ANSWERED = b"Line 0: one\nLine 1: \nLine 2: three\nLine 3: no newline"


def has_ipv6():
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
        return True
    except OSError:
        return False


def nc_closes():
    """The option with which nc sends the end of its input on, or None without such an nc."""
    if not shutil.which("nc"):
        return None
    usage = subprocess.run(["nc", "-h"], capture_output=True, text=True)
    return "-N" if "N]" in usage.stderr or "-N" in usage.stderr else None


def port_of(server):
    return server.address.rpartition(":")[2]


needs_nc = unittest.skipUnless(nc_closes(), "nc (netcat-openbsd) is not installed")
needs_socat = unittest.skipUnless(shutil.which("socat"), "socat is not installed")
needs_ipv6 = unittest.skipUnless(has_ipv6(), "there is no IPv6 loopback")


class PathCase(ServerCase):
    """A test case with a path for a unix socket."""

    def setUp(self):
        super().setUp()
        room = tempfile.TemporaryDirectory(prefix="vk-unix-")
        self.addCleanup(room.cleanup)
        self.path = Path(room.name, "echo.sock")


class RealClients(PathCase):
    def answers(self, *command):
        """Check what `command`, which connects its input and output to a server, is answered."""
        done = subprocess.run(command, input=SAID, capture_output=True, timeout=20)
        self.assertEqual(done.stdout, ANSWERED, done.stderr.decode())

    @needs_nc
    def test_nc_talks_over_ipv4(self):
        server = self.serve()
        self.answers("nc", "-N", "127.0.0.1", port_of(server))
        server.stop()

    @needs_nc
    @needs_ipv6
    def test_nc_talks_over_ipv6(self):
        server = self.serve(listen=["[::1]:0"])
        self.answers("nc", "-6", "-N", "::1", port_of(server))
        server.stop()

    @needs_nc
    def test_nc_talks_over_a_unix_socket(self):
        server = self.serve(listen=[f"unix:{self.path}"])
        self.answers("nc", "-U", "-N", self.path)
        server.stop()

    @needs_socat
    def test_socat_talks_over_ipv4(self):
        server = self.serve()
        self.answers("socat", "-t", "10", "-", f"TCP4:{server.address}")
        server.stop()

    @needs_socat
    @needs_ipv6
    def test_socat_talks_over_ipv6(self):
        server = self.serve(listen=["[::1]:0"])
        self.answers("socat", "-t", "10", "-", f"TCP6:{server.address}")
        server.stop()

    @needs_socat
    def test_socat_talks_over_a_unix_socket(self):
        server = self.serve(listen=[f"unix:{self.path}"])
        self.answers("socat", "-t", "10", "-", f"UNIX-CONNECT:{self.path}")
        server.stop()

    def test_python_talks_as_to_a_file(self):
        server = self.serve()
        with open_socket(server.address) as made, made.makefile("rwb") as file:
            for number in range(100):
                file.write(b"line\n")
                file.flush()
                self.assertEqual(file.readline(), b"Line %d: line\n" % number)
        server.stop()

    def test_one_server_listens_on_many_addresses(self):
        addresses = ["127.0.0.1:0", "127.0.0.2:0", f"unix:{self.path}"] + ["[::1]:0"] * has_ipv6()
        server = self.serve(listen=addresses)
        self.assertEqual(len(set(server.addresses)), len(addresses))
        for address in server.addresses:
            with open_socket(address) as made:
                made.sendall(b"hello\n")
                self.assertEqual(made.recv(100), b"Line 0: hello\n", address)
        server.stop()


class UnixSockets(PathCase):
    """What is left in the file system."""

    def test_a_unix_socket_is_removed_at_the_end(self):
        server = self.serve(listen=[f"unix:{self.path}"])
        self.assertTrue(stat.S_ISSOCK(self.path.stat().st_mode))
        server.stop()
        self.assertFalse(self.path.exists())

    def test_a_unix_socket_that_a_killed_server_left_behind_is_replaced(self):
        killed = self.serve(listen=[f"unix:{self.path}"])
        os.kill(killed.pid, 9)
        killed.wait()
        self.assertTrue(self.path.exists())
        server = self.serve(listen=[f"unix:{self.path}"])
        with self.connect(server) as client:
            client.exchange(b"hello\n")
        server.stop()

    def test_a_unix_socket_whose_server_lives_is_not_taken_over(self):
        first = self.serve(listen=[f"unix:{self.path}"])
        with self.assertRaisesRegex(AssertionError, "error: listen on unix:.*in use"):
            self.serve(listen=[f"unix:{self.path}"])
        with self.connect(first) as client:
            client.exchange(b"still here\n")
        first.stop()

    def test_a_file_in_the_place_of_a_unix_socket_is_left_alone(self):
        self.path.write_text("precious")
        with self.assertRaisesRegex(AssertionError, "error: listen on unix:"):
            self.serve(listen=[f"unix:{self.path}"]).stop()
        self.assertEqual(self.path.read_text(), "precious")

    def test_a_descriptor_that_comes_with_the_bytes_is_not_kept_and_loses_none(self):
        server = self.serve(listen=[f"unix:{self.path}"])
        client = self.connect(server)
        client.exchange(b"hello\n")
        before = server.fds()
        for _ in range(100):
            client.expect(client.answers.to(b"with a descriptor\nand without\n"))
            socket.send_fds(client.socket, [b"with a descr"], [0])
            socket.send_fds(client.socket, [b"iptor\n"], [0, 1])
            client.socket.sendall(b"and without\n")
            client.read()
        self.assertEqual(server.fds(), before)
        client.close()
        wait_until(lambda: server.fds() < before, what="the end of the connection")
        server.stop()


if __name__ == "__main__":
    main()
