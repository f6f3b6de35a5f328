"""machine: a small Linux machine on a CPU that is emulated, which runs some programs and switches itself off.

It has a kernel that this machine has in /boot (or the one named by VK_TEST_KERNEL), a file system in memory that
holds the programs and the libraries they are linked to, and a serial console, on which all is read.
"""

import glob
import gzip
import os
import re
import shutil
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

EMULATOR = "qemu-system-x86_64"


def kernel_image():
    """The path of a kernel to boot, or None."""
    named = os.environ.get("VK_TEST_KERNEL")
    found = [named] if named else sorted(glob.glob("/boot/vmlinuz*"))
    return next((path for path in reversed(found) if os.access(path, os.R_OK)), None)


def missing():
    """What of this machine is not there to emulate one, or None."""
    if not shutil.which(EMULATOR):
        return f"{EMULATOR} (package qemu-system-x86)"
    if not kernel_image():
        return "a Linux kernel in /boot (package linux-image-cloud-amd64), or named by VK_TEST_KERNEL"
    return None


def libraries(program):
    """The shared libraries of `program`, and its loader, by the paths that it looks for."""
    listed = subprocess.run(["ldd", program], check=True, capture_output=True, text=True).stdout
    return set(re.findall(r"(?:=> )?(/\S+) \(0x", listed))


class Archive:
    """A file system as the kernel unpacks it (cpio, `newc`)."""

    def __init__(self):
        self._parts = []
        self._folders = set()

    def _entry(self, name, mode, data=b"", device=(0, 0)):
        path = name.encode() + b"\0"
        fields = (len(self._parts) + 1, mode, 0, 0, 1, 0, len(data), 0, 0, *device, len(path), 0)
        head = b"070701" + b"".join(b"%08X" % field for field in fields) + path
        pad = lambda text: text + b"\0" * (-len(text) % 4)
        self._parts.append(pad(head) + pad(data))

    def folder(self, path):
        for part in [*reversed(Path(path).parents), Path(path)]:
            name = str(part).lstrip("/")
            if name and name != "." and name not in self._folders:
                self._folders.add(name)
                self._entry(name, stat.S_IFDIR | 0o755)

    def file(self, path, data, mode=0o755):
        self.folder(Path(path).parent)
        self._entry(str(path).lstrip("/"), stat.S_IFREG | mode, data)

    def console(self):
        self.folder("/dev")
        self._entry("dev/console", stat.S_IFCHR | 0o600, device=(5, 1))

    def bytes(self):
        self._entry("TRAILER!!!", 0)
        return gzip.compress(b"".join(self._parts), 1)


def file_system(init, programs, commands):
    made = Archive()
    made.console()
    made.file("/init", Path(init).read_bytes())
    made.file("/commands", "".join(f"{line}\n" for line in commands).encode(), 0o644)
    for library in sorted(set().union(*(libraries(one) for one in [init, *programs]))):
        made.file(library, Path(library).read_bytes())
    for program in programs:
        made.file("/" + Path(program).name, Path(program).read_bytes())
    return made.bytes()


def run(init, programs, commands, seconds_max, megabytes=2048):
    """What the machine said while it ran `commands`: all of its console, also printed as it comes."""
    with tempfile.NamedTemporaryFile(suffix=".cpio.gz") as initrd:
        initrd.write(file_system(init, programs, commands))
        initrd.flush()
        command = [EMULATOR, "-accel", "tcg", "-cpu", "max", "-m", str(megabytes), "-nographic", "-no-reboot",
                   "-net", "none", "-kernel", kernel_image(), "-initrd", initrd.name,
                   "-append", "console=ttyS0 quiet panic=-1 mitigations=off print-fatal-signals=0"]
        said = []
        with subprocess.Popen(["timeout", str(seconds_max), *command], stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace") as machine:
            for line in machine.stdout:
                said.append(line.replace("\r", ""))
                sys.stdout.write(said[-1])
                sys.stdout.flush()
        return "".join(said)
