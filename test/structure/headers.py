"""Each public header compiles alone, with every warning an error.

Usage: headers.py BUILD UNIT...: the build directory, and a translation unit for each header. The compiler
is run as the build would run it, but only as far as to know that the unit is right.
"""

import json
import os
import shlex
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path


def commands(build):
    """How the build compiles each file: {absolute path: arguments}."""
    entries = json.loads((build / "compile_commands.json").read_text())
    return {(build / entry["file"]).resolve(): shlex.split(entry["command"]) for entry in entries}


def syntax_only(arguments):
    """`arguments` without an output."""
    kept = []
    skip = False
    for argument in arguments:
        if skip or argument in ("-c", "-MD", "-MQ", "-MF", "-o"):
            skip = not skip and argument in ("-MQ", "-MF", "-o")
        else:
            kept.append(argument)
    return kept + ["-fsyntax-only", "-fdiagnostics-color=never"]


def header_of(unit):
    """The header that a translation unit is for."""
    return unit.read_text().split('"')[1]


def main():
    build = Path(sys.argv[1])
    units = [Path(unit).resolve() for unit in sys.argv[2:]]
    known = commands(build)

    def compile_unit(unit):
        return subprocess.run(syntax_only(known[unit]), cwd=build, capture_output=True, text=True)

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        results = list(pool.map(compile_unit, units))
    failed = [unit for unit, result in zip(units, results) if result.returncode != 0]
    for unit, result in zip(units, results):
        if result.returncode != 0:
            print(f"{header_of(unit)} does not compile alone:\n{result.stderr}")
    print(f"{len(units)} headers, {len(failed)} failed")
    return 1 if failed or not units else 0


if __name__ == "__main__":
    sys.exit(main())
