"""An object with an ELF package note, which tells what an executable belongs to.

The linker puts it into the program as a loaded note, so that crash handlers find it in a core file
(`coredumpctl info` shows it). Format: "Package Metadata for Executable Files" of the UAPI group
(`ELF_PACKAGE_METADATA`): a note of the owner "FDO", type 0xcafe1a7e, with a JSON object, in the
section `.note.package`.
"""

from __future__ import annotations

import json
import struct

TYPE_CHECKING = False
if TYPE_CHECKING:  # `typing` itself is not imported: it takes 5 ms
    from collections.abc import Mapping

SECTION = ".note.package"
OWNER = b"FDO\0"
NOTE_TYPE = 0xCAFE1A7E
PACKAGE_TYPE = "oxidized_binary"
MACHINES = {"x86_64": 62, "aarch64": 183}

_HEADER = struct.Struct("<16sHHIQQQIHHHHHH")
_SECTION = struct.Struct("<IIQQQQIIQQ")
_NOTE = struct.Struct("<III")
_ET_REL = 1
_SHT_PROGBITS, _SHT_STRTAB, _SHT_NOTE, _SHF_ALLOC = 1, 3, 7, 2


def note_text(subject: Mapping[str, str | None]) -> bytes:
    """The note's JSON for the `subject` of an inventory."""
    told = {
        "type": PACKAGE_TYPE,
        "name": subject["name"],
        "version": subject["version"],
        "architecture": str(subject["target_triple"]).partition("-")[0],
    }
    given = {key: value for key, value in told.items() if value is not None}
    return json.dumps(given, separators=(",", ":"), ensure_ascii=False).encode()


def note(text: bytes) -> bytes:
    """The note as it stands in the section: names and descriptions end with padding to 4 bytes."""
    content = text + b"\0"
    padded = content + bytes(-len(content) % 4)
    return _NOTE.pack(len(OWNER), len(content), NOTE_TYPE) + OWNER + padded


def note_object(machine: str, text: bytes) -> bytes:
    """A relocatable object with the note. `machine` is a key of `MACHINES`."""
    content = note(text)
    names = b"\0" + SECTION.encode() + b"\0.note.GNU-stack\0.shstrtab\0"
    at = {name: names.index(name.encode() + b"\0") for name in (SECTION, ".shstrtab")}
    stack = names.index(b".note.GNU-stack\0")
    names_at = _HEADER.size + len(content)
    table_at = names_at + len(names)
    padding = -table_at % 8
    return b"".join(
        (
            _HEADER.pack(
                b"\x7fELF\x02\x01\x01" + bytes(9), _ET_REL, MACHINES[machine], 1, 0, 0,
                table_at + padding, 0, _HEADER.size, 0, 0, _SECTION.size, 4, 3,
            ),
            content,
            names,
            bytes(padding),
            _SECTION.pack(*[0] * 10),
            _SECTION.pack(
                at[SECTION], _SHT_NOTE, _SHF_ALLOC, 0, _HEADER.size, len(content), 0, 0, 4, 0
            ),
            _SECTION.pack(stack, _SHT_PROGBITS, 0, 0, names_at, 0, 0, 0, 1, 0),
            _SECTION.pack(at[".shstrtab"], _SHT_STRTAB, 0, 0, names_at, len(names), 0, 0, 1, 0),
        )
    )  # fmt: skip
