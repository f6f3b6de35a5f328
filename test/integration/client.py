"""A client of the echo service that knows what it must be answered.

The service sends each line back with its number, "Line 0: " before the first. The last line may
lack its newline. A client adds up what it has sent, and compares each byte that it reads.
"""

import fcntl
import select
import socket
import struct
import time

AT_ONCE = 1 << 16  # bytes that are read by a call: more would have a mapping made and undone for each

_SIOCOUTQ = 0x5411
_IP_BIND_ADDRESS_NO_PORT = 24
_PATIENCE = 30  # milliseconds that a server may take nothing before its answers are read


class Answers:
    """What the service answers to a stream, piece by piece."""

    def __init__(self):
        self.lines = 0
        self._partial = b""

    def to(self, piece):
        """The answers to the lines that `piece` completes."""
        lines = (self._partial + piece).split(b"\n")
        self._partial = lines.pop()
        first = self.lines
        self.lines += len(lines)
        return b"".join([b"Line %d: %b\n" % pair for pair in enumerate(lines, first)])

    def at_end(self):
        """The answer to the end of the stream: the last line, if it lacks its newline."""
        last, self._partial = self._partial, b""
        return b"Line %d: %b" % (self.lines, last) if last else b""


def open_socket(address, timeout=10, source=None, receive_buffer=None):
    """A socket that is connected to `address`, as the server writes it, from `source` if given."""
    if address.startswith("unix:"):
        made, to = socket.socket(socket.AF_UNIX), address[len("unix:"):]
    else:
        host, _, port = address.rpartition(":")
        family = socket.AF_INET6 if host.startswith("[") else socket.AF_INET
        made, to = socket.socket(family), (host.strip("[]"), int(port))
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    try:
        made.settimeout(timeout)
        if receive_buffer:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        if source:
            made.setsockopt(socket.IPPROTO_IP, _IP_BIND_ADDRESS_NO_PORT, 1)
            made.bind((source, 0))
        made.connect(to)
    except BaseException:
        made.close()
        raise
    return made


class Client:
    def __init__(self, address, **how):
        self.socket = open_socket(address, **how)
        self.answers = Answers()
        self.due = bytearray()  # answers to what was sent that were not read yet

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    # --- lines

    def send(self, piece):
        """Send all of `piece`. Reads what is due only while the system takes no more."""
        self.due += self.answers.to(piece)
        rest = memoryview(piece)
        while rest:
            if self._takes_more():
                rest = rest[self.socket.send(rest, socket.MSG_DONTWAIT):]
            else:
                self.read_some()

    def finish(self):
        """Half-close: the service sees the end of the stream."""
        self.due += self.answers.at_end()
        self.socket.shutdown(socket.SHUT_WR)

    def expect(self, answer):
        """Have `answer` be due, beside what is."""
        self.due += answer

    def read(self):
        """Read all that is due, and nothing else."""
        while self.due:
            self.read_some()

    def read_some(self, most=AT_ONCE):
        """Read up to `most` bytes of what is due. Throws EOFError at the end of the stream."""
        piece = self.socket.recv(most)
        if not piece:
            raise EOFError(f"the stream ended {len(self.due)} bytes early")
        self._take(piece)

    def read_to_end(self):
        """Read all that is due and then the end of the stream."""
        while piece := self._receive():
            self._take(piece)
        if self.due:
            raise AssertionError(f"the stream ended {len(self.due)} bytes early, "
                                 f"before {bytes(self.due[:60])}")

    def read_to_any_end(self):
        """Read what comes until the stream ends or is reset: it must be due.

        Returns how many bytes that are due did not come.
        """
        try:
            while piece := self._receive():
                self._take(piece)
        except ConnectionError:
            pass
        return len(self.due)

    def exchange(self, piece):
        """Send `piece` and read the answers."""
        self.send(piece)
        self.read()

    def has_ended(self):
        """Whether the stream ended, or was reset, with nothing before it. Waits for either."""
        try:
            return self._receive() == b""
        except ConnectionError:
            return True

    def _takes_more(self):
        """Whether the system takes more to send, soon."""
        room = select.poll()
        room.register(self.socket, select.POLLOUT)
        return bool(room.poll(_PATIENCE))

    def _receive(self):
        return self.socket.recv(AT_ONCE)

    def _take(self, piece):
        if not self.due.startswith(piece):
            at = next((at for at, (a, b) in enumerate(zip(piece, self.due)) if a != b),
                      len(self.due))
            raise AssertionError(f"after {at} bytes came {piece[at:at + 60]}, "
                                 f"not {bytes(self.due[at:at + 60])}")
        del self.due[:len(piece)]

    # --- less usual

    def send_what_fits(self, piece, patience=0.5):
        """Send `piece` over and over, reading nothing, while some of it is taken.

        Ends when nothing was for `patience` seconds. Returns the bytes sent.
        """
        sent = 0
        at = 0
        deadline = time.monotonic() + patience
        self.socket.setblocking(False)
        while time.monotonic() < deadline:
            try:
                count = self.socket.send(piece[at:])
            except BlockingIOError:
                time.sleep(0.01)
                continue
            self.due += self.answers.to(piece[at:at + count])
            sent += count
            at = (at + count) % len(piece)
            deadline = time.monotonic() + patience
        self.socket.settimeout(10)
        return sent

    def unacknowledged(self):
        """Bytes sent that the server's system has not received yet."""
        return struct.unpack("i", fcntl.ioctl(self.socket, _SIOCOUTQ, b"\0" * 4))[0]

    def reset(self):
        """Close so that the server is told by a reset, unless it is closed already."""
        if self.socket.fileno() < 0:
            return
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def close(self):
        self.socket.close()
