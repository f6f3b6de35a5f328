"""Every header under lib/vk is in `vk_header_names` of lib/meson.build: only those are installed and checked.

Usage: listed.py ROOT HEADER...
"""

import sys
from pathlib import Path


def main():
    root = Path(sys.argv[1])
    listed = set(sys.argv[2:])
    present = {path.relative_to(root / "lib").as_posix() for path in (root / "lib/vk").rglob("*.hpp")}
    for header in sorted(present - listed):
        print(f"lib/{header} is not in vk_header_names of lib/meson.build")
    return 1 if present - listed or not present else 0


if __name__ == "__main__":
    sys.exit(main())
