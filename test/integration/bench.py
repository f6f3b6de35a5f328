"""vk-bench measures the servers that it knows, and says what is wrong with one that answers wrongly.

The path of vk-bench is its argument. A measurement here is as short as it can be: figures are not looked at,
only that there are some.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path

PROGRAM = None

HEAD = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n"
RIGHT = HEAD + "\r\nHello"

# What a server says to its first request, to each further one, and what the bench is to say of it.
WRONG = {
    "another status": ("HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n", RIGHT, "503 Busy"),
    "another status, later": (RIGHT, "HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n", "503 Busy"),
    "no length": ("HTTP/1.1 200 OK\r\n\r\nHello", RIGHT, "0 Content-Length"),
    "more than was asked": (RIGHT, RIGHT + RIGHT, "more than it was asked"),
    "a longer body": (RIGHT, RIGHT + "!", "more than it was asked"),
    "an end": (RIGHT, "", "closed a connection"),
    "an end at once": ("", "", "closed a new connection"),
    "nothing": (RIGHT, None, "stopped answering"),
}

SERVER = """
import json, socket, sys, threading, time
first, later = json.loads(sys.argv[1])
listener = socket.create_server(("127.0.0.1", 0))
print(f"listening on 127.0.0.1:{listener.getsockname()[1]}", flush=True)
def serve(client):
    answer = first
    while client.recv(65536):
        if answer is None:
            time.sleep(60)
        if not answer:
            break
        client.sendall(answer.encode())
        answer = later
    client.close()
while True:
    threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()
