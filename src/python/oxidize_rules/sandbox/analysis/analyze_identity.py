"""What an ELF file is: type, machine, interpreter, how it was made, and what names it."""

from __future__ import annotations

import json
import struct
from typing import Any

from oxidize_rules.sandbox.analysis.analyze_file import ElfInput, clean

MACHINES = {
    "EM_X86_64": "x86_64",
    "EM_386": "i386",
    "EM_AARCH64": "aarch64",
    "EM_ARM": "arm",
    "EM_RISCV": "riscv",
    "EM_PPC64": "ppc64",
    "EM_PPC": "ppc",
    "EM_S390": "s390",
    "EM_MIPS": "mips",
    "EM_LOONGARCH": "loongarch",
    "EM_SPARCV9": "sparc64",
}
# <elf.h>
DF_1_PIE = 0x08000000
NT_GNU_ABI_TAG, NT_GNU_BUILD_ID = 1, 3
# Package metadata for executables, a specification of systemd's: type of the note of owner FDO.
NT_FDO_PACKAGING_METADATA = 0xCAFE1A7E
ABI_TAG_SYSTEMS = {0: "Linux", 1: "Hurd", 2: "Solaris", 3: "FreeBSD"}
COMMENT_LIMIT = 1 << 20


def interpreter(file: ElfInput) -> str | None:
    segment = file.segment("PT_INTERP")
    if segment is None or file.segment_is_empty(segment):
        return None
    found = file.content(segment["p_offset"], min(segment["p_filesz"], 4096))
    return clean(found.split(b"\0", 1)[0]) or None


def is_pie(file: ElfInput) -> bool:
    """An executable that may be loaded anywhere."""
    if file.header["e_type"] != "ET_DYN":
        return False
    if (file.value("DT_FLAGS_1") or 0) & DF_1_PIE:
        return True
    if file.value("DT_SONAME") is not None:
        return False
    # Linkers of old gave libraries an entry point, too.
    return bool(interpreter(file) or (file.header["e_entry"] and not file.values("DT_NEEDED")))


def is_symbols_alone(file: ElfInput) -> bool:
    """A file for debuggers, from which code and data were taken out."""
    code = [one for name, one in file.sections if name in (".text", ".rodata")]
    return bool(code) and all(one["sh_type"] == "SHT_NOBITS" for one in code)


def kind(file: ElfInput) -> str:
    """One of executable, position-independent executable, static(...), shared library, object,
    core dump, symbols of another file."""
    elf_type = file.header["e_type"]
    if elf_type == "ET_REL":
        return "object file"
    if elf_type == "ET_CORE":
        return "core dump"
    if is_symbols_alone(file):
        return "symbols of another file"
    if elf_type not in ("ET_EXEC", "ET_DYN"):
        return "file of no known type"
    if elf_type == "ET_DYN" and not is_pie(file):
        return "shared library"
    words = ["static"] if interpreter(file) is None and not file.values("DT_NEEDED") else []
    words += ["position-independent"] if elf_type == "ET_DYN" else []
    return " ".join([*words, "executable"])


def describe(file: ElfInput) -> dict[str, Any]:
    machine = file.header["e_machine"]
    found: dict[str, Any] = {
        "kind": kind(file),
        "machine": MACHINES.get(machine, str(machine).replace("EM_", "").lower()),
        "bits": file.elf.elfclass,
        "byte_order": "little" if file.elf.little_endian else "big",
        "interpreter": interpreter(file),
        "soname": None,
        "build_id": None,
        "oldest_kernel": None,
        "package": None,
        "compilers": [],
        "stripped": not any(one["sh_type"] == "SHT_SYMTAB" for _, one in file.sections),
        "debug_information": any(name.startswith(".debug_info") for name, _ in file.sections),
        "section_headers": bool(file.sections),
    }
    with file.guard("name as a library"):
        soname = file.value("DT_SONAME")
        found["soname"] = None if soname is None else clean(file.dynamic_text(soname))
    with file.guard("notes"):
        for owner, note_type, content in file.notes():
            _note(file, found, owner, note_type, content)
    comment = file.section(".comment")
    if comment is not None and comment["sh_type"] == "SHT_PROGBITS":
        text = file.content(comment["sh_offset"], min(comment["sh_size"], COMMENT_LIMIT))
        parts = {clean(part) for part in text.split(b"\0") if part}
        found["compilers"] = sorted(parts)[:20]
    return found


def _note(file: ElfInput, found: dict[str, Any], owner: str, kind: int, content: bytes) -> None:
    if (owner, kind) == ("GNU", NT_GNU_BUILD_ID):
        found["build_id"] = content[:64].hex()
    elif (owner, kind) == ("GNU", NT_GNU_ABI_TAG) and len(content) >= 16:
        system, *version = struct.unpack_from(f"{file.order}IIII", content)
        name = ABI_TAG_SYSTEMS.get(system, f"system {system}")
        found["oldest_kernel"] = f"{name} {'.'.join(map(str, version))}"
    elif (owner, kind) == ("FDO", NT_FDO_PACKAGING_METADATA):
        try:
            package = json.loads(content.split(b"\0", 1)[0].decode())
        except (ValueError, RecursionError):
            file.problems.append("its package note is no JSON")
            return
        if isinstance(package, dict):
            found["package"] = {
                clean(str(key)): clean(str(value)) for key, value in sorted(package.items())
            }
