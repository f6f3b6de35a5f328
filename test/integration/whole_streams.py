"""Streams of every shape come back whole, line by line."""

import signal
import socket
import tempfile
import time

from server import KIB, MIB, ServerCase, main
from stream import Stream, pieces

BLOCK = 16 * KIB  # the storage that a ring has before it grows

# Enough for lines of 64 KiB: a ring of 128 KiB that grew through 32 and 64, and the answer.
LARGE_HEAP = ("--heap-pages", "96")


class Streams(ServerCase):
    def comes_back(self, text, *options):
        """Check that `text`, sent at once and then ended, comes back whole."""
        server = self.serve(*options)
        client = self.connect(server)
        client.send(text)
        client.finish()
        client.read_to_end()
        count = server.stop()
        self.assertEqual(count["bytes_in"], len(text))
        return count

    def test_a_stream_of_32_mib_comes_back_with_its_checksum(self):
        server = self.serve()
        stream = Stream(self.connect(server))
        stream.run(pieces(32 * MIB))
        self.assertTrue(stream.is_intact(), stream)
        count = server.stop()
        self.assertEqual(count["bytes_in"], stream.sent_bytes)
        self.assertEqual(count["bytes_out"], stream.received_bytes)

    def test_eight_streams_at_once_do_not_mix(self):
        server = self.serve()
        clients = [self.connect(server) for _ in range(8)]
        texts = [b"".join(pieces(256 * KIB, seed)) for seed in range(8)]
        for start in range(0, 320 * KIB, 10_007):
            for client, text in zip(clients, texts):
                client.send(text[start:start + 10_007])
            for client in clients:
                client.read()
        for client in clients:
            client.finish()
            client.read_to_end()
        server.stop()

    def test_one_byte_at_a_time_is_answered_line_by_line(self):
        server = self.serve()
        client = self.connect(server)
        for byte in b"a line\n\nand another\nwithout a newline":
            client.send(bytes([byte]))
            time.sleep(0.001)
            client.read()
        client.finish()
        client.read_to_end()
        server.stop()

    def test_nothing_at_all_is_answered_by_nothing(self):
        self.comes_back(b"")

    def test_empty_lines_are_lines(self):
        self.comes_back(b"\n" * 10_000)

    def test_a_last_line_without_a_newline_is_answered_without_one(self):
        self.comes_back(b"first\nlast")

    def test_nul_bytes_and_carriage_returns_are_bytes_like_others(self):
        self.comes_back(b"\0\n\0\0a\0\n\r\n\r\0" + bytes(set(range(256)) - {10}) + b"\n\0")

    def test_lines_around_the_block_of_a_ring_come_back(self):
        lengths = [length for length in range(BLOCK - 12, BLOCK + 4)]
        self.comes_back(b"".join(b"x" * (length - 1) + b"\n" for length in lengths))

    def test_a_line_of_a_block_alone_comes_back(self):
        for length in (BLOCK - 1, BLOCK, BLOCK + 1):
            with self.subTest(length=length):
                self.comes_back(b"x" * (length - 1) + b"\n")

    def test_a_line_of_a_block_without_a_newline_comes_back(self):
        for length in (BLOCK - 1, BLOCK, BLOCK + 1):
            with self.subTest(length=length):
                self.comes_back(b"x" * length)

    def test_lines_around_32_and_64_kib_come_back(self):
        for length in (32 * KIB, 64 * KIB):
            lengths = [length - 9, length - 1, length, length + 1]
            self.comes_back(b"".join(b"x" * (size - 1) + b"\n" for size in lengths), *LARGE_HEAP)

    def test_short_lines_around_a_long_one_come_back(self):
        short = b"".join(b"%d\n" % number for number in range(5000))
        self.comes_back((short + b"x" * 40_000 + b"\n") * 5 + short, *LARGE_HEAP)

    def test_lines_that_cross_the_end_of_the_ring_come_back(self):
        # A line of 1,000 bytes begins at each of many places in the ring, however it is cut.
        server = self.serve()
        client = self.connect(server)
        text = (b"x" * 999 + b"\n") * 64
        for cut in (1, 997, 1001, 4095, 4097, BLOCK - 1, BLOCK + 1):
            for start in range(0, len(text), max(cut, 997)):
                client.send(text[start:start + max(cut, 997)])
            client.read()
        client.finish()
        client.read_to_end()
        server.stop()

    def test_a_half_closed_stream_is_answered_to_its_end(self):
        server = self.serve()
        client = self.connect(server)
        client.exchange(b"hello\n")
        before = server.fds()
        client.send(b"many lines\n" * 20_000 + b"and a last")
        client.finish()
        time.sleep(0.05)  # the end waits behind the lines
        client.read_to_end()
        server.has_fds(before - 1)
        server.stop()

    def test_answers_that_wait_for_room_at_the_end_are_not_lost(self):
        # Among many lengths there are some with which the system takes no more at the end.
        room = tempfile.TemporaryDirectory(prefix="vk-unix-")
        self.addCleanup(room.cleanup)
        server = self.serve(listen=[f"unix:{room.name}/echo.sock"])
        clients = []
        for lines in range(1000, 4000, 40):
            client = self.connect(server)
            client.send((b"." * 99 + b"\n") * lines)
            client.finish()
            clients.append(client)
        time.sleep(0.2)
        for client in clients:
            client.read_to_end()
        server.stop()

    def urgent(self, then_end):
        """Check that bytes behind an urgent one are read, all there before the server looks."""
        server = self.serve()
        client = self.connect(server)
        client.exchange(b"registered\n")
        server.send_signal(signal.SIGSTOP)
        client.expect(b"Line 1: before and behind\nLine 2: more\n")
        client.socket.sendall(b"before")
        client.socket.send(b"!", socket.MSG_OOB)  # not part of the stream
        client.socket.sendall(b" and behind\nmore\n")
        if then_end:
            client.socket.shutdown(socket.SHUT_WR)
        time.sleep(0.05)
        server.send_signal(signal.SIGCONT)
        client.socket.settimeout(5)
        client.read()
        server.stop()

    def test_bytes_behind_an_urgent_one_are_read_at_once(self):
        self.urgent(then_end=False)

    def test_bytes_behind_an_urgent_one_are_read_before_the_end(self):
        self.urgent(then_end=True)

    def test_an_urgent_byte_that_nobody_reads_does_not_keep_the_server_busy(self):
        server = self.serve()
        client = self.connect(server)
        client.exchange(b"hello\n")
        client.socket.send(b"!", socket.MSG_OOB)
        time.sleep(0.2)
        client.exchange(b"again\n")
        self.assertLess(server.stop()["dispatches"], 100)


if __name__ == "__main__":
    main()
