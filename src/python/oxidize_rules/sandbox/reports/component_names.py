"""What components are called: the names that mean the same, and whose repository is whose.

Archives, distributions, advisories and people call one library by different names. Names are
compared in one spelling: lower case, with every run of `-`, `_` and `.` as one `-`.
"""

from __future__ import annotations

import re
from fnmatch import fnmatchcase
from typing import Any, Mapping, Tuple

# Kinds of parts, as `inventory.json` has them.
KINDS = (
    *("interpreter", "vendored", "library", "libc", "compiler-runtime", "runtime", "wheel"),
    *("bundled", "first-party"),
)

# Before a crate's name, as `crate:openssl`.
CRATE = "crate"

# One row for a component: the names of its archives (`libcrypto.a`), of its packages in Debian,
# Alpine and RHEL, of its project, and its repositories as advisories give them.
SAME = (
    ("cpython", "python", "python3"),
    ("openssl", "libcrypto", "libssl", "crypto", "ssl", "openssl-libs", "libssl3", "libcrypto3"),
    ("sqlite", "sqlite3", "libsqlite3", "sqlite-autoconf", "sqlite-libs"),
    ("xz", "liblzma", "lzma", "xz-utils", "xz-libs"),
    ("bzip2", "bz2", "libbz2", "bzip2-libs"),
    ("zlib", "libz", "z", "zlib1g"),
    ("zstd", "libzstd", "zstandard"),
    ("libffi", "ffi"),
    (
        "ncurses",
        "ncurses-libs",
        "ncursesw",
        "libncurses",
        "libncursesw",
        "libpanelw",
        "panelw",
        "libtinfo",
    ),
    ("libedit", "edit", "editline"),
    ("readline", "libreadline"),
    ("libuuid", "uuid", "util-linux"),
    ("expat", "libexpat", "pyexpat"),
    ("mpdecimal", "libmpdec", "mpdec"),
    ("bdb", "berkeley-db", "libdb", "db"),
    ("hacl-star", "hacl", "hacl-packages"),
    ("tcl", "libtcl"),
    ("tk", "libtk"),
    ("musl", "musl-libc"),
    ("glibc", "libc6", "gnu-libc"),
    ("compiler-rt", "libclang-rt"),
    ("gcc", "libgcc", "libstdc++"),
)


def spelled(name: str) -> str:
    return re.sub("[-_.]+", "-", name.strip().lower()).strip("-")


_CANONICAL = {spelled(name): spelled(row[0]) for row in SAME for name in row}


def canonical(name: str) -> str:
    """The name that all names of a component come to; a name that the table does not have is its
    own."""
    return _CANONICAL.get(spelled(name), spelled(name))


def names_of(part: Mapping[str, Any]) -> Tuple[str, ...]:
    """What a part may be called. A Python project is called by its own name only: the wheel
    `zstandard` is not the library that it has inside. So is a crate, as `crate:openssl`: that one
    binds OpenSSL, and has other versions."""
    identity = str(part["id"]).partition(":")[2]
    # `bundled:numpy/libopenblas`, `bundled:cryptography/openssl@4.0.3`.
    file = identity.rpartition("/")[2].rpartition("@")[0] or identity.rpartition("/")[2]
    names = [str(part["name"]), identity]
    if is_crate(part):
        name = spelled(str(part["name"]))
        plain = [name] if name not in _CANONICAL else []
        return tuple(dict.fromkeys([f"crate:{name}", *plain, spelled(identity)]))
    if is_python_project(part):
        return tuple(dict.fromkeys(spelled(name) for name in [*names, file]))
    # The hash that auditwheel puts behind a name.
    names += [file, re.sub(r"-[0-9a-f]{8}$", "", file)]
    found = [one for name in names for one in (spelled(name), canonical(name))]
    return tuple(dict.fromkeys(found))


def is_crate(part: Mapping[str, Any]) -> bool:
    return str(part.get("purl")).startswith("pkg:cargo/")


def is_python_project(part: Mapping[str, Any]) -> bool:
    """A wheel, or a copy of a project that lies in another's wheel."""
    return part["kind"] in ("wheel", "first-party") or str(part.get("purl")).startswith("pkg:pypi/")


def is_called(part: Mapping[str, Any], name: str) -> bool:
    """`name`: as a person writes it, with a kind before it (`library:openssl`) or not, and with
    `*`, `?` and `[...]` as in file names."""
    kind, colon, rest = name.partition(":")
    if colon and kind in KINDS:
        if part["kind"] != kind:
            return False
        name = rest
    pattern = spelled(name) if any(char in name for char in "*?[") else ""
    if pattern:
        return any(fnmatchcase(one, pattern) for one in names_of(part))
    wanted = {spelled(name)}
    if not is_python_project(part) and not is_crate(part):
        wanted.add(canonical(name))
    return not wanted.isdisjoint(names_of(part))


def repository_name(url: str) -> str:
    """What a repository is of, from its URL: `https://github.com/libexpat/libexpat.git` is
    `expat`."""
    return canonical(re.sub(r"\.git$", "", url.rstrip("/")).rpartition("/")[2])
