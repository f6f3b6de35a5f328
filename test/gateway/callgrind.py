"""Instructions of a part of a program, counted by valgrind's callgrind."""

import re
import shutil

SKIPPED = 77


def is_missing():
    """Whether there is no valgrind; says so."""
    missing = shutil.which("valgrind") is None
    if missing:
        print("valgrind is not installed")
    return missing


def counting(function, *command):
    """The command that runs `command` and counts what `function` needs, with all that it calls."""
    return ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", "--collect-atstart=no",
            f"--toggle-collect={function}", *command]


def counted(said):
    """The instructions, from what valgrind said on stderr."""
    return int(re.search(r"Collected : (\d+)", said)[1])
