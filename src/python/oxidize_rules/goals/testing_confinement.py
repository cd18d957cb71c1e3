"""Starts a program where the kernel does less: missing system calls, no new code, little memory.

    python testing_confinement.py OPTIONS.json-text PROGRAM ARGUMENT...

What is set here outlives `execve`, so the program meets it from its first instruction on. For
x86_64. This file is also a program: it imports the standard library only.
"""

from __future__ import annotations

import ctypes
import errno
import json
import os
import resource
import struct
import sys
from typing import Dict, List, Optional, Sequence, Tuple

# Numbers of <asm/unistd_64.h>.
SYSTEM_CALLS: Dict[str, int] = {
    "getrandom": 318,
    "memfd_create": 319,
    "execveat": 322,
    "statx": 332,
    "clone3": 435,
    "openat2": 437,
    "faccessat2": 439,
}
# The first system call that Linux 3.17 brought, and the first that 3.0 brought.
SINCE_3_17 = 314
SINCE_3_0 = 308

PR_SET_NO_NEW_PRIVS = 38
PR_SET_SECCOMP = 22
SECCOMP_MODE_FILTER = 2
PR_SET_MDWE = 65
PR_MDWE_REFUSE_EXEC_GAIN = 1
UNAME26 = 0x0020000

# <linux/bpf_common.h>, <linux/seccomp.h>
_LOAD_WORD, _JUMP_EQUAL, _JUMP_AT_LEAST, _RETURN = 0x20, 0x15, 0x35, 0x06
_ALLOW, _ERRNO = 0x7FFF0000, 0x00050000
# Ends the helper when the kernel cannot do what was asked: told apart from the program's own codes.
UNSUPPORTED = 77


def confined(
    *,
    refuse: Sequence[str] = (),
    refuse_from: Optional[int] = None,
    old_name: bool = False,
    no_new_code: bool = False,
    address_space: Optional[int] = None,
) -> List[str]:
    """The head of a command line that starts what follows under these conditions.

    `refuse`: system calls, by name, that fail with ENOSYS. `refuse_from`: so do all from this
    number on, as on a kernel that does not have them yet. `old_name`: uname() tells of a 2.6
    kernel. `no_new_code`: memory that was writable never becomes executable (PR_SET_MDWE), as
    SELinux may ask. `address_space`: limit in bytes (RLIMIT_AS).
    """
    options = {
        "refuse": [SYSTEM_CALLS[name] for name in refuse],
        "refuse_from": refuse_from,
        "old_name": old_name,
        "no_new_code": no_new_code,
        "address_space": address_space,
    }
    return [sys.executable, "-I", os.path.abspath(__file__), json.dumps(options)]


def seccomp_program(numbers: Sequence[int], first: Optional[int]) -> bytes:
    """The filter: ENOSYS for these system calls, and for all from `first` on."""
    tests: List[Tuple[int, int]] = [(_JUMP_EQUAL, number) for number in numbers]
    if first is not None:
        tests.append((_JUMP_AT_LEAST, first))
    program = [struct.pack("HBBI", _LOAD_WORD, 0, 0, 0)]  # the number, at the data's beginning
    for at, (kind, number) in enumerate(tests):
        # Where a test holds, jump over those left and over the "allowed" behind them.
        program.append(struct.pack("HBBI", kind, len(tests) - at, 0, number))
    program.append(struct.pack("HBBI", _RETURN, 0, 0, _ALLOW))
    program.append(struct.pack("HBBI", _RETURN, 0, 0, _ERRNO | errno.ENOSYS))
    return b"".join(program)


class _FilterProgram(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("filter", ctypes.c_char_p)]


def _checked(what: str, code: int) -> None:
    if code < 0:
        number = ctypes.get_errno()
        print(f"{what}: {os.strerror(number)}", file=sys.stderr)
        sys.exit(UNSUPPORTED)


def confine(
    refuse: Sequence[int],
    refuse_from: Optional[int],
    old_name: bool,
    no_new_code: bool,
    address_space: Optional[int],
) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    zero = ctypes.c_ulong(0)
    if address_space is not None:
        resource.setrlimit(resource.RLIMIT_AS, (address_space, address_space))
    if old_name:
        _checked("personality", libc.personality(ctypes.c_ulong(UNAME26)))
    if no_new_code:
        gain = ctypes.c_ulong(PR_MDWE_REFUSE_EXEC_GAIN)
        _checked("PR_SET_MDWE", libc.prctl(PR_SET_MDWE, gain, zero, zero, zero))
    if refuse or refuse_from is not None:
        code = seccomp_program(refuse, refuse_from)
        program = _FilterProgram(len(code) // 8, code)
        one = ctypes.c_ulong(1)
        _checked("no new privileges", libc.prctl(PR_SET_NO_NEW_PRIVS, one, zero, zero, zero))
        mode = ctypes.c_ulong(SECCOMP_MODE_FILTER)
        _checked("seccomp", libc.prctl(PR_SET_SECCOMP, mode, ctypes.byref(program)))


def main(argv: Sequence[str]) -> None:
    confine(**json.loads(argv[0]))
    os.execve(argv[1], list(argv[1:]), dict(os.environ))


if __name__ == "__main__":
    main(sys.argv[1:])
