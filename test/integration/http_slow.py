"""Clients of vk-http that are slow, and many; and its end while they are at it."""

import queue
import random
import selectors
import signal
import socket
import threading
import time

from http_client import HttpClient
from server import KIB, ServerCase, is_sanitized, main, wait_until

HELLO = b"Hello, World!"
GET = b"GET /plaintext HTTP/1.1\r\nHost: test\r\n\r\n"


class SlowHeads(ServerCase):
    limit_s = 200

    def test_heads_that_come_byte_by_byte_stop_nobody_and_are_dropped(self):
        count = 500 if is_sanitized() else 5000
        self.needs_fds(count + 200)
        timeout = 6
        server = self.serve("--header-timeout", str(timeout), "--pool", str(count + 100))
        other = HttpClient(server.address)
        self.addCleanup(other.close)
        host, port = server.address.rsplit(":", 1)
        with selectors.DefaultSelector() as ready:
            began = {}
            for index in range(count):
                one = socket.socket()
                self.addCleanup(one.close)
                one.connect((host, int(port)))
                one.setblocking(False)
                one.send(GET[:1])
                began[one] = time.monotonic()
                ready.register(one, selectors.EVENT_READ)
            self.assertEqual(other.get("/plaintext").body, HELLO)
            answers, waits, sent = {}, [], 1
            next_byte = time.monotonic() + 1
            while ready.get_map():
                for key, _ in ready.select(0.05):
                    one = key.fileobj
                    try:
                        piece = one.recv(4096)
                    except ConnectionResetError:
                        piece = b""
                    text, _ = answers.get(one, (b"", 0))
                    answers[one] = (text + piece, time.monotonic() - began[one])
                    if not piece:
                        ready.unregister(one)
                asked = time.monotonic()
                self.assertEqual(other.get("/plaintext").body, HELLO)
                waits.append(time.monotonic() - asked)
                if time.monotonic() >= next_byte and sent < 12:
                    next_byte += 1
                    for key in list(ready.get_map().values()):
                        if key.fileobj not in answers:
                            try:
                                key.fileobj.send(GET[sent:sent + 1])
                            except OSError:
                                pass
                    sent += 1
        self.assertEqual(len(answers), count)
        self.assertGreater(sent, 4)
        for text, span in answers.values():
            self.assertTrue(text.startswith(b"HTTP/1.1 408 Request Timeout\r\n"), text[:80])
            self.assertGreater(span, timeout - 0.5)
            self.assertLess(span, timeout + 10)
        waits.sort()
        self.assertLess(waits[len(waits) // 2], 0.05)
        self.assertLess(waits[-1], 2)
        other.close()
        server.stop()


class SlowReaders(ServerCase):
    def test_a_reader_of_a_kib_a_second_holds_no_more_memory_than_its_heap(self):
        server = self.serve()
        other = HttpClient(server.address)
        self.addCleanup(other.close)
        self.assertEqual(other.get("/plaintext").body, HELLO)
        before = server.resident_bytes()
        readers = [HttpClient(server.address, receive_buffer=4 * KIB) for _ in range(20)]
        for reader in readers:
            self.addCleanup(reader.close)
            reader.send(b"GET /stream?n=100000000 HTTP/1.1\r\nHost: a\r\n\r\n")  # more than a GiB
        most = 0
        texts = [b""] * len(readers)
        for _ in range(8):
            for index, reader in enumerate(readers):
                texts[index] += reader.socket.recv(KIB)
            self.assertEqual(other.get("/plaintext").body, HELLO)
            time.sleep(1)
            most = max(most, server.resident_bytes() - before)
        heap = 25 * 4 * KIB  # of a connection, by default
        if not is_sanitized():
            self.assertLess(most, len(readers) * heap + 256 * KIB)
        for text in texts:
            self.assertIn(b"Line 0\n", text)
            self.assertEqual(len(text), 8 * KIB)
        self.comes_to_rest(server)
        for reader in readers:
            reader.close()
        self.assertEqual(other.get("/plaintext").body, HELLO)
        server.stop()

    def test_a_reader_that_takes_nothing_is_dropped(self):
        server = self.serve("--transfer-timeout", "1")
        fds = server.fds()
        deaf = HttpClient(server.address, receive_buffer=4 * KIB)
        self.addCleanup(deaf.close)
        deaf.send(b"GET /stream?n=100000000 HTTP/1.1\r\nHost: a\r\n\r\n")
        wait_until(lambda: server.fds() == fds + 1, what="the connection")
        began = time.monotonic()
        wait_until(lambda: server.fds() == fds, within=20, what="its end")
        self.assertGreater(time.monotonic() - began, 0.5)
        server.stop()


class Parted(Exception):
    """An answer that is not whole."""


class Load:
    """Clients that pipeline requests of every kind, each in an order of its own, until they are ended."""

    def __init__(self, address, clients, seed):
        self.address = address
        self.dice = random.Random(seed)
        self.clients = clients
        self.answered = 0
        self.ended = 0
        self.wrong = []

    def request(self, dice):
        """A request and the body of its answer."""
        kind = dice.randrange(4)
        if kind == 0:
            return GET, HELLO
        body = dice.randbytes(dice.choice((1, 100, 5000, 40_000)))
        if kind == 1:
            return (b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % len(body) + body, body)
        if kind == 2:
            half = len(body) // 2
            parts = [part for part in (body[:half], body[half:]) if part]
            text = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in parts)
            return (b"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" + text + b"0\r\n\r\n",
                    body)
        lines = dice.choice((1, 50, 2000))
        return (b"GET /stream?n=%d HTTP/1.1\r\nHost: a\r\n\r\n" % lines,
                b"".join(b"Line %d\n" % line for line in range(lines)))

    def answer(self, client, wanted):
        """Read an answer. Returns whether it is the last, or None when the end came in its place."""
        try:
            if not client.has_more():
                return None
        except ConnectionError:
            return None  # the client wrote to a server that had ended: what was sent before has been read
        try:
            answer = client.read()
        except (EOFError, ConnectionError) as e:
            raise Parted(f"of {len(wanted)} bytes: {e!r}") from None
        if answer.status != 200 or answer.body != wanted:
            raise Parted(f"another answer: {answer.status}, {answer.body[:40]}, not {wanted[:40]}")
        return answer.closes

    def client(self, seed):
        dice = random.Random(seed)
        client = HttpClient(self.address, timeout=30)
        wanted = queue.Queue(dice.choice((1, 4, 16)))
        done = threading.Event()

        def ask():
            try:
                while not done.is_set():
                    text, body = self.request(dice)
                    wanted.put(body)
                    client.send(text)
            except OSError:
                pass

        asking = threading.Thread(target=ask)
        asking.start()
        try:
            while True:
                last = self.answer(client, wanted.get())
                if last is None:
                    break
                self.answered += 1
                if last:
                    if client.has_more():
                        raise Parted("bytes behind the last answer")
                    break
            self.ended += 1
        except ConnectionError:
            self.ended += 1  # as above, behind the last answer
        except Parted as e:
            self.wrong.append(str(e))
        finally:
            done.set()
            try:
                client.socket.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            while not wanted.empty():
                wanted.get_nowait()
            asking.join()
            client.close()

    def run(self, before_end):
        """Run the clients until all have ended; `before_end` is called from within after a while."""
        running = [threading.Thread(target=self.client, args=(self.dice.random(),)) for _ in range(self.clients)]
        for one in running:
            one.start()
        time.sleep(1)
        before_end()
        for one in running:
            one.join(40)


class Ends(ServerCase):
    limit_s = 120

    def test_no_answer_is_broken_when_the_server_ends_under_load(self):
        for round_ in range(4):
            server = self.serve()
            load = Load(server.address, 30, round_)
            load.run(lambda server=server: server.send_signal(signal.SIGTERM))
            server.ended()
            self.assertEqual(load.wrong, [])
            self.assertEqual(load.ended, 30)
            self.assertGreater(load.answered, 300)

    def test_answers_that_a_slow_client_has_not_taken_yet_come_whole(self):
        server = self.serve()
        clients = []
        for _ in range(10):
            one = HttpClient(server.address, receive_buffer=4 * KIB)
            self.addCleanup(one.close)
            body = b"x" * 1000
            one.send(b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % len(body))
            clients.append((one, body))

        def ask(one, body):
            try:
                one.send(body + GET * 50_000)  # more than the server will read
            except OSError:
                pass

        asking = [threading.Thread(target=ask, args=pair) for pair in clients]
        for thread in asking:
            thread.start()
        time.sleep(0.2)
        server.send_signal(signal.SIGTERM)
        for one, body in clients:
            answer = one.read()
            self.assertTrue(answer.body == body)
            while True:
                try:
                    if not one.has_more():
                        break
                except ConnectionResetError:
                    break
                self.assertEqual(one.read().body, HELLO)
        for thread in asking:
            thread.join()
        server.ended()


if __name__ == "__main__":
    main()
