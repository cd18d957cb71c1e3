"""The `extension_filter` field: which extension modules of a distribution a rule leaves out."""

from __future__ import annotations

from typing import Optional

from oxidize_rules.content_fields import EXTENSION_FILTERS
from oxidize_rules.sandbox.parts.known_libraries import known_library
from oxidize_rules.sandbox.parts.licenses import is_copyleft
from oxidize_rules.util_rules.distribution import Extension

ALL, MINIMAL, NO_LIBRARIES, NO_COPYLEFT = EXTENSION_FILTERS

# Part of the C library, or with it on every system: musl has them in one file, glibc beside it.
C_LIBRARIES = frozenset(("c", "crypt", "dl", "m", "pthread", "rt", "util", "xnet"))

# What the interpreter links or starts with beside those that its metadata says are required.
START_EXTENSIONS = {
    "_abc": "abc, which is frozen; its substitute in Python is not",
    "atexit": "the interpreter's core calls its functions",
    "errno": "os, which -m and every path function need",
    "time": "zipimport, a finder of every interpreter",
}


def is_needed(extension: Extension) -> bool:
    """Whether no executable can be without it."""
    return extension.required or extension.in_core or extension.name in START_EXTENSIONS


def reason_to_drop(extension: Extension, rule: str) -> Optional[str]:
    """Why the filter `rule` leaves a module out, for a message; None: it stays."""
    if is_needed(extension) or rule == ALL:
        return None
    if rule == MINIMAL:
        return "not needed to start"
    foreign = foreign_libraries(extension)
    if rule == NO_LIBRARIES:
        return f"it links {', '.join(foreign)}" if foreign else None
    return _copyleft(extension, bool(foreign))


def foreign_libraries(extension: Extension) -> tuple[str, ...]:
    """The libraries that an extension module links, without the C library's own, sorted."""
    static = (path.rpartition("/")[2] for path in extension.static_libraries)
    names = {name[len("lib") : -len(".a")] if name.endswith(".a") else name for name in static}
    return tuple(sorted(names.union(extension.system_libraries).difference(C_LIBRARIES)))


def _copyleft(extension: Extension, links: bool) -> Optional[str]:
    """What the distribution tells of a module, and what is known of its libraries by their names.

    CPython's own code has CPython's licence: where a module links nothing and nothing is told,
    there is nothing else in it.
    """
    licenses = extension.licenses
    told = " AND ".join(licenses)
    copyleft = is_copyleft(licenses)
    if copyleft:
        return f"its licence is {told}"
    for library in map(known_library, extension.static_libraries):
        if library and is_copyleft([library.license]):
            return f"it links {library.title}, whose licence is {library.license}"
    if copyleft is None:
        return f"whether its licence, {told}, is copyleft is not known"
    if links and not licenses and not extension.license_public_domain:
        return "the distribution does not tell its licence"
    return None