"""


def wait_until(true):
    deadline = time.monotonic() + 10
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.01)


class Bench(unittest.TestCase):
    def setUp(self):
        room = tempfile.TemporaryDirectory(prefix="vk-bench-test-")
        self.addCleanup(room.cleanup)
        self.room = Path(room.name)

    def run_program(self, command, *options):
        """Its status, the rows of its JSON, and its notes."""
        report = self.room / "report.json"
        done = subprocess.run(
            [PROGRAM, command, "--json", report, "--svg", self.room / "plot.svg", *options],
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=100)
        self.assertIn(done.returncode, (0, 1), done.stderr)
        said = json.loads(report.read_text())
        self.assertIn("<svg", (self.room / "plot.svg").read_text())
        for row in said["rows"]:
            self.assertIn(row["group"], done.stdout)
        return done.returncode, said["rows"], said["notes"]

    def measure(self, command, *options):
        """Rows by name and group, all of them measured."""
        status, rows, notes = self.run_program(command, "--rounds", "1", "--seconds", "0.2",
                                               "--warm-up", "0.01", *options)
        for row in rows:
            self.assertEqual(row.get("failure", ""), "", row)
            self.assertGreater(row["value"], 0, row)
            self.assertGreater(row["ratio"], 0, row)
        self.assertEqual(status, 0)
        return rows, notes

    def test_echo_closed_and_open_loop(self):
        rows, _ = self.measure("echo", "--connections", "3", "--depth", "1,16")
        self.assertEqual([row["name"] for row in rows], 2 * ["epoll", "vk", "asio", "threads", "fork"])
        rows, _ = self.measure("echo", "--connections", "3", "--rate", "1000", "--servers",
                               "epoll,vk --isolation full")
        self.assertEqual([row["name"] for row in rows], ["epoll", "vk --isolation full"])

    def test_http_and_what_is_left_out_is_said(self):
        rows, notes = self.measure("http", "--connections", "3", "--depth", "1,16")
        names = {row["name"] for row in rows}
        self.assertLessEqual({"epoll", "asio"}, names)
        said = {note.split(":")[0].removeprefix("without ") for note in notes}
        self.assertEqual(names | said,
                         {"epoll", "uring", "vk", "asio", "threads", "fork", "nginx", "go"})
        self.assertFalse(names & said)

    def test_http_with_the_request_of_a_browser(self):
        self.measure("http", "--connections", "3", "--request", "browser", "--path", "/index.html",
                     "--servers", "epoll,asio")

    def test_http_in_an_open_loop_at_a_part_of_what_the_baseline_can_do(self):
        rows, _ = self.measure("http", "--connections", "3", "--rate", "0.3", "--servers", "epoll")
        self.assertRegex(rows[0]["group"], r"\Aopen loop, 3 connections, \d+ requests/s\Z")

    def test_several_rates_are_parts_of_the_same(self):
        rows, _ = self.measure("http", "--connections", "3", "--rate", "0.1", "0.2", "1000",
                               "--servers", "epoll")
        low, high, fixed = (int(row["group"].split()[-2]) for row in rows)
        self.assertAlmostEqual(high / low, 2, delta=0.01)
        self.assertEqual(fixed, 1000)

    def test_http_with_a_connection_for_each_request(self):
        rows, _ = self.measure("http", "--connections", "3", "--close")
        self.assertEqual({row["group"] for row in rows},
                         {"3 connections at a time, one request each"})

    def test_overload_says_what_is_not_counted(self):
        rows, notes = self.measure("overload", "--connections", "3", "--depth", "1,16", "--loads",
                                   "0.5,1,2", "--servers", "epoll,vk --poller poll")
        self.assertEqual([row["name"] for row in rows], 4 * ["50 %", "100 %", "200 %"])
        self.assertEqual(len({row["group"] for row in rows}), 4)
        plot = (self.room / "plot.svg").read_text()
        counted = not any("without system calls" in note for note in notes)
        self.assertEqual(plot.count("<polyline"), 8 if counted else 4)
        for row in rows:
            self.assertIn(row["baseline"], ("50 %", "100 %", "200 %"))
            self.assertEqual(row["more"]["p99 us"] is not None, row["name"] == "50 %", row)
            self.assertEqual(row["more"]["calls each"] is not None, counted, row)
            self.assertGreater(row["more"]["offered"], 0)

    def test_fairness_beside_hogs(self):
        for protocol in ("echo", "http"):
            with self.subTest(protocol):
                self.check_fairness(protocol)

    def check_fairness(self, protocol):
        rows, _ = self.measure("fairness", "--protocol", protocol, "--connections", "3", "--rate",
                               "2000", "--servers", "epoll,vk --poller poll")
        self.assertEqual([row["name"] for row in rows], 2 * ["no hog", "1 hog", "8 hogs"])
        for row in rows:
            self.assertEqual(row["baseline"], "no hog")
            self.assertRegex(row["group"], r": 3 connections, 2000 (line|request)s/s\Z")
            more = row["more"]
            self.assertEqual(more["hogs/s"] > 2000, row["name"] != "no hog", row)
            self.assertLessEqual(more["p50 us"], row["value"])
            self.assertLessEqual(more["p99.9 us"], more["max us"])

    def test_idle_connections_of_http(self):
        rows, _ = self.measure("idle", "--protocol", "http", "--idle", "50", "--active", "2",
                               "--servers", "asio")
        self.assertEqual([row["unit"] for row in rows], ["bytes", "requests/s", "requests/s"])

    def test_isolation_beside_its_goals(self):
        rows, _ = self.measure("isolation", "--active", "3", "--idle", "50")
        levels = ["vk", "vk --isolation process", "vk --isolation full"]
        peers = ["fork", "threads"]
        self.assertEqual([row["name"] for row in rows],
                         2 * (levels + peers) + 2 * levels + levels + peers)
        self.assertEqual([row["group"] for row in rows[::4]][:4],
                         ["3 connections, 1 in flight", "3 connections, 1 in flight",
                          "3 connections, 16 in flight", "53 connections, 3 active, 1 in flight"])
        for row in rows:
            self.check_goals(row)

    def check_goals(self, row):
        more, goals = row["more"], row.get("goals", {})
        masked = row["name"].startswith("vk --isolation")
        self.assertEqual(bool(goals), masked, row)
        self.assertEqual(more["calls"] is None, not row["name"].startswith("vk"), row)
        if not masked:
            self.assertIn(more["calls"], (0, None), row)
            return
        self.assertGreater(more["calls"], 0.5, row)
        self.assertLess(more["calls"], 5, row)
        long_lived = "request each" not in row["group"]
        self.assertEqual("ratio" in goals, long_lived, row)
        if long_lived:
            self.assertEqual(goals["p99 ratio"]["met"], more["p99 ratio"] < 2.005, row)
        self.assertEqual({"of fork", "of threads"} <= more.keys(), "active" not in row["group"], row)

    def test_isolation_alone_and_of_other_servers(self):
        rows, _ = self.measure("isolation", "--active", "3", "--idle", "5", "--depth", "1", "--alone",
                               "--servers", "vk --poller poll,vk --poller poll --isolation full")
        self.assertEqual([row["name"] for row in rows],
                         3 * ["vk --poller poll", "vk --poller poll --isolation full"])

    def test_the_end_of_a_process_by_what_it_holds(self):
        status, rows, _ = self.run_program("end", "--rounds", "1", "--frames", "1,1000")
        self.assertEqual(status, 0)
        self.assertEqual([row["group"] for row in rows],
                         [way for way in ("dropped", "dropped, masked", "unwound") for _ in "12"])
        for row in rows:
            self.assertGreater(row["value"], 0)
            self.assertEqual(row["more"]["pages"] > 20, row["name"] == "1000 frames", row)
        plot = (self.room / "plot.svg").read_text()
        self.assertEqual(plot.count("<polyline"), 5)
        self.assertIn(">1000<", plot)

    def test_whole_programs_beside_asio(self):
        status, rows, _ = self.run_program("runtime", "--rounds", "1", "--values", "1000",
                                           "--round-trips", "100", "--connections", "1,7")
        self.assertEqual(status, 0, rows)
        groups = {row["group"]: row["baseline"] for row in rows}
        self.assertEqual([group.split(",")[0] for group in groups],
                         ["skynet", "channel of 1", "channel of 64", "TCP ping-pong", "TCP ping-pong"])
        for group, baseline in groups.items():
            self.assertTrue(baseline.startswith("asio"), group)
            self.assertIn("vk", [row["name"] for row in rows if row["group"] == group])
        for row in rows:
            self.assertGreater(row["value"], 0, row)
            self.assertGreater(row["more"]["resident MB"], 0, row)
            self.assertEqual(set(row.get("goals", {})), {"ns", "resident MB"}
                             if row["name"] == "vk" and "skynet" in row["group"] else set(), row)

    def test_whole_programs_by_name(self):
        status, rows, _ = self.run_program("runtime", "--rounds", "1", "--filter", "channel of 1,",
                                           "--values", "1")
        self.assertEqual(status, 0)
        self.assertEqual({row["group"] for row in rows}, {"channel of 1, a value"})

    def test_a_wrong_answer_is_a_failure_that_is_said(self):
        script = self.room / "server.py"
        script.write_text(SERVER)
        for what, (first, later, said) in WRONG.items():
            with self.subTest(what):
                self.check_failure(script, first, later, said)

    def check_failure(self, script, first, later, said):
        server = self.room / "server"
        server.write_text(f"#!/bin/sh\nexec '{sys.executable}' '{script}' "
                          f"'{json.dumps([first, later])}'\n")
        server.chmod(0o755)
        status, rows, _ = self.run_program("http", "--rounds", "1", "--seconds", "0.2",
                                           "--connections", "2", "--depth", "1",
                                           "--servers", f"epoll,{server}")
        self.assertEqual(status, 1)
        self.assertNotIn("failure", rows[0])
        self.assertIn(said, rows[1]["failure"])

    def test_an_unknown_server_is_refused(self):
        for options in (["http", "--servers", "nonsense"], ["echo", "--servers", "nginx"],
                        ["serve", "--protocol", "http", "nonsense"]):
            with self.subTest(options):
                done = subprocess.run([PROGRAM, *options], capture_output=True, text=True, timeout=10)
                self.assertEqual(done.returncode, 2)
                self.assertRegex(done.stderr, r"\Avk-bench: there is no server named '\w+'\n\Z")

    def start(self, *options):
        return subprocess.Popen([PROGRAM, *options], env={**os.environ, "TMPDIR": str(self.room)},
                                stdout=subprocess.PIPE, stderr=subprocess.STDOUT)

    def left_behind(self):
        return list(self.room.iterdir())

    def test_nothing_is_left_behind(self):
        bench = self.start("http", "--rounds", "1", "--seconds", "0.05", "--connections", "1")
        said, _ = bench.communicate(timeout=100)
        self.assertEqual(bench.returncode, 0, said)
        self.assertEqual(self.left_behind(), [])

    def test_nothing_is_left_behind_by_one_that_is_killed(self):
        bench = self.start("http", "--seconds", "60", "--connections", "1", "--servers", "epoll")
        wait_until(self.left_behind)
        bench.kill()
        bench.communicate(timeout=10)
        wait_until(lambda: not self.left_behind())


if __name__ == "__main__":
    PROGRAM = sys.argv.pop(1)
    unittest.main()
