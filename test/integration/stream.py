"""A stream through the echo service, both ways at once: compared by length and by checksum."""

import hashlib
import random
import selectors
import socket

from server import KIB


LINE_MAX = 16 * KIB


def pieces(total, seed=1):
    """Lines of mixed lengths, about 64 KiB at a time: `total` bytes or a little more.

    The last one has no newline.
    """
    dice = random.Random(seed)
    noise = dice.randbytes(LINE_MAX).replace(b"\n", b"\r")
    sent = 0
    while sent < total:
        lines = []
        size = 0
        while size < 64 * KIB:
            length = dice.choice((0, 1, 63, 500, 2000, dice.randrange(LINE_MAX)))
            lines.append(noise[:length])
            size += length + 1
        piece = b"\n".join(lines)
        sent += len(piece)
        yield piece if sent >= total else piece + b"\n"


class Stream:
    def __init__(self, client):
        self._socket = client.socket
        self._answers = client.answers
        self.sent = hashlib.blake2b()
        self.expected = hashlib.blake2b()
        self.received = hashlib.blake2b()
        self.sent_bytes = self.expected_bytes = self.received_bytes = 0

    def run(self, pieces, patience=20):
        """Send `pieces` and the end; receive until the end.

        Fails when nothing moves for `patience` seconds.
        """
        self._socket.setblocking(False)
        self._pieces = iter(pieces)
        self._rest = memoryview(b"")
        both = selectors.EVENT_READ | selectors.EVENT_WRITE
        with selectors.DefaultSelector() as ready:
            ready.register(self._socket, both)
            while True:
                found = ready.select(patience)
                if not found:
                    raise AssertionError(f"the stream stalls: {self}")
                events = found[0][1]
                if events & selectors.EVENT_READ and not self._receive():
                    return
                if events & selectors.EVENT_WRITE and not self._send():
                    ready.modify(self._socket, selectors.EVENT_READ)

    def _send(self):
        if not self._rest:
            piece = next(self._pieces, None)
            if piece is None:
                self._expect(self._answers.at_end())
                self._socket.shutdown(socket.SHUT_WR)
                return False
            self.sent.update(piece)
            self.sent_bytes += len(piece)
            self._expect(self._answers.to(piece))
            self._rest = memoryview(piece)
        try:
            self._rest = self._rest[self._socket.send(self._rest):]
        except BlockingIOError:
            pass
        return True

    def _receive(self):
        try:
            piece = self._socket.recv(1 << 18)
        except BlockingIOError:
            return True
        self.received.update(piece)
        self.received_bytes += len(piece)
        return bool(piece)

    def _expect(self, piece):
        self.expected.update(piece)
        self.expected_bytes += len(piece)

    def is_intact(self):
        """Whether what was received is what the service should answer."""
        return (self.received_bytes == self.expected_bytes
                and self.received.digest() == self.expected.digest())

    def __str__(self):
        return (f"{self.sent_bytes} bytes out, blake2b {self.sent.hexdigest()[:16]}; "
                f"{self.received_bytes} in, {self.received.hexdigest()[:16]}; "
                f"expected {self.expected_bytes}, {self.expected.hexdigest()[:16]}")
