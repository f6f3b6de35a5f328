"""How soon a worker that was killed under load is replaced: connections opened right then are answered.

For figures run it on a release build, and alone. Timings are noisy: a round is judged by its median, and the
best of three rounds counts.
"""

import statistics

from kills import KillsCase, load
from server import is_sanitized, main

BACK_MS = 100
ROUNDS = 3
KILLS = 7


class RestartTimes(KillsCase):
    def is_back(self, size):
        most = BACK_MS * (5 if is_sanitized() else 1)
        server = self.crew(size)
        loading = self.background(load, server.address, 32)
        medians = []
        while len(medians) < ROUNDS and not any(one < most for one in medians):
            ms = sorted(1000 * span for span in self.kill_in_turn(server, KILLS))
            medians.append(statistics.median(ms))
            print(f"\n    {KILLS} kills under load, workers: {size}; back after {medians[-1]:.1f} ms, "
                  f"least {ms[0]:.1f}, most {ms[-1]:.1f}", flush=True)
        loaded = loading.result()
        server.stop()
        self.assertLess(min(medians), most)
        self.assertGreater(loaded["lines"], 0)
        self.assertEqual(loaded["refused"], 0)

    def test_one_worker(self):
        self.is_back(size=1)

    def test_two_workers(self):
        self.is_back(size=2)


if __name__ == "__main__":
    main()
