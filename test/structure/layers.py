"""Sources may only use what lies to the left of them.

    base < memory < coroutine < proc < io < kernel < service < gateway < apps

A file includes its own layer and those to the left of it, with the path ("vk/io/ring.hpp"). The umbrella
lib/vk/*.hpp takes all layers and is taken by none. spdlog is seen in base alone, and so are system calls:
in base/aio, base/gate, base/kqueue, base/os, base/pkey and base/uring. Programs may use what they like, tests no
spdlog. (What a macro or an inline function of another header calls shows in symbols.py.)

A function that makes a system call lets it through the gate, which traps it when a process runs (base/gate.hpp): a
`gate::pass`, or for one that does not return `gate::open()`.

Usage: layers.py ROOT. Prints a line for each violation; status 1 if there is any.
"""

import re
import sys
from pathlib import Path

LAYERS = ["base", "memory", "coroutine", "proc", "io", "kernel", "service", "gateway"]

# Headers whose purpose is to make a system call. Those that are needed for their types and constants
# (sys/socket.h, sys/epoll.h, sys/wait.h, poll.h, csignal) may be included anywhere.
CALL_HEADERS = {
    "fcntl.h", "fstream", "liburing.h", "netdb.h", "pthread.h", "sched.h", "spawn.h", "stdio.h", "sys/eventfd.h",
    "sys/ioctl.h", "sys/mman.h", "sys/prctl.h", "sys/resource.h", "sys/sendfile.h", "sys/signalfd.h",
    "sys/stat.h", "sys/syscall.h", "sys/time.h", "sys/timerfd.h", "thread", "unistd.h",
}

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')
GLOBAL_CALL = re.compile(r"(?<![\w>])::([a-z]\w*)\s*\(")
COMMENT_OR_TEXT = re.compile(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"', re.S)
NOT_CALLS = {"new", "delete"}
FUNCTION = re.compile(r"^\{\n(.*?)^\}", re.S | re.M)
THROUGH = re.compile(r"\bgate::(pass through;|open\(\);)")


def layer_of(path):
    """'io' for vk/io/ring.hpp, None for the umbrella vk/vk.hpp."""
    parts = path.split("/")
    return parts[1] if len(parts) > 2 else None


def is_os(name):
    return re.fullmatch(r"vk/base/(aio|gate|kqueue|os|pkey|uring)\.(hpp|cpp)", name) is not None


def wrong_include(name, own, quote, target):
    """What is wrong with `name` of layer `own` including `target`, or None."""
    if target.startswith("spdlog/"):
        return None if own == "base" else "spdlog is for vk/base alone: log through vk/base/log.hpp"
    if target in CALL_HEADERS and not is_os(name):
        return f"<{target}> is for vk/base/aio.*, gate.*, kqueue.*, os.*, pkey.* and uring.* alone: call vk::os instead"
    if not target.startswith("vk/"):
        return f'"{target}" does not carry its path (vk/...)' if quote == '"' else None
    if quote == "<":
        return f'<{target}> is the user\'s way: inside the library it is "{target}"'
    other = layer_of(target)
    if own is None:
        return None
    if other is None:
        return f'"{target}" takes every layer: include what is used'
    if other not in LAYERS:
        return f'"{target}" is of no known layer'
    if LAYERS.index(other) > LAYERS.index(own):
        return f'{own} includes "{target}", but {other} lies to the right of {own}'
    return None


def blank(match):
    return re.sub(r"[^\n]", " ", match.group())


def trapped_calls(name, text):
    """The functions of a file that makes system calls whose calls would be trapped, as (line, message)."""
    if not is_os(name) or "/gate." in name:
        return []
    text = COMMENT_OR_TEXT.sub(blank, text)
    found = []
    for function in FUNCTION.finditer(text):
        calls = [call for call in GLOBAL_CALL.findall(function[1]) if call not in NOT_CALLS]
        if calls and not THROUGH.search(function[1]):
            line = text.count("\n", 0, function.start()) + 1
            found.append((line, f"::{calls[0]}() is trapped while a process runs: hold a gate::pass"))
    return found


def check_file(name, text):
    """The violations in the library's file `name` (vk/...), as (line, message)."""
    own = layer_of(name)
    if own is not None and own not in LAYERS:
        return [(1, f"lib/vk/{own} is no known layer")]
    found = []
    for number, line in enumerate(text.splitlines(), 1):
        include = INCLUDE.match(line)
        if include and (wrong := wrong_include(name, own, *include.groups())):
            found.append((number, wrong))
    if not is_os(name):
        for number, line in enumerate(COMMENT_OR_TEXT.sub(blank, text).splitlines(), 1):
            for call in GLOBAL_CALL.findall(line):
                if call not in NOT_CALLS:
                    found.append((number, f"::{call}() is for vk/base/os.* alone: call vk::os instead"))
    return found + trapped_calls(name, text)


def check_tree(root):
    """(files seen, violations as printable lines) of the project at `root`."""
    files = sorted(path for path in (root / "lib/vk").rglob("*") if path.suffix in (".hpp", ".cpp"))
    lines = []
    for path in files:
        name = path.relative_to(root / "lib").as_posix()
        for number, message in check_file(name, path.read_text()):
            lines.append(f"lib/{name}:{number}: {message}")
    for path in sorted((root / "test").rglob("*.[hc]pp")):
        for number, line in enumerate(path.read_text().splitlines(), 1):
            include = INCLUDE.match(line)
            if include and include.group(2).startswith("spdlog/"):
                lines.append(f"{path.relative_to(root)}:{number}: spdlog is for vk/base alone")
    return len(files), lines


def main():
    count, lines = check_tree(Path(sys.argv[1]))
    for line in lines:
        print(line)
    print(f"{count} files, {len(lines)} violations")
    return 1 if lines or count == 0 else 0


if __name__ == "__main__":
    sys.exit(main())
