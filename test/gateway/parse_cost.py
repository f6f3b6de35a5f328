"""Instructions that the parser needs for a request, counted by valgrind's callgrind.

Usage: parse_cost.py PROGRAM: the path of parse-cost. Prints a line for each kind of request; status 1 when one
needs more than its bound, 77 when there is no valgrind.
"""

import re
import shutil
import subprocess
import sys

# What an x86-64 with SSE2 needs, built by gcc 12 at -O2, and a tenth more, for other compilers.
BOUNDS = {"tiny": 490, "firefox": 1320, "chromium": 1410}


def count(program, kind):
    """How many bytes a request of this kind has, and the instructions that it takes."""
    run = subprocess.run(
        ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", "--collect-atstart=no",
         "--toggle-collect=parse_counted*", program, kind],
        capture_output=True, text=True, timeout=60, check=True)
    return int(run.stdout.split()[0]), int(re.search(r"Collected : (\d+)", run.stderr)[1])


def main():
    if shutil.which("valgrind") is None:
        print("valgrind is not installed")
        return 77
    status = 0
    for kind, bound in BOUNDS.items():
        size, instructions = count(sys.argv[1], kind)
        print(f"{kind}: {size} bytes, {instructions} instructions (bound {bound})")
        if not 0 < instructions <= bound:
            status = 1
    return status


if __name__ == "__main__":
    sys.exit(main())
