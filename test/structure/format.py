"""The sources are formatted as .clang-format says.

Usage: format.py ROOT [--fix]. The versions of clang-format differ in what they make of the same rules, so
that only one is asked: VERSION. Without it the test is skipped (status 77).
"""

import re
import shutil
import subprocess
import sys
from pathlib import Path

VERSION = 19


def find_formatter():
    for name in (f"clang-format-{VERSION}", "clang-format"):
        program = shutil.which(name)
        if program:
            said = subprocess.run([program, "--version"], capture_output=True, text=True).stdout
            if re.search(rf"version {VERSION}\.", said):
                return program
    return None


def main():
    root = Path(sys.argv[1])
    program = find_formatter()
    if program is None:
        print(f"clang-format {VERSION} is not installed")
        return 77
    files = sorted(str(path.relative_to(root)) for folder in ("lib", "apps", "test")
                   for path in (root / folder).rglob("*.[hc]pp"))
    how = ["-i"] if "--fix" in sys.argv else ["--dry-run", "-Werror"]
    status = subprocess.run([program, "--style=file", *how, *files], cwd=root).returncode
    if status != 0:
        print("test/run --format puts it right")
    return 1 if status != 0 else 0


if __name__ == "__main__":
    sys.exit(main())
