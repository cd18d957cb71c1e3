"""How all C and C++ of executables is compiled, so that an overflow ends the process.

The flags are those of Linux distributions: canaries in frames that hold arrays, probes of frames
that are larger than the stack's guard page, and glibc's checks of how much a call writes. Level 3
of _FORTIFY_SOURCE needs functions of glibc 2.35, above the floors that we link for; musl's headers
have nothing for either. `-fcf-protection` is left out: one object without its marks turns it off,
and neither musl's assembly nor the objects of python-build-standalone's archives have them.
"""

from __future__ import annotations

# For code that defines functions of the C library itself, which glibc's headers then overload.
STACK_CHECKS = ("-fstack-protector-strong", "-fstack-clash-protection")
HARDENING = (*STACK_CHECKS, "-D_FORTIFY_SOURCE=2")
