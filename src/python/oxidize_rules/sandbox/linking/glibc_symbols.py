"""Which version of glibc has a symbol first: read from the table inside the zig toolchain.

The table (`lib/libc/glibc/abilists`) is what zig makes its stub libraries from. Its format is that
of zig's own reader (`src/libs/glibc.zig`, `loadMetaData` and `buildSharedObjects`): lists of
libraries, versions and targets, each behind a count byte, then functions, then data symbols. An
entry is a name, and one or more inclusions: a set of targets (bits, LEB128), for data a size
(LEB128), a library byte (its high bit ends the entry) and version bytes (the high bit ends them).
"""

from __future__ import annotations

import os


class _Reader:
    def __init__(self, data: bytes) -> None:
        self.data, self.at = data, 0

    def byte(self) -> int:
        self.at += 1
        return self.data[self.at - 1]

    def short(self) -> int:
        return self.byte() | self.byte() << 8

    def text(self) -> str:
        end = self.data.index(b"\0", self.at)
        value = self.data[self.at : end].decode()
        self.at = end + 1
        return value

    def leb128(self) -> int:
        value, shift = 0, 0
        while True:
            byte = self.byte()
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value


def parse_versions(data: bytes, target: str) -> dict[str, tuple[int, ...]]:
    """Symbol to the lowest version (major, minor[, patch]) that has it on `target`.

    `target` is a name of the table: `x86_64-linux-gnu`, `aarch64-linux-gnu`.
    """
    reader = _Reader(data)
    for _ in range(reader.byte()):
        reader.text()
    versions = [(reader.byte(), reader.byte(), reader.byte()) for _ in range(reader.byte())]
    targets = [reader.text() for _ in range(reader.byte())]
    bit = 1 << targets.index(target)
    found: dict[str, tuple[int, ...]] = {}
    for has_size in (False, True):
        name = None
        for _ in range(reader.short()):
            if name is None:
                name = reader.text()
            included = reader.leb128() & bit
            if has_size:
                reader.leb128()
            last = reader.byte() & 0x80
            while True:
                byte = reader.byte()
                if included:
                    major, minor, patch = versions[byte & 0x7F]
                    version = (major, minor, patch) if patch else (major, minor)
                    found[name] = min(found.get(name, version), version)
                if byte & 0x80:
                    break
            if last:
                name = None
    return found


def read_versions(zig_lib: str, zig_target: str) -> dict[str, tuple[int, ...]]:
    """The table for `x86_64-linux-gnu.2.17`; empty if this zig has none that can be read.

    It serves a better message only, so a new format in a later zig must not become an error.
    """
    try:
        with open(os.path.join(zig_lib, "libc", "glibc", "abilists"), "rb") as stream:
            data = stream.read()
        return parse_versions(data, f"{zig_target.split('-', 1)[0]}-linux-gnu")
    except (OSError, IndexError, ValueError):
        return {}
