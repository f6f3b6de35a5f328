"""Run a program that the system does not let use io_uring, as containers do: without_io_uring.py PROGRAM ARGUMENT..."""

import ctypes
import errno
import os
import struct
import sys

_PR_SET_SECCOMP = 22
_PR_SET_NO_NEW_PRIVS = 38
_SECCOMP_MODE_FILTER = 2
_IO_URING_SETUP = 425  # on every architecture

# Load the call's number; if it is io_uring_setup(2) answer EPERM, else allow (seccomp(2), bpf(2)).
_STATEMENTS = [
    (0x20, 0, 0, 0),
    (0x15, 0, 1, _IO_URING_SETUP),
    (0x06, 0, 0, 0x00050000 | errno.EPERM),
    (0x06, 0, 0, 0x7fff0000),
]


def forbid():
    code = b"".join(struct.pack("HBBI", *one) for one in _STATEMENTS)
    buffer = ctypes.create_string_buffer(code)
    program = struct.pack("HxxxxxxP", len(_STATEMENTS), ctypes.addressof(buffer))
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) or \
            libc.prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, program, 0, 0):
        raise OSError(ctypes.get_errno(), "prctl")


if __name__ == "__main__":
    forbid()
    os.execv(sys.argv[1], sys.argv[1:])
