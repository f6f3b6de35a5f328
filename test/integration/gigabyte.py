"""A stream of 1 GiB goes in and comes out; its checksum is that of what should be answered."""

import time

from server import MIB, ServerCase, is_sanitized, main
from stream import Stream, pieces


class Gigabyte(ServerCase):
    limit_s = 300

    def test_a_stream_of_1_gib_comes_back_with_its_checksum(self):
        server = self.serve()
        with server.connect() as client:
            client.exchange(b"the code is in memory now\n")
        before = server.resident_bytes()
        stream = Stream(self.connect(server))
        begun = time.monotonic()
        stream.run(pieces(1024 * MIB))
        span = time.monotonic() - begun
        print(f"{stream}; {stream.sent_bytes / MIB / span:.0f} MiB/s each way")
        self.assertTrue(stream.is_intact(), stream)
        if not is_sanitized():
            self.assertLess(server.resident_bytes() - before, MIB)
        count = server.stop()
        self.assertGreaterEqual(count["bytes_in"], 1024 * MIB)


if __name__ == "__main__":
    main()
