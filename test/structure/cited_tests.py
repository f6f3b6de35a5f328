"""The tests that a page names exist.

Usage: cited_tests.py ROOT PAGE...: in each page `test/a_test.cpp`: "a name" is a test of that name in that file.
"""

import re
import sys
from pathlib import Path

_CITED = re.compile(r'`(test/[\w/]+\.cpp)`: "([^"]+)"')
_JOINED = re.compile(r'"\s*\n\s*"')


def main():
    root = Path(sys.argv[1])
    count, missing = 0, []
    for page in map(Path, sys.argv[2:]):
        for name, sentence in _CITED.findall(page.read_text()):
            count += 1
            source = root / name
            if not source.exists() or f'"{sentence}"' not in _JOINED.sub("", source.read_text()):
                missing.append(f"{page.name}: no test \"{sentence}\" in {name}")
    print(*missing, f"{count} tests are named, {len(missing)} of them do not exist", sep="\n")
    return 1 if missing or count == 0 else 0


if __name__ == "__main__":
    sys.exit(main())
