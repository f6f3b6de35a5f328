"""The examples in README and docs compile, with every warning an error.

Usage: examples.py BUILD UNIT PAGE...: the build directory, a translation unit whose compiler flags are taken, and the
pages. A block of C++ that begins with an #include of vk is a program as it stands; any other that defines something has
the headers, and `echo`, before it. What is left, a few lines out of a function, is not compiled.
"""

import os
import re
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from headers import commands, syntax_only

_BLOCK = re.compile(r"^```cpp\n(.*?)^```", re.DOTALL | re.MULTILINE)
_PRELUDE = """
#include <vk/http.hpp>
#include <vk/vk.hpp>
#include <array>
#include <atomic>
#include <cctype>
#include <chrono>
#include <span>
#include <string>
#include <vector>
vk::task<> echo(vk::socket& io);
#ifndef __clang__ // a line of a page is no header's
#pragma GCC diagnostic ignored "-Wsubobject-linkage"
#endif
"""


def examples(page):
    """Pairs of where a block is and the unit that it makes."""
    text = page.read_text()
    for found in _BLOCK.finditer(text):
        block, line = found[1], text.count("\n", 0, found.start()) + 2
        where = f'#line {line} "{page}"\n'
        if block.startswith("#include <vk/"):
            yield f"{page.name}:{line}", where + block
        elif re.search(r"^(vk::task<|struct |int main)", block, re.MULTILINE):
            yield f"{page.name}:{line}", _PRELUDE + where + block


def main():
    build, like = Path(sys.argv[1]), Path(sys.argv[2]).resolve()
    found = [one for page in sys.argv[3:] for one in examples(Path(page))]
    flags = syntax_only(commands(build)[like])
    with tempfile.TemporaryDirectory(prefix="vk-examples-") as folder:

        def compile_example(number):
            unit = Path(folder, f"{number}.cpp")
            unit.write_text(found[number][1])
            command = [str(unit) if (build / argument).resolve() == like else argument for argument in flags]
            assert str(unit) in command
            return subprocess.run(command, cwd=build, capture_output=True, text=True)

        with ThreadPoolExecutor(os.cpu_count()) as pool:
            results = list(pool.map(compile_example, range(len(found))))
    failed = [(where, result) for (where, _), result in zip(found, results) if result.returncode != 0]
    for where, result in failed:
        print(f"{where} does not compile:\n{result.stderr}")
    print(f"{len(found)} examples, {len(failed)} failed")
    return 1 if failed or not found else 0


if __name__ == "__main__":
    sys.exit(main())
