"""Others who speak HTTP/1.1 with vk-http: curl, Python, wrk, ab, nginx and HAProxy in front of it, Chromium.

Those that are not installed are skipped. A proxy is configured in a folder of its own, listens on a free port of the
loopback, and ends with its test.
"""

import ctypes
import http.client
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import unittest
from pathlib import Path

from http_client import HttpClient
from server import MIB, ServerCase, main, wait_until

HELLO = b"Hello, World!"
JSON = b'{"message":"Hello, World!"}'
LARGE = b"".join(b"%07x\n" % at for at in range(0, MIB, 8))
ASSETS = 50

_libc = ctypes.CDLL(None)


os.environ["PATH"] += ":/usr/sbin"  # where the proxies are


def needs(name):
    return unittest.skipUnless(shutil.which(name), f"{name} is not installed")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class PeersCase(ServerCase):
    def setUp(self):
        super().setUp()
        self.room = Path(tempfile.mkdtemp(prefix="vk-peers-"))
        self.addCleanup(shutil.rmtree, self.room, ignore_errors=True)
        self.root = self.room / "root"
        self.root.mkdir()
        (self.root / "large").write_bytes(LARGE)
        (self.root / "hello.txt").write_bytes(HELLO)
        self.server = self.serve("--root", str(self.root))
        self.url = f"http://{self.server.address}"

    def run_peer(self, *command, text=None, within=50):
        done = subprocess.run([str(word) for word in command], input=text, capture_output=True, timeout=within,
                              start_new_session=True, check=False)
        self.assertEqual(done.returncode, 0, (command, done.stdout[-500:], done.stderr[-500:]))
        return done.stdout

    def start_peer(self, *command):
        """A program that runs until the end of the test."""
        log = (self.room / "peer.log").open("wb")
        self.addCleanup(log.close)
        peer = subprocess.Popen([str(word) for word in command], stdin=subprocess.DEVNULL, stdout=log,
                                stderr=log, start_new_session=True,
                                preexec_fn=lambda: _libc.prctl(1, signal.SIGKILL))

        def end():
            try:
                os.killpg(peer.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
            peer.wait()

        self.addCleanup(end)
        return peer


@needs("curl")
class Curl(PeersCase):
    def curl(self, *words, text=None):
        return self.run_peer("curl", "-sS", "--max-time", 20, *words, text=text)

    def test_it_reads_every_kind_of_answer(self):
        self.assertEqual(self.curl(f"{self.url}/plaintext"), HELLO)
        self.assertEqual(self.curl(f"{self.url}/json", "--compressed"), JSON)
        self.assertEqual(self.curl(f"{self.url}/stream?n=3"), b"Line 0\nLine 1\nLine 2\n")
        self.assertEqual(len(self.curl(f"{self.url}/stream?n=100000").splitlines()), 100_000)
        self.assertEqual(self.curl("--http1.0", f"{self.url}/stream?n=1"), b"Line 0\n")
        self.assertIn(b"\r\n7\r\nLine 0\n\r\n0\r\n\r\n", b"\r\n" + self.curl("--raw", f"{self.url}/stream?n=1"))
        self.assertTrue(self.curl("-I", f"{self.url}/stream").startswith(b"HTTP/1.1 200 OK\r\n"))
        self.assertIn(b"Allow: GET, HEAD", self.curl("-i", "-X", "OPTIONS", f"{self.url}/json"))
        self.assertIn(b"204 No Content", self.curl("-i", "-X", "OPTIONS", "--request-target", "*", self.url))
        said = self.curl("-o", "/dev/null", "-w", "%{http_code}", f"{self.url}/none")
        self.assertEqual(said, b"404")
        self.server.stop()

    def test_it_keeps_its_connection_over_answers_of_every_kind(self):
        paths = ["plaintext", "none", "stream?n=5", "static/large", "static/none", "json"]
        words = sum(([f"{self.url}/{path}", "-o", "/dev/null"] for path in paths), [])
        said = self.curl(*words, "-w", "%{num_connects}")
        self.assertEqual(said, b"1" + b"0" * (len(paths) - 1))
        both = self.curl("-I", f"{self.url}/plaintext", "-w", "%{num_connects}", "--next", "-sS",
                         f"{self.url}/plaintext", "-w", "%{num_connects}")
        self.assertTrue(both.endswith(b"1" + HELLO + b"0"), both)
        self.server.stop()

    def test_it_sends_bodies_of_every_kind(self):
        for body in (b"", b"x", LARGE):
            for words in (("--data-binary", "@-"), ("-T", "-"), ("-T", "-", "-H", "Expect: 100-continue"),
                          ("--data-binary", "@-", "-H", "Expect: 100-continue"),
                          ("--data-binary", "@-", "-H", "Transfer-Encoding: chunked"),
                          ("--data-binary", "@-", "--http1.0")):
                if body != LARGE or "--http1.0" not in words:
                    self.assertTrue(self.curl(*words, f"{self.url}/echo", text=body) == body, words)
        said = self.curl("-F", "a=b", "-F", "c=@-", f"{self.url}/echo", text=b"the file")
        self.assertIn(b"the file", said)
        # Too long a body, and one that nobody wants: the answer is seen all the same.
        for path, status in (("echo", b"413"), ("none", b"404")):
            for expect in ("Expect:", "Expect: 100-continue"):
                said = self.curl("--data-binary", "@-", "-H", expect, "-o", "/dev/null", "-w", "%{http_code}",
                                 f"{self.url}/{path}", text=LARGE * 3)
                self.assertIn(said, (status, b"413"))
        self.server.stop()

    def test_it_asks_for_parts_and_for_what_is_new(self):
        large = f"{self.url}/static/large"
        self.assertEqual(self.curl("-r", "10-19", large), LARGE[10:20])
        self.assertEqual(self.curl("-r", "-5", large), LARGE[-5:])
        part = self.room / "part"
        part.write_bytes(LARGE[:5000])
        self.curl("-C", "-", "-o", part, large)
        self.assertTrue(part.read_bytes() == LARGE)
        tag = self.room / "tag"
        self.assertTrue(self.curl("--etag-save", tag, large) == LARGE)
        said = self.curl("--etag-compare", tag, "-o", "/dev/null", "-w", "%{http_code}", large)
        self.assertEqual(said, b"304")
        said = self.curl("-z", "1 Jan 2200", "-w", "%{http_code}", "-o", "/dev/null", large)
        self.assertEqual(said, b"304")
        self.server.stop()

    def test_it_follows_to_the_index_of_a_directory(self):
        (self.root / "dir").mkdir()
        (self.root / "dir/index.html").write_bytes(b"index")
        self.assertEqual(self.curl("-L", f"{self.url}/static/dir"), b"index")
        self.server.stop()

    def test_it_is_served_slowly_and_many_times_at_once(self):
        self.assertTrue(self.curl("--limit-rate", "2M", f"{self.url}/static/large") == LARGE)
        self.assertTrue(self.curl("-Z", f"{self.url}/stream?n=[1-50]").count(b"Line 0\n") == 50)
        self.server.stop()


class Python(PeersCase):
    def test_its_client_is_served(self):
        host, port = self.server.address.rsplit(":", 1)
        one = http.client.HTTPConnection(host, int(port), timeout=10)
        self.addCleanup(one.close)

        def ask(*words, **how):
            one.request(*words, **how)
            answer = one.getresponse()
            return answer.status, answer.read()

        one.connect()
        kept = one.sock
        for _ in range(3):
            self.assertEqual(ask("GET", "/plaintext"), (200, HELLO))
            self.assertEqual(ask("HEAD", "/static/large"), (200, b""))
            self.assertEqual(ask("POST", "/echo", body=LARGE), (200, LARGE))
            self.assertEqual(ask("POST", "/echo", body=iter([b"abc", b"def"]), encode_chunked=True,
                                 headers={"Transfer-Encoding": "chunked"}), (200, b"abcdef"))
            self.assertEqual(ask("GET", "/stream?n=2"), (200, b"Line 0\nLine 1\n"))
            self.assertEqual(ask("GET", "/static/large", headers={"Range": "bytes=-9"}), (206, LARGE[-9:]))
            self.assertEqual(ask("GET", "/none")[0], 404)
        self.assertIs(one.sock, kept)
        self.server.stop()


class LoadGenerators(PeersCase):
    @needs("wrk")
    def test_wrk_finds_no_error(self):
        said = self.run_peer("wrk", "-t", 1, "-c", 50, "-d", "2s", f"{self.url}/plaintext").decode()
        self.assertNotIn("Socket errors", said)
        self.assertNotIn("Non-2xx", said)
        self.assertGreater(int(re.search(r"(\d+) requests in", said)[1]), 100)
        self.server.stop()

    @needs("ab")
    def test_ab_finds_no_error_with_and_without_keep_alive(self):
        for words in ((), ("-k",)):
            for path in ("plaintext", "static/hello.txt"):
                said = self.run_peer("ab", "-q", *words, "-n", 2000, "-c", 20, f"{self.url}/{path}").decode()
                self.assertRegex(said, r"Complete requests:\s+2000\n")
                self.assertRegex(said, r"Failed requests:\s+0\n")
                self.assertNotIn("Non-2xx", said)
                self.assertEqual("Keep-Alive requests:    2000" in said, bool(words))
        self.server.stop()


NGINX = """
daemon off; master_process off; pid {room}/nginx.pid; error_log {room}/error.log;
events {{ worker_connections 200; }}
http {{
    access_log off;
    client_body_temp_path {room}/body; proxy_temp_path {room}/proxy; fastcgi_temp_path {room}/fastcgi;
    uwsgi_temp_path {room}/uwsgi; scgi_temp_path {room}/scgi;
    client_max_body_size 10m;
    upstream there {{ server {there}; keepalive 4; }}
    server {{
        listen 127.0.0.1:{port};
        location / {{
            proxy_pass http://there;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_request_buffering {buffering};
            proxy_buffering {buffering};
        }}
    }}
}}
"""

HAPROXY = """
global
    maxconn 200
defaults
    mode http
    timeout connect 5s
    timeout client 20s
    timeout server 20s
    option http-keep-alive
    http-reuse always
frontend here
    bind 127.0.0.1:{port}
    default_backend there
backend there
    server one {there}
"""


class Proxies(PeersCase):
    def front(self, template, command, **values):
        """The address of a proxy in front of the server."""
        port = free_port()
        config = self.room / "config"
        config.write_text(template.format(room=self.room, port=port, there=self.server.address, **values))
        peer = self.start_peer(*command, config)

        def listens():
            self.assertIsNone(peer.poll(), (self.room / "peer.log").read_text())
            with socket.socket() as probe:
                return probe.connect_ex(("127.0.0.1", port)) == 0

        wait_until(listens, what="the proxy")
        return f"127.0.0.1:{port}"

    def is_served(self, address):
        client = HttpClient(address)
        self.addCleanup(client.close)
        for _ in range(50):
            answer = client.get("/plaintext")
            self.assertEqual((answer.status, answer.body), (200, HELLO))
        for body in (b"x", LARGE):
            client.send(b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
            self.assertTrue(client.read().body == body)
            chunks = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in (body[:7], body[7:]) if part)
            client.send(b"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks +
                        b"0\r\n\r\n")
            self.assertTrue(client.read().body == body)
        self.assertEqual(client.get("/stream?n=20000").body.count(b"\n"), 20_000)
        self.assertTrue(client.get("/static/large").body == LARGE)
        self.assertEqual(client.get("/static/large", "Range: bytes=5-9\r\n").body, LARGE[5:10])
        tag = client.get("/static/hello.txt").fields["etag"]
        self.assertEqual(client.get("/static/hello.txt", f"If-None-Match: {tag}\r\n").status, 304)
        client.send(b"HEAD /static/large HTTP/1.1\r\nHost: a\r\n\r\n")
        self.assertEqual(client.read(head_only=True).fields["content-length"], str(len(LARGE)))
        self.assertEqual(client.get("/none").status, 404)
        client.send(b"POST /none HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc")
        self.assertEqual(client.read().status, 404)
        client.send(b"GET /plaintext HTTP/1.1\r\nHost: a\r\n\r\n" * 20)
        for _ in range(20):
            self.assertEqual(client.read().body, HELLO)
        # An answer behind one that was not wanted whole is still its own.
        away = HttpClient(address, receive_buffer=4096)
        away.send(b"GET /stream?n=1000000 HTTP/1.1\r\nHost: a\r\n\r\n")
        away.socket.recv(1000)
        away.close()
        self.assertEqual(client.get("/plaintext").body, HELLO)
        client.close()
        counted = self.server.stop()
        self.assertLess(counted["accepts"], 15)  # for about a hundred requests

    @needs("nginx")
    def test_nginx_in_front_keeps_its_connections(self):
        for buffering in ("on", "off"):
            with self.subTest(buffering=buffering):
                if not self.server.running:
                    self.server = self.serve("--root", str(self.root))
                room = ("nginx", "-p", self.room, "-e", self.room / "error.log", "-c")
                self.is_served(self.front(NGINX, room, buffering=buffering))

    @needs("haproxy")
    def test_haproxy_in_front_keeps_its_connections(self):
        self.is_served(self.front(HAPROXY, ("haproxy", "-db", "-f")))


PAGE = """<!doctype html><html><head><title>page</title>
<script>window.count = 0; function one() {{ ++window.count; }}</script>
{head}</head><body>{body}
<script>addEventListener("load", () => {{ document.body.dataset.loaded = "loaded " + window.count; }});</script>
</body></html>"""


class Browser(PeersCase):
    limit_s = 100

    @unittest.skipUnless(shutil.which("chromium") or shutil.which("google-chrome"), "Chromium is not installed")
    def test_chromium_loads_a_page_with_fifty_assets(self):
        head, body = "", ""
        page = self.root / "page"
        page.mkdir()
        for at in range(ASSETS):
            filler = "/* %s */\n" % ("x" * (at * 997))
            if at % 3 == 0:
                (page / f"{at}.js").write_text(filler + "one();\n")
                head += f'<script src="{at}.js"></script>\n'
            elif at % 3 == 1:
                (page / f"{at}.css").write_text(filler + f".c{at} {{ color: red; }}\n")
                head += f'<link rel="stylesheet" href="{at}.css" onload="one()">\n'
            else:
                (page / f"{at}.svg").write_text(
                    f'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><!-- {"x" * at * 997} --></svg>')
                body += f'<img src="{at}.svg" onload="one()">\n'
        (page / "index.html").write_text(PAGE.format(head=head, body=body))
        browser = shutil.which("chromium") or shutil.which("google-chrome")
        said = self.run_peer(browser, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run",
                             "--disable-dev-shm-usage", f"--user-data-dir={self.room}/profile",
                             "--virtual-time-budget=20000", "--dump-dom", f"{self.url}/static/page", within=90)
        self.assertIn(f'data-loaded="loaded {ASSETS}"', said.decode())
        counted = self.server.stop()
        self.assertLess(counted["accepts"], 20)


if __name__ == "__main__":
    main()
