"""A poller on a system that does not allow what it needs: epoll is used, and the log says why."""

import sys
from pathlib import Path

from server import POLLER, ServerCase, main

_WITHOUT = Path(__file__).with_name("without_call.py")
_NEEDS = {
    "aio": ("io_setup", "Linux AIO"),
    "uring": ("io_uring_setup", "io_uring"),
    "uring-poll": ("io_uring_setup", "io_uring"),
}


class Forbidden(ServerCase):
    def test_epoll_is_used_and_the_log_says_why(self):
        call, what = _NEEDS[POLLER]
        server = self.serve(wrapper=[sys.executable, _WITHOUT, call])
        with server.connect() as client:
            client.exchange(b"hello\n")
        self.assertIn(f"{what} cannot be used, epoll is: Operation not permitted", server.log())
        count = server.stop()
        self.assertGreater(count["reads"], 0)
        self.assertEqual(count["bytes_in"], len("hello\n"))


if __name__ == "__main__":
    main()
