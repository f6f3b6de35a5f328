"""Run a program that may not make one system call, as in a container: without_call.py CALL PROGRAM ARGUMENT..."""

import ctypes
import errno
import os
import platform
import struct
import sys

_PR_SET_SECCOMP = 22
_PR_SET_NO_NEW_PRIVS = 38
_SECCOMP_MODE_FILTER = 2
_NUMBERS = {
    "io_setup": 206 if platform.machine() == "x86_64" else 0,
    "prctl": 157 if platform.machine() == "x86_64" else 167,
    "io_uring_setup": 425,  # on every architecture
}


def forbid(call):
    # Load the call's number; if it is this one answer EPERM, else allow (seccomp(2), bpf(2)).
    statements = [
        (0x20, 0, 0, 0),
        (0x15, 0, 1, _NUMBERS[call]),
        (0x06, 0, 0, 0x00050000 | errno.EPERM),
        (0x06, 0, 0, 0x7fff0000),
    ]
    code = b"".join(struct.pack("HBBI", *one) for one in statements)
    buffer = ctypes.create_string_buffer(code)
    program = struct.pack("HxxxxxxP", len(statements), ctypes.addressof(buffer))
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) or \
            libc.prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, program, 0, 0):
        raise OSError(ctypes.get_errno(), "prctl")


if __name__ == "__main__":
    forbid(sys.argv[1])
    os.execv(sys.argv[2], sys.argv[2:])
