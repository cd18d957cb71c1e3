"""`platform.libc_ver` in a musl executable.

CPython's looks for names of C libraries in the interpreter's own file. With the standard library
and an application's data in that file it finds whatever they mention, after reading all of it, and
`platform.platform()` would tell of a glibc. The importer calls `amend` once `platform` has run; in
the executable this module lies beside the standard library's.
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType


def amend(platform: ModuleType) -> None:
    """Replaces `libc_ver` of the module `platform`."""
    inherited: Callable[..., tuple[str, str]] = platform.libc_ver

    def libc_ver(
        executable: str | None = None, lib: str = "", version: str = "", chunksize: int = 16384
    ) -> tuple[str, str]:
        """The C library that the file was linked with, and its version. Of this executable the
        defaults, as of every interpreter that is linked statically with musl."""
        if executable and not is_own(executable):
            return inherited(executable, lib, version, chunksize)
        told = None if executable else told_by_libc()
        return told or (lib, version)

    platform.libc_ver = libc_ver  # type: ignore[attr-defined]


def told_by_libc() -> tuple[str, str] | None:
    """What glibc, or what stands for it, says of itself; None from musl."""
    try:
        name, version = (os.confstr("CS_GNU_LIBC_VERSION") or "").split(maxsplit=1)
    except (AttributeError, ValueError, OSError):
        return None
    return name, version


def is_own(executable: str) -> bool:
    try:
        return os.path.samefile(executable, sys.executable)
    except OSError:
        return False
