"""A server that passes requests on to another one: both are vk-http."""

import os
import socket
import tempfile
import threading
import time

from http_client import HttpClient
from server import KIB, MIB, ServerCase, main

HELLO = b"Hello, World!"


class ProxyCase(ServerCase):
    def pair(self, *options, **how):
        """The server behind, the one in front, and a client of that."""
        behind = self.serve(**how)
        front = self.serve("--upstream", behind.address, *options)
        return behind, front, self.client(front)

    def client(self, server):
        made = HttpClient(server.address)
        self.addCleanup(made.close)
        return made


class Passing(ProxyCase):
    def test_answers_come_back_over_one_connection(self):
        behind, front, client = self.pair()
        for _ in range(20):
            answer = client.get("/proxy/plaintext")
            self.assertEqual((answer.status, answer.body), (200, HELLO))
            self.assertEqual(answer.fields["via"], "1.1 mnvkd")
        self.assertEqual(client.get("/proxy/stream?n=2").body, b"Line 0\nLine 1\n")
        self.assertEqual(client.get("/proxy/nowhere").status, 404)
        self.assertEqual(client.get("/plaintext").body, HELLO)
        client.close()
        count = front.stop()
        self.assertEqual(count["connects"], 1)
        self.assertEqual(count["connect_errors"], 0)
        self.assertEqual(behind.stop()["accepts"], 1)

    def test_over_a_unix_socket(self):
        with tempfile.TemporaryDirectory() as room:
            behind, front, client = self.pair(listen=(f"unix:{room}/behind",))
            self.assertEqual(client.get("/proxy/plaintext").body, HELLO)
            front.stop()
            behind.stop()

    def test_large_bodies_go_both_ways_at_once(self):
        behind, front, client = self.pair()
        body = os.urandom(MIB)
        head = "POST /proxy/echo HTTP/1.1\r\nHost: test\r\n"
        for framing, text in (
            (f"Content-Length: {MIB}\r\n\r\n", body),
            ("Transfer-Encoding: chunked\r\n\r\n", b"%x\r\n%b\r\n0\r\n\r\n" % (MIB, body)),
        ):
            sending = threading.Thread(target=client.send, args=((head + framing).encode() + text,))
            sending.start()
            self.assertEqual(client.read().body, body)
            sending.join()
        self.assertEqual(client.get("/proxy/plaintext").body, HELLO)
        front.stop()
        behind.stop()

    def test_a_reader_that_is_slow_holds_up_the_server_behind(self):
        behind, front, client = self.pair()
        client.get("/proxy/plaintext")
        before = front.resident_bytes()
        client.send(b"GET /proxy/stream?n=100000000 HTTP/1.1\r\nHost: test\r\n\r\n")
        client.socket.recv(KIB)
        time.sleep(0.5)
        self.comes_to_rest(front)
        self.comes_to_rest(behind)
        self.assertLess(front.resident_bytes() - before, 8 * MIB)
        client.close()
        front.stop()
        behind.stop()


class Failing(ProxyCase):
    def test_a_server_that_is_gone_is_502_until_it_is_back(self):
        with tempfile.TemporaryDirectory() as room:
            at = f"unix:{room}/behind"
            behind, front, client = self.pair(listen=(at,))
            self.assertEqual(client.get("/proxy/plaintext").status, 200)
            behind.kill()
            self.assertEqual(client.get("/proxy/plaintext").status, 502)
            self.assertEqual(client.get("/proxy/plaintext").status, 502)
            again = self.serve(listen=(at,))
            self.assertEqual(client.get("/proxy/plaintext").body, HELLO)
            front.stop()
            again.stop()

    def test_an_answer_that_breaks_off_is_not_taken_for_whole(self):
        behind, front, client = self.pair()
        client.get("/proxy/plaintext")
        before = front.resident_bytes()
        client.send(b"GET /proxy/stream?n=100000000 HTTP/1.1\r\nHost: test\r\n\r\n")
        client.socket.recv(KIB)
        behind.kill()
        rest = client.rest()
        self.assertFalse(rest.endswith(b"0\r\n\r\n"))
        front.stop()

    def test_what_is_under_way_when_the_server_in_front_drains_is_finished(self):
        with socket.create_server(("127.0.0.1", 0)) as listener:
            front = self.serve("--upstream", "127.0.0.1:%d" % listener.getsockname()[1])
            client = self.client(front)
            client.send(b"GET /proxy/a HTTP/1.1\r\nHost: test\r\n\r\n")
            behind, _ = listener.accept()
            with behind:
                behind.recv(KIB)
                front.send_signal(15)
                time.sleep(0.2)
                behind.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ndo")
                time.sleep(0.1)
                behind.sendall(b"ne")
                answer = client.read()
                self.assertEqual((answer.status, answer.body), (200, b"done"))
            front.ended()


if __name__ == "__main__":
    main()
