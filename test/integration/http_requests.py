"""What an HTTP/1.1 server must make of requests, good and bad (RFC 9112)."""

import http.client
import signal
import subprocess
import tempfile
import time

import server as server_module
from http_client import HttpClient
from server import KIB, MIB, ServerCase, is_sanitized, main

HELLO = b"Hello, World!"
GET = b"GET /plaintext HTTP/1.1\r\nHost: test\r\n\r\n"


class HttpCase(ServerCase):
    def client(self, server, **how):
        made = HttpClient(server.address, **how)
        self.addCleanup(made.close)
        return made

    def start(self, *options):
        """A server and its first client."""
        server = self.serve(*options)
        return server, self.client(server)


class Requests(HttpCase):
    def test_a_request_is_answered_and_the_connection_kept(self):
        server, client = self.start()
        for _ in range(3):
            answer = client.get("/plaintext")
            self.assertEqual((answer.status, answer.body), (200, HELLO))
            self.assertEqual(answer.fields["content-type"], "text/plain")
            self.assertRegex(answer.fields["date"], r"^\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT$")
        self.assertEqual(client.get("/json").body, b'{"message":"Hello, World!"}')
        server.stop()

    def test_pipelined_requests_are_answered_in_order_by_one_write(self):
        server, client = self.start()
        client.get("/plaintext")
        client.send(GET * 8 + GET.replace(b"plaintext", b"json") + GET * 7)
        bodies = [client.read().body for _ in range(16)]
        self.assertEqual(bodies, [HELLO] * 8 + [b'{"message":"Hello, World!"}'] + [HELLO] * 7)
        client.close()
        count = server.stop()
        self.assertLessEqual(count["writes"], 4)

    def test_more_pipelined_answers_than_a_ring_holds_all_come(self):
        server, client = self.start()
        client.send(GET * 1000)
        for _ in range(1000):
            self.assertEqual(client.read().body, HELLO)
        server.stop()

    def test_a_request_may_come_byte_by_byte(self):
        server, client = self.start()
        for byte in b"POST /echo HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n4;a=b\r\nabcd\r\n0\r\nT: x\r\n\r\n":
            client.send(bytes([byte]))
            time.sleep(0.0005)
        self.assertEqual(client.read().body, b"abcd")
        self.assertEqual(client.get("/plaintext").body, HELLO)
        server.stop()

    def test_an_empty_line_before_a_request_is_passed_over(self):
        server, client = self.start()
        client.send(b"\r\n" + GET)
        self.assertEqual(client.read().body, HELLO)
        server.stop()

    def test_head_is_answered_as_get_without_the_body(self):
        server, client = self.start()
        client.send(GET.replace(b"GET", b"HEAD"))
        answer = client.read(head_only=True)
        self.assertEqual(answer.fields["content-length"], str(len(HELLO)))
        client.send(GET.replace(b"GET /plaintext", b"HEAD /stream?n=5"))
        self.assertEqual(client.read(head_only=True).status, 200)
        self.assertEqual(client.get("/plaintext").body, HELLO)
        server.stop()

    def test_head_of_an_endless_stream_keeps_nobody_waiting(self):
        server, client = self.start()
        client.send(GET.replace(b"GET /plaintext", b"HEAD /stream?n=18446744073709551615"))
        self.assertEqual(client.read(head_only=True).status, 200)
        self.assertEqual(self.client(server).get("/plaintext").body, HELLO)
        self.assertEqual(client.get("/plaintext").body, HELLO)
        server.stop()

    def test_a_client_of_http_1_0_gets_an_end_of_the_connection_or_keeps_it_if_it_asks(self):
        server, client = self.start()
        answer = client.get("/plaintext", "Connection: keep-alive\r\n", "1.0")
        self.assertEqual(answer.fields["connection"], "keep-alive")
        answer = client.get("/stream?n=2", "", "1.0")
        self.assertNotIn("transfer-encoding", answer.fields)
        self.assertEqual(answer.body, b"Line 0\nLine 1\n")
        server.stop()

    def test_a_connection_ends_when_the_client_says_so(self):
        server, client = self.start()
        answer = client.get("/plaintext", "Connection: close\r\n")
        self.assertTrue(answer.closes)
        self.assertTrue(client.has_ended())
        server.stop()

    def test_a_connection_ends_after_as_many_requests_as_are_allowed(self):
        server, client = self.start("--requests", "3")
        answers = [client.get("/plaintext") for _ in range(3)]
        self.assertEqual([answer.closes for answer in answers], [False, False, True])
        self.assertTrue(client.has_ended())
        server.stop()

    def test_a_path_or_a_method_that_no_route_has_is_refused_and_the_connection_kept(self):
        server, client = self.start()
        self.assertEqual(client.get("/none").status, 404)
        self.assertEqual(client.get("/plaintext/").status, 404)
        client.send(b"DELETE /echo HTTP/1.1\r\nHost: a\r\n\r\n")
        answer = client.read()
        self.assertEqual((answer.status, answer.fields["allow"]), (405, "POST, PUT"))
        client.send(b"OPTIONS /json HTTP/1.1\r\nHost: a\r\n\r\n")
        answer = client.read()
        self.assertEqual((answer.status, answer.fields["allow"]), (204, "GET, HEAD"))
        self.assertEqual(client.get("/stream?n=many").status, 400)
        self.assertEqual(client.get("/plaintext").body, HELLO)
        server.stop()


