"""The tests of the kernel with protection keys, on a CPU that has them: one that is emulated.

Usage: pkey.py INIT KERNEL-TEST. Status 77 when there is no emulator or no kernel to boot.
"""

import re
import sys
from pathlib import Path

import machine

SECONDS_MAX = 600


def main():
    lacking = machine.missing()
    if lacking:
        print(f"skipped: there is no {lacking}")
        return 77
    init, program = sys.argv[1:]
    kernel_test = "/" + Path(program).name
    commands = [f"{kernel_test} [keys]"]
    for level in ("process", "full"):
        commands.append(f"{kernel_test} [isolation],[mask] VK_ISOLATION={level} VK_MASK=pkey")
    said = machine.run(init, [program], commands, SECONDS_MAX)
    passed = re.findall(r"^=== status 0: (.*)$", said, re.M)
    for command in commands:
        print("passed" if command in passed else "FAILED", command)
    return 0 if passed == commands else 1


if __name__ == "__main__":
    sys.exit(main())
