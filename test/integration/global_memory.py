"""A limit on the global heap: one connection cannot take what the others need.

The server is hungry.cpp: GET /devour wants 64 MiB, by pieces of 64 KiB.
"""

import server as server_module
from http_client import HttpClient
from server import KIB, MIB, ServerCase, is_sanitized, main

PIECE = 64 * KIB


class GlobalMemory(ServerCase):
    def setUp(self):
        super().setUp()
        if is_sanitized():
            self.skipTest("a sanitizer brings an operator new of its own, which counts for no process")

    def client(self, server):
        made = HttpClient(server.address)
        self.addCleanup(made.close)
        return made

    def most_resident(self, server):
        """The most physical memory that the server ever had."""
        return int(server.status()["VmHWM"].split()[0]) * KIB

    def is_served(self, clients):
        for client in clients:
            answer = client.get("/plaintext")
            self.assertEqual((answer.status, answer.body), (200, b"Hello, World!"))

    def test_without_a_limit_a_request_takes_what_it_wants(self):
        server = self.serve()
        before = server.resident_bytes()
        self.assertEqual(self.client(server).get("/devour").status, 200)
        self.assertGreater(self.most_resident(server) - before, 60 * MIB)
        count = server.stop()
        self.assertGreaterEqual(count["global_bytes_high_water"], 64 * MIB)
        self.assertEqual(count["allocations_refused"], 0)
        self.assertEqual(count["global_bytes_lost"], 0)

    def test_a_request_that_takes_without_end_is_answered_500_and_its_neighbours_are_served(self):
        server = self.serve("--global-memory", "1M")
        neighbours = [self.client(server) for _ in range(20)]
        self.is_served(neighbours)
        hungry = self.client(server)
        before = server.resident_bytes()
        for _ in range(51):
            hungry.send(b"GET /devour HTTP/1.1\r\nHost: test\r\n\r\n")
            self.is_served(neighbours)
            self.assertEqual(hungry.read().status, 500)
        self.is_served([hungry])  # what it had taken, it has given back
        grown = self.most_resident(server) - before
        print(f"51 requests for 64 MiB, limited to 1 MiB: the server grew by {grown // KIB} KiB at most")
        self.assertLess(grown, 2 * MIB)
        count = server.stop()
        self.assertEqual(count["allocations_refused"], 51)
        self.assertEqual(count["processes_failed"], 0)
        self.assertEqual(count["global_bytes_lost"], 0)
        self.assertGreater(count["global_bytes_high_water"], MIB - 2 * PIECE)
        self.assertLessEqual(count["global_bytes_high_water"], MIB + 4 * KIB)

    def test_many_of_them_at_once_take_no_more_than_their_limits_together(self):
        server = self.serve("--global-memory", "1M")
        neighbours = [self.client(server) for _ in range(20)]
        self.is_served(neighbours)
        before = server.resident_bytes()
        hungry = [self.client(server) for _ in range(30)]
        for client in hungry:
            client.send(b"GET /devour HTTP/1.1\r\nHost: test\r\n\r\n" * 4)
        for _ in range(4):
            self.is_served(neighbours)
            for client in hungry:
                self.assertEqual(client.read().status, 500)
        grown = self.most_resident(server) - before
        print(f"30 clients that want 64 MiB each, limited to 1 MiB: the server grew by {grown // KIB} KiB at most")
        self.assertGreater(grown, len(hungry) * MIB / 2)  # they did hold it at once
        self.assertLess(grown, len(hungry) * (MIB + 64 * KIB))
        self.assertEqual(server.stop()["allocations_refused"], 4 * len(hungry))

    def test_an_answer_that_had_begun_breaks_off(self):
        server = self.serve("--global-memory", "1M")
        neighbour = self.client(server)
        self.is_served([neighbour])
        hungry = self.client(server)
        hungry.send(b"GET /late HTTP/1.1\r\nHost: test\r\n\r\n")
        got = hungry.rest()
        self.assertNotIn(b"An end", got)
        self.assertFalse(got.endswith(b"0\r\n\r\n"), got)
        self.is_served([neighbour])
        count = server.stop()
        self.assertEqual((count["processes_failed"], count["global_bytes_lost"]), (1, 0))
        self.assertIn("ended by global memory of 1048576 bytes exhausted", server.log())

    def test_the_log_says_once_for_each_connection_that_it_is_refused(self):
        server = self.serve("--global-memory", "100k")
        first, second = self.client(server), self.client(server)
        for _ in range(5):
            self.assertEqual(first.get("/devour").status, 500)
            self.assertEqual(second.get("/devour").status, 500)
        server.stop()
        refusals = [line for line in server.log().splitlines() if "thread 1: global memory of" in line]
        self.assertEqual(len(refusals), 2, server.log())
        for line in refusals:
            self.assertRegex(line, r"global memory of 102400 bytes exhausted: \d+ held, \d+ more asked")

    def test_what_a_connection_loses_is_counted_and_no_longer_its_own(self):
        server = self.serve("--global-memory", "1M")
        for _ in range(3):
            loser = self.client(server)
            for _ in range(10):
                self.assertEqual(loser.get("/lose").status, 200)
            loser.close()
        count = server.stop()
        self.assertGreaterEqual(count["global_bytes_lost"], 30 * PIECE)
        self.assertLess(count["global_bytes_lost"], 30 * (PIECE + KIB))
        self.assertEqual(count["allocations_refused"], 0)


class Options(ServerCase):
    def test_a_limit_in_a_program_that_cannot_count_is_refused(self):
        if not is_sanitized():
            self.skipTest("this program counts")
        with self.assertRaisesRegex(AssertionError, "counted_new"):
            server_module.Server("--global-memory", "1M")


if __name__ == "__main__":
    main()