class Bodies(HttpCase):
    def post(self, client, body, fields=b""):
        client.send(b"POST /echo HTTP/1.1\r\nHost: test\r\n" + fields +
                    b"Content-Length: %d\r\n\r\n" % len(body) + body)
        return client.read()

    def test_a_body_comes_back(self):
        server, client = self.start()
        for size in (1, 100, 16 * KIB, 100 * KIB, 1 * MIB):
            body = bytes(range(256)) * (size // 256) + b"x" * (size % 256)
            answer = self.post(client, body, b"Content-Type: a/b\r\n")
            self.assertEqual(answer.body, body)
            self.assertEqual(answer.fields["content-type"], "a/b")
        self.assertEqual(self.post(client, b"").body, b"")
        server.stop()

    def test_a_chunked_body_comes_back_however_it_is_cut(self):
        server, client = self.start()
        head = b"PUT /echo HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n"
        for cut in (1, 7, 1000, 20_000):
            body = b"".join(b"%x\r\n%b\r\n" % (size, b"y" * size) for size in (1, 15, 4096, 30_000))
            text = head + body + b"0\r\n\r\n"
            cut = max(cut, len(text) // 2000)
            for start in range(0, len(text), cut):
                client.send(text[start:start + cut])
            self.assertEqual(client.read().body, b"y" * (1 + 15 + 4096 + 30_000))
        server.stop()

    def test_a_body_that_is_too_long_is_refused_and_the_connection_ended(self):
        server, client = self.start()
        client.send(b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 1048577\r\n\r\n" + b"x" * 1000)
        answer = client.read()
        self.assertEqual((answer.status, answer.closes), (413, True))
        self.assertTrue(client.has_ended())
        server.stop()

    def test_a_client_that_asks_to_go_on_is_told_when_the_body_is_read(self):
        server, client = self.start()
        client.send(b"POST /echo HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n")
        self.assertEqual(client.read().status, 100)
        client.send(b"hello")
        self.assertEqual(client.read().body, b"hello")
        server.stop()

    def test_a_client_that_asks_to_go_on_and_is_refused_is_disconnected(self):
        server, client = self.start()
        client.send(b"POST /none HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n")
        self.assertEqual(client.read().status, 404)
        self.assertTrue(client.has_ended())
        server.stop()

    def test_a_small_body_that_no_handler_reads_does_not_end_the_connection(self):
        server, client = self.start()
        client.send(b"POST /none HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n" + b"z" * 1000 + GET)
        self.assertEqual(client.read().status, 404)
        self.assertEqual(client.read().body, HELLO)
        server.stop()

    def test_a_large_body_that_no_handler_reads_ends_it(self):
        server, client = self.start()
        client.send(b"POST /none HTTP/1.1\r\nHost: a\r\nContent-Length: 900000\r\n\r\n" + b"z" * 900_000)
        self.assertEqual(client.read().status, 404)
        self.assertTrue(client.has_ended())
        server.stop()

    def test_a_body_that_ends_early_is_no_request(self):
        server, client = self.start()
        client.send(b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc")
        client.socket.shutdown(1)
        self.assertNotIn(b"\r\n\r\nabc" + b"x" * 7, client.rest())
        server.stop()

    def test_a_bad_chunk_ends_the_connection(self):
        server, client = self.start()
        client.send(b"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n")
        answer = client.read()
        self.assertEqual((answer.status, answer.closes), (400, True))
        self.assertTrue(client.has_ended())
        server.stop()


class Refusals(HttpCase):
    def refused(self, client, text, status):
        with self.subTest(text=text[:60]):
            client.send(text)
            answer = client.read()
            self.assertEqual((answer.status, answer.closes), (status, True))
            self.assertTrue(client.has_ended())

    def test_what_is_no_request_is_refused_and_the_connection_ended(self):
        server = self.serve()
        for text, status in (
                (b"hello\r\n\r\n", 400),
                (b"GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505),
                (b"GET / HTTP/1.1\r\n\r\n", 400),
                (b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
                (b"GET / HTTP/1.1\nHost: a\n\n", 400),
                (b"GET / HTTP/1.1\r\nHost : a\r\n\r\n", 400),
                (b"GET / HTTP/1.1\r\nHost: a\r\n folded\r\n\r\n", 400),
                (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
                (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", 400),
                (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n", 400),
                (b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", 501),
                (b"GET / HTTP/1.1\r\nHost: a\r\nExpect: all\r\n\r\n", 417),
                (b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\nHost: a\r\n\r\n", 414),
                (b"GET / HTTP/1.1\r\nHost: a\r\nA: " + b"b" * 9000 + b"\r\n\r\n", 431),
                (b"GET / HTTP/1.1\r\nHost: a\r\n" + b"A: b\r\n" * 200 + b"\r\n", 431)):
            self.refused(self.client(server), text, status)
        server.stop()

    def test_nothing_behind_a_refused_request_is_answered(self):
        server, client = self.start()
        client.send(b"GET / HTTP/1.1\r\nHost : a\r\n\r\n" + GET * 10)
        self.assertEqual(client.read().status, 400)
        self.assertTrue(client.has_ended())
        server.stop()

    def test_half_a_head_and_an_end_is_no_request(self):
        server, client = self.start()
        client.send(GET[:-2])
        client.socket.shutdown(1)
        self.assertNotIn(b"200 OK", client.rest())
        server.stop()


class Limits(HttpCase):
    def test_a_head_that_takes_too_long_is_ended_with_408(self):
        server, client = self.start("--header-timeout", "0.3")
        began = time.monotonic()
        try:
            for byte in GET * 10:
                client.send(bytes([byte]))
                time.sleep(0.02)
                if time.monotonic() - began > 2:
                    break
        except OSError:
            pass
        self.assertEqual(client.read().status, 408)
        server.stop()

    def test_an_idle_connection_is_ended_silently(self):
        server, client = self.start("--idle-timeout", "0.2")
        client.get("/plaintext")
        began = time.monotonic()
        self.assertTrue(client.has_ended())
        self.assertGreater(time.monotonic() - began, 0.1)
        server.stop()

    def test_a_body_that_does_not_come_is_ended_with_408(self):
        server, client = self.start("--transfer-timeout", "0.2")
        client.send(b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n")
        self.assertEqual(client.read().status, 408)
        self.assertTrue(client.has_ended())
        server.stop()

    def test_a_slow_reader_of_a_long_stream_costs_no_memory(self):
        server, client = self.start()
        client.get("/plaintext")
        before = server.resident_bytes()
        client.send(GET.replace(b"/plaintext", b"/stream?n=100000000"))
        time.sleep(0.3)
        self.assertLess(server.resident_bytes() - before, 300 * KIB * (2 if is_sanitized() else 1))
        self.comes_to_rest(server)
        client.close()
        server.stop()


class Drains(HttpCase):
    def test_what_is_in_flight_is_answered_and_the_connection_ended(self):
        server, client = self.start()
        idle = self.client(server)
        idle.get("/plaintext")
        client.send(b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhello")
        time.sleep(0.1)
        server.send_signal(signal.SIGTERM)
        self.assertTrue(idle.has_ended())
        time.sleep(0.1)
        client.send(b"there")
        self.assertEqual(client.read().body, b"hellothere")
        self.assertTrue(client.has_ended())
        server.ended()

    def test_half_a_head_is_awaited(self):
        server, client = self.start()
        client.send(GET[:20])
        time.sleep(0.1)
        server.send_signal(signal.SIGTERM)
        time.sleep(0.1)
        client.send(GET[20:])
        answer = client.read()
        self.assertEqual((answer.body, answer.closes), (HELLO, True))
        server.ended()


class AccessLog(HttpCase):
    def test_each_request_of_each_worker_is_a_line(self):
        with tempfile.NamedTemporaryFile("r") as log:
            server = self.serve("--workers", "2", "--access-log", log.name)
            for number in range(20):
                client = self.client(server)
                self.assertEqual(client.get(f"/plaintext?{number}").body, HELLO)
                client.send(b"no request\r\n\r\n")
                client.read()
            server.stop()
            lines = log.read().splitlines()
        self.assertEqual(len(lines), 40)
        for number in range(20):
            self.assertEqual(sum(f'"GET /plaintext?{number} HTTP/1.1" 200 13' in line
                                 for line in lines), 1)
        self.assertEqual(sum(line.split('"')[2].startswith(" 400 ") for line in lines), 20)

    def test_a_log_that_cannot_be_opened_is_said(self):
        made = subprocess.run([server_module.PROGRAM, "--access-log", "/dev/null/access.log"],
                              capture_output=True, text=True, timeout=10)
        self.assertEqual(made.returncode, 1)
        self.assertIn("/dev/null/access.log", made.stderr)


class Clients(HttpCase):
    def test_pythons_own_client_is_served(self):
        server = self.serve()
        host, port = server.address.rsplit(":", 1)
        one = http.client.HTTPConnection(host, int(port), timeout=10)
        for _ in range(3):
            one.request("POST", "/echo", body=iter([b"abc", b"def"]), encode_chunked=True,
                        headers={"Transfer-Encoding": "chunked"})
            self.assertEqual(one.getresponse().read(), b"abcdef")
            one.request("GET", "/stream?n=3")
            self.assertEqual(one.getresponse().read(), b"Line 0\nLine 1\nLine 2\n")
        one.close()
        server.stop()

    def test_curl_is_served(self):
        server = self.serve()
        url = f"http://{server.address}"

        def curl(*words, text=None):
            return subprocess.run(["curl", "-sS", "--max-time", "10", *words], input=text,
                                  capture_output=True, check=True).stdout

        self.assertEqual(curl(f"{url}/plaintext"), HELLO)
        self.assertEqual(curl("--http1.0", f"{url}/stream?n=1"), b"Line 0\n")
        large = b"0123456789" * 100_000
        self.assertEqual(curl("--data-binary", "@-", f"{url}/echo", text=large), large)
        self.assertEqual(curl("-T", "-", f"{url}/echo", text=large), large)  # chunked
        self.assertIn(b"200 OK", curl("-I", f"{url}/plaintext"))
        both = curl(f"{url}/plaintext", f"{url}/json", "-w", "%{num_connects}")
        self.assertEqual(both, HELLO + b"1" + b'{"message":"Hello, World!"}' + b"0")
        server.stop()


if __name__ == "__main__":
    main()
