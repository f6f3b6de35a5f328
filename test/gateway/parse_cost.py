"""Instructions that the parser needs for a request, counted by valgrind's callgrind.

Usage: parse_cost.py PROGRAM: the path of parse-cost. Prints a line for each kind of request; status 1 when one
needs more than its bound, 77 when there is no valgrind.
"""

import subprocess
import sys

import callgrind

# What an x86-64 with SSE2 needs, built by gcc 12 at -O2, and a tenth more, for other compilers.
BOUNDS = {"tiny": 425, "firefox": 1260, "chromium": 1355}


def count(program, kind):
    """How many bytes a request of this kind has, and the instructions that it takes."""
    run = subprocess.run(callgrind.counting("parse_counted*", program, kind),
                         capture_output=True, text=True, timeout=60, check=True)
    return int(run.stdout.split()[0]), callgrind.counted(run.stderr)


def main():
    if callgrind.is_missing():
        return callgrind.SKIPPED
    status = 0
    for kind, bound in BOUNDS.items():
        size, instructions = count(sys.argv[1], kind)
        print(f"{kind}: {size} bytes, {instructions} instructions (bound {bound})")
        if not 0 < instructions <= bound:
            status = 1
    return status


if __name__ == "__main__":
    sys.exit(main())
