"""What vk-http makes of the files of a directory: types, conditions, ranges, and paths that lead elsewhere."""

import email.utils
import os
import shutil
import socket
import tempfile
import threading
import time
from pathlib import Path

from http_client import HttpClient
from server import MIB, ServerCase, main

HELLO = b"Hello, file!\n"
OLD = 784111777  # Sun, 06 Nov 1994 08:49:37 GMT
OLD_DATE = "Sun, 06 Nov 1994 08:49:37 GMT"
SECRET = b"not to be served"


def pattern(size):
    """Bytes that differ from place to place."""
    block = b"".join(b"%07x\n" % at for at in range(0, 1 << 20, 8))
    return (block * (size // len(block) + 1))[:size]


class FilesCase(ServerCase):
    def setUp(self):
        super().setUp()
        self.room = Path(tempfile.mkdtemp(prefix="vk-files-"))
        self.addCleanup(shutil.rmtree, self.room)
        self.root = self.room / "root"
        self.root.mkdir()
        (self.room / "secret").write_bytes(SECRET)
        self.put("hello.txt", HELLO)
        self.server = self.serve("--root", str(self.root))
        self.client = self.another()

    def put(self, name, content, modified=OLD):
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        os.utime(path, (modified, modified))
        return path

    def another(self, **how):
        made = HttpClient(self.server.address, **how)
        self.addCleanup(made.close)
        return made

    def get(self, path, fields="", version="1.1"):
        return self.client.get("/static/" + path, fields, version)

    def settled_fds(self):
        """How many it has open between two requests: a file is closed behind the answer that it was for."""
        self.get("nothing")
        return self.server.fds()

    def stop(self):
        return self.server.stop()


class Files(FilesCase):
    def test_a_file_comes_with_its_type_its_length_and_what_tells_its_version(self):
        answer = self.get("hello.txt")
        self.assertEqual((answer.status, answer.body), (200, HELLO))
        self.assertEqual(answer.fields["content-type"], "text/plain")
        self.assertEqual(answer.fields["content-length"], str(len(HELLO)))
        self.assertEqual(answer.fields["last-modified"], OLD_DATE)
        self.assertEqual(answer.fields["accept-ranges"], "bytes")
        self.assertRegex(answer.fields["etag"], r'^"[^"]+"$')
        self.stop()

    def test_files_of_every_size_come_whole_on_one_connection(self):
        for size in (0, 1, 100, 4096, 16_000, 16_383, 16_384, 16_385, 32_768, 100_000, 262_144, 262_145, 3 * MIB):
            self.put("file", pattern(size))
            answer = self.get("file")
            self.assertEqual(answer.status, 200)
            self.assertEqual(answer.fields["content-length"], str(size))
            self.assertTrue(answer.body == pattern(size), f"another file of {size} bytes")
        counted = self.stop()
        self.assertGreater(counted["bytes_out"], 3 * MIB)

    def test_types_are_those_of_the_endings(self):
        for name, wanted in (("a.html", "text/html"), ("a.CSS", "text/css"), ("a.js", "text/javascript"),
                             ("a.svg", "image/svg+xml"), ("a.tar.gz", "application/gzip"),
                             ("a", "application/octet-stream"), ("a.nothing", "application/octet-stream")):
            self.put(name, b"x")
            self.assertEqual(self.get(name).fields["content-type"], wanted)
        self.stop()

    def test_head_tells_what_get_would(self):
        self.put("large", pattern(MIB))
        for name in ("hello.txt", "large"):
            told = self.get(name).fields
            self.client.send(f"HEAD /static/{name} HTTP/1.1\r\nHost: a\r\nRange: bytes=0-0\r\n\r\n".encode())
            answer = self.client.read(head_only=True)
            self.assertEqual(answer.status, 200)
            for field in ("content-length", "content-type", "etag", "last-modified", "accept-ranges"):
                self.assertEqual(answer.fields[field], told[field])
        self.assertEqual(self.get("hello.txt").body, HELLO)
        self.stop()

    def test_other_methods_are_405(self):
        self.client.send(b"DELETE /static/hello.txt HTTP/1.1\r\nHost: a\r\n\r\n")
        answer = self.client.read()
        self.assertEqual((answer.status, answer.fields["allow"]), (405, "GET, HEAD"))
        self.stop()

    def test_a_directory_is_its_index_behind_a_slash(self):
        self.put("index.html", b"root")
        self.put("dir/index.html", b"dir")
        self.put("dir/other/file", b"other")
        self.put("odd/index.html/file", b"a directory is no index")
        self.assertEqual(self.get("").body, b"root")
        self.assertEqual(self.get("").fields["content-type"], "text/html")
        self.assertEqual(self.get("dir/").body, b"dir")
        self.assertEqual(self.get("dir/index.html").body, b"dir")
        for path, there in (("dir", "/static/dir/"), ("dir?a=b", "/static/dir/?a=b"), ("%64ir", "/static/%64ir/")):
            answer = self.get(path)
            self.assertEqual((answer.status, answer.fields["location"]), (301, there))
        for path in ("dir/other/", "dir/index.html/", "odd/", "hello.txt/"):
            self.assertEqual(self.get(path).status, 404, path)
        self.assertEqual(self.client.get("/static").status, 404)
        self.stop()

    def test_a_name_may_have_any_bytes_once_they_are_decoded(self):
        self.put("a b%?#+\xe4\n.txt", b"odd")
        self.assertEqual(self.get("a%20b%25%3f%23+%C3%A4%0a.txt").body, b"odd")
        self.put("%2e", b"once")
        self.assertEqual(self.get("%252e").body, b"once")
        self.stop()

    def test_what_is_not_there_is_404_and_what_is_not_readable_403(self):
        for path in ("none", "none/none", "hello.txt/none", "x" * 300, "x/" * 2000 + "x"):
            self.assertEqual(self.get(path).status, 404, path[:20])
        for path in ("%", "%zz", "a%2", "%00", "hello.txt%00", "hello.txt%00.html"):
            self.assertEqual(self.get(path).status, 400, path)
        if os.geteuid() != 0:
            self.put("private", b"x").chmod(0)
            self.assertEqual(self.get("private").status, 403)
        self.assertEqual(self.get("hello.txt").body, HELLO)
        self.stop()

    def test_what_is_no_file_is_404_and_does_not_block(self):
        os.mkfifo(self.root / "fifo")
        bound = socket.socket(socket.AF_UNIX)
        self.addCleanup(bound.close)
        bound.bind(str(self.root / "socket"))
        for name in ("fifo", "socket"):
            self.assertEqual(self.get(name).status, 404, name)
        self.assertEqual(self.get("hello.txt").body, HELLO)
        self.stop()

    def test_no_file_stays_open(self):
        self.get("hello.txt")
        fds = self.settled_fds()
        self.put("large", pattern(MIB))
        for path in ("hello.txt", "large", "none", "dir", "%00"):
            self.get(path)
        self.get("large", "Range: bytes=5000000-\r\n")
        self.get("large", "If-None-Match: *\r\n")
        self.server.has_fds(fds)
        self.stop()


class Escapes(FilesCase):
    def refused(self, path):
        answer = self.get(path)
        self.assertIn(answer.status, (400, 404), path)
        self.assertNotIn(SECRET, answer.body)

    def test_no_path_leads_out(self):
        self.put("dir/file", b"x")
        outside = str(self.room / "secret")
        for path in ("../secret", "dir/../../secret", "%2e%2e/secret", "%2E%2e/secret", ".%2e/secret", "%2e./secret",
                     "..%2fsecret", "%2e%2e%2fsecret", "dir/%2e%2e/%2e%2e/secret", "dir/..//../secret",
                     "./../secret", "../root/../secret", "../root/hello.txt", outside, outside[1:], "/" + outside,
                     outside.replace("/", "%2f"), "/etc/passwd", "%2fetc/passwd", "..\\secret", "..%5csecret",
                     "%252e%252e/secret", "..%c0%afsecret", "..%00/secret", "../secret%00", "file:///etc/passwd",
                     "....//secret", "/proc/self/environ", "../" * 20 + outside[1:]):
            self.refused(path)
        self.assertEqual(self.client.get("/../secret").status, 404)
        self.assertEqual(self.client.get("/static/../secret").status, 404)
        self.assertEqual(self.get("dir/../hello.txt").body, HELLO)  # which does not lead out
        self.stop()

    def test_no_link_leads_out(self):
        self.put("dir/file", b"x")
        links = {"up": "../secret", "absolute": str(self.room / "secret"), "folder": str(self.room), "above": "..",
                 "inside-absolute": str(self.root / "hello.txt"), "loop": "loop", "dangling": "none",
                 "cwd": "/proc/self/cwd", "deep": "dir/../../secret"}
        for name, to in links.items():
            (self.root / name).symlink_to(to)
        for path in ("up", "absolute", "folder/secret", "above/secret", "inside-absolute", "loop", "dangling",
                     "cwd/hello.txt", "deep", "folder/", "above/"):
            self.refused(path)
        (self.root / "within").symlink_to("dir/../hello.txt")
        self.assertEqual(self.get("within").body, HELLO)
        self.stop()


class Conditions(FilesCase):
    def status(self, fields):
        answer = self.get("hello.txt", fields)
        if answer.status in (304, 412):
            self.assertEqual(answer.body, b"")
        return answer.status

    def test_who_has_the_version_is_not_sent_it_again(self):
        etag = self.get("hello.txt").fields["etag"]
        for fields, wanted in ((f"If-None-Match: {etag}\r\n", 304), (f'If-None-Match: "x", W/{etag}\r\n', 304),
                               ('If-None-Match: "x"\r\n', 200), ("If-None-Match: *\r\n", 304),
                               (f"If-Modified-Since: {OLD_DATE}\r\n", 304),
                               ("If-Modified-Since: Sat, 05 Nov 1994 08:49:37 GMT\r\n", 200),
                               (f"If-Modified-Since: {OLD_DATE}\r\nIf-None-Match: \"x\"\r\n", 200),
                               (f"If-Match: {etag}\r\n", 200), ('If-Match: "x"\r\n', 412),
                               (f"If-Unmodified-Since: {OLD_DATE}\r\n", 200),
                               ("If-Unmodified-Since: Sat, 05 Nov 1994 08:49:37 GMT\r\n", 412)):
            self.assertEqual(self.status(fields), wanted, fields)
        kept = self.get("hello.txt", f"If-None-Match: {etag}\r\n").fields
        self.assertEqual((kept["etag"], kept["last-modified"]), (etag, OLD_DATE))
        self.assertNotIn("content-length", kept)
        self.stop()

    def test_another_version_has_another_tag(self):
        tags = {self.get("hello.txt").fields["etag"]}
        self.put("hello.txt", HELLO, OLD + 1)
        tags.add(self.get("hello.txt").fields["etag"])
        self.put("hello.txt", HELLO + b"!", OLD + 1)
        tags.add(self.get("hello.txt").fields["etag"])
        self.assertEqual(len(tags), 3)
        self.stop()

    def test_nothing_was_modified_in_the_future(self):
        for modified in (time.time() + 86_400, 2**33, -86_400):
            self.put("hello.txt", HELLO, modified)
            answer = self.get("hello.txt")
            told = email.utils.parsedate_to_datetime(answer.fields["last-modified"])
            self.assertLessEqual(told, email.utils.parsedate_to_datetime(answer.fields["date"]))
            self.assertIn(304, [self.status_since_now() for _ in range(3)])
        self.stop()

    def status_since_now(self):
        """What is answered to who saw it now; the second may be another by then."""
        now = self.get("hello.txt").fields["date"]
        return self.status(f"If-Modified-Since: {now}\r\n")


class Ranges(FilesCase):
    def range(self, name, wanted, fields=""):
        answer = self.get(name, f"Range: bytes={wanted}\r\n{fields}")
        return answer.status, answer.fields.get("content-range"), answer.body

    def test_a_part_is_sent_of_files_small_and_large(self):
        for size in (1000, 3 * MIB):
            content = pattern(size)
            self.put("file", content)
            for wanted, first, last in (("0-0", 0, 0), ("10-19", 10, 19), ("500-", 500, size - 1),
                                        ("-1", size - 1, size - 1), (f"-{size + 5}", 0, size - 1),
                                        (f"{size - 1}-", size - 1, size - 1), (f"0-{size * 2}", 0, size - 1),
                                        ("0-" + "9" * 40, 0, size - 1)):
                status, told, body = self.range("file", wanted)
                self.assertEqual((status, told), (206, f"bytes {first}-{last}/{size}"))
                self.assertTrue(body == content[first:last + 1], wanted)
            for wanted in (f"{size}-", f"{size}-{size + 1}", "-0"):
                self.assertEqual(self.range("file", wanted), (416, f"bytes */{size}", b""))
            for wanted in ("", "x", "5-4", "0-1,3-4"):
                status, told, body = self.range("file", wanted)
                self.assertEqual((status, told), (200, None))
                self.assertTrue(body == content, wanted)
        self.stop()

    def test_a_part_is_sent_of_the_version_that_is_known_alone(self):
        etag = self.get("hello.txt").fields["etag"]
        self.assertEqual(self.range("hello.txt", "0-4", f"If-Range: {etag}\r\n")[2], b"Hello")
        self.assertEqual(self.range("hello.txt", "0-4", f"If-Range: {OLD_DATE}\r\n")[2], b"Hello")
        for known in ('"x"', f"W/{etag}", "Sat, 05 Nov 1994 08:49:37 GMT"):
            self.assertEqual(self.range("hello.txt", "0-4", f"If-Range: {known}\r\n")[2], HELLO)
        self.assertEqual(self.range("hello.txt", "0-4", 'If-None-Match: *\r\n')[0], 304)
        self.stop()

    def test_an_empty_file_has_no_part(self):
        self.put("empty", b"")
        self.assertEqual(self.range("empty", "0-"), (416, "bytes */0", b""))
        self.assertEqual(self.range("empty", "-5"), (200, None, b""))
        self.stop()


class Large(FilesCase):
    def setUp(self):
        super().setUp()
        self.content = pattern(64 * MIB)
        self.large = self.put("large", self.content)

    def test_a_slow_reader_of_a_large_file_costs_no_memory_and_stops_nobody(self):
        self.get("hello.txt")
        before = self.server.resident_bytes()
        slow = self.another(receive_buffer=64 * 1024)
        slow.send(b"GET /static/large HTTP/1.1\r\nHost: a\r\n\r\n")
        time.sleep(0.3)
        self.comes_to_rest(self.server)
        self.assertLess(self.server.resident_bytes() - before, MIB)
        began = time.monotonic()
        for _ in range(100):
            self.assertEqual(self.get("hello.txt").body, HELLO)
        self.assertLess(time.monotonic() - began, 5)
        self.assertTrue(slow.read().body == self.content)
        self.assertLess(self.server.resident_bytes() - before, MIB)
        self.stop()

    def test_two_large_files_are_sent_side_by_side(self):
        bodies = []
        clients = [self.another() for _ in range(2)]
        for client in clients:
            client.send(b"GET /static/large HTTP/1.1\r\nHost: a\r\n\r\n")
        readers = [threading.Thread(target=lambda one=one: bodies.append(one.read().body)) for one in clients]
        for reader in readers:
            reader.start()
        while any(reader.is_alive() for reader in readers):
            self.assertEqual(self.get("hello.txt").body, HELLO)
        for reader in readers:
            reader.join()
        self.assertTrue(bodies == [self.content] * 2)
        self.stop()

    def test_pipelined_requests_behind_a_large_file_are_answered(self):
        self.client.send(b"GET /static/large HTTP/1.1\r\nHost: a\r\n\r\n"
                         b"GET /static/hello.txt HTTP/1.1\r\nHost: a\r\n\r\n")
        self.assertTrue(self.client.read().body == self.content)
        self.assertEqual(self.client.read().body, HELLO)
        self.stop()

    def test_a_client_that_goes_away_is_no_matter(self):
        self.get("hello.txt")
        fds = self.settled_fds()
        for _ in range(5):
            gone = self.another(receive_buffer=4096)
            gone.send(b"GET /static/large HTTP/1.1\r\nHost: a\r\n\r\n")
            gone.socket.recv(1000)
            gone.close()
        self.server.has_fds(fds)
        self.assertEqual(self.get("hello.txt").body, HELLO)
        self.stop()

    def test_a_file_that_shrinks_while_it_is_sent_breaks_the_connection_off(self):
        self.get("hello.txt")
        fds = self.settled_fds()
        one = self.another(receive_buffer=4096)
        one.send(b"GET /static/large HTTP/1.1\r\nHost: a\r\n\r\n")
        one.socket.recv(1000)
        os.truncate(self.large, 1000)
        with self.assertRaises((EOFError, ConnectionResetError)):
            while one.socket.recv(1 << 20):
                pass
            raise EOFError
        self.server.has_fds(fds)
        self.assertEqual(self.get("hello.txt").body, HELLO)
        self.stop()

    def test_a_file_that_is_replaced_while_it_is_sent_comes_as_it_was(self):
        one = self.another(receive_buffer=64 * 1024)
        one.send(b"GET /static/large HTTP/1.1\r\nHost: a\r\n\r\n")
        time.sleep(0.1)
        os.unlink(self.large)
        self.put("large", b"new")
        self.assertTrue(one.read().body == self.content)
        self.assertEqual(self.get("large").body, b"new")
        self.stop()


if __name__ == "__main__":
    main()
