"""An example prints what stands beside it, to the byte, and ends well.

Usage: example.py PROGRAM SOURCE: of NAME.cpp, NAME.expected is what it writes, NAME.input what it reads (nothing where
there is none), and NAME.expected-log the lines that it logs, without their time and the number of the OS process.
"""

import difflib
import re
import subprocess
import sys
from pathlib import Path

_PREFIX = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+ (\w+) \[\d+\] ", re.MULTILINE)


def is_same(expected, got, where):
    """Whether they are; shows the difference where not."""
    if expected == got:
        return True
    sys.stdout.writelines(line if line.endswith("\n") else line + "\n" for line in difflib.unified_diff(
        expected.splitlines(True), got.splitlines(True), str(where), "what it wrote"))
    return False


def main():
    program, source = sys.argv[1], Path(sys.argv[2])
    given = source.with_suffix(".input")
    with open(given if given.exists() else "/dev/null", "rb") as stdin:
        done = subprocess.run([program], stdin=stdin, capture_output=True, timeout=20)
    said, logged = done.stdout.decode(), done.stderr.decode()
    expected = source.with_suffix(".expected")
    good = is_same(expected.read_text(), said, expected)
    lines = source.with_suffix(".expected-log")
    if lines.exists():
        good &= is_same(lines.read_text(), _PREFIX.sub(r"\1 ", logged), lines)
    if done.returncode != 0:
        print(f"it ended with status {done.returncode}")
        good = False
    if not good:
        print(f"stderr:\n{logged}")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
