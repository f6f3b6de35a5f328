"""A client of an HTTP server that sends any bytes and reads whole responses."""

from client import AT_ONCE, open_socket


class Response:
    def __init__(self, status, fields, body):
        self.status = status
        self.fields = fields  # names in lower case
        self.body = body

    @property
    def closes(self):
        return self.fields.get("connection") == "close"


class HttpClient:
    def __init__(self, address, **how):
        self.socket = open_socket(address, **how)
        self._unread = bytearray()

    def close(self):
        self.socket.close()

    def send(self, text):
        self.socket.sendall(text)

    def get(self, path, fields="", version="1.1"):
        """Ask for `path` and read the answer. `fields` are lines with their line ends."""
        self.send(f"GET {path} HTTP/{version}\r\nHost: test\r\n{fields}\r\n".encode())
        return self.read()

    def read(self, head_only=False):
        """The next response. Its body ends as its head says."""
        head = self._until(b"\r\n\r\n").decode("latin-1")
        status_line, *lines = head[:-4].split("\r\n")
        version, status, _ = status_line.split(" ", 2)
        if version != "HTTP/1.1":
            raise AssertionError(f"not a status line: {status_line}")
        fields = {}
        for line in lines:
            name, value = line.split(": ", 1)
            fields[name.lower()] = value
        status = int(status)
        if head_only or status in (100, 204, 304):
            body = b""
        elif fields.get("transfer-encoding") == "chunked":
            body = self._chunks()
        elif "content-length" in fields:
            body = self._exactly(int(fields["content-length"]))
        else:
            body = self.rest()
        return Response(status, fields, body)

    def rest(self):
        """All that comes until the end of the stream."""
        while self._more():
            pass
        return self._exactly(len(self._unread))

    def has_ended(self):
        """Whether nothing comes but the end."""
        return self.rest() == b""

    def has_more(self):
        """Whether another byte comes before the end."""
        return bool(self._unread) or self._more()

    def _chunks(self):
        body = b""
        while True:
            size = int(self._until(b"\r\n")[:-2], 16)
            piece = self._exactly(size + 2)
            if not piece.endswith(b"\r\n"):
                raise AssertionError(f"a chunk that does not end: {piece[-20:]}")
            if size == 0:
                return body
            body += piece[:-2]

    def _until(self, mark):
        while mark not in self._unread:
            if not self._more():
                raise EOFError(f"the stream ended before {mark}: {self._unread[-100:]}")
        at = self._unread.index(mark) + len(mark)
        return self._exactly(at)

    def _exactly(self, count):
        while len(self._unread) < count:
            if not self._more():
                raise EOFError(f"the stream ended {count - len(self._unread)} bytes early")
        piece = bytes(self._unread[:count])
        del self._unread[:count]
        return piece

    def _more(self):
        some = self.socket.recv(AT_ONCE)
        self._unread += some
        return bool(some)
