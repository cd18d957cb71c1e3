"""How an ELF file is hardened: what the loader and the kernel will protect, what compilers added.

Each property is `True`, `False`, or None where the file cannot show it; `detail` says more.
"""

from __future__ import annotations

import re
import struct
from typing import Any, Iterable, Mapping

from oxidize_rules.sandbox.analysis.analyze_file import ElfInput
from oxidize_rules.sandbox.analysis.analyze_identity import is_pie

# <elf.h>
DF_TEXTREL, DF_BIND_NOW, DF_1_NOW = 0x4, 0x8, 0x1
PF_X, PF_W = 1, 2
NT_GNU_PROPERTY_TYPE_0 = 5
# x86-64 psABI, "Program Property"; AArch64 ELF ABI, the same.
X86_FEATURE_1_AND, X86_IBT, X86_SHSTK = 0xC0000002, 1, 2
X86_ISA_1_NEEDED, X86_ISA_1_USED = 0xC0008002, 0xC0010002
AARCH64_FEATURE_1_AND, AARCH64_BTI, AARCH64_PAC = 0xC0000000, 1, 2
# The canary of a stack frame is read from %fs:0x28: mov, sub, xor or cmp with that address.
_CANARY = re.compile(
    rb"\x64[\x48\x4c][\x8b\x2b\x33\x3b][\x04\x0c\x14\x1c\x24\x2c\x34\x3c]\x25\x28\0\0\0"
)
# Functions that _FORTIFY_SOURCE replaces, as far as they are common: name -> __name_chk.
FORTIFIED = frozenset(
    (
        *("memcpy", "memmove", "memset", "mempcpy", "strcpy", "strncpy", "strcat", "strncat"),
        *("stpcpy", "stpncpy", "sprintf", "snprintf", "vsprintf", "vsnprintf", "printf"),
        *("fprintf", "vprintf", "vfprintf", "dprintf", "syslog", "vsyslog", "read", "pread"),
        *("pread64", "recv", "recvfrom", "readlink", "getcwd", "fgets", "fread", "realpath"),
        *("gethostname", "confstr", "getgroups", "poll", "ppoll", "longjmp", "fdelt", "wcscpy"),
        *("wcsncpy", "wmemcpy", "wmemset", "mbstowcs", "wcstombs", "swprintf", "asprintf"),
    )
)


def properties(file: ElfInput) -> dict[int, int]:
    """The program properties of its notes, with values of four bytes."""
    found: dict[int, int] = {}
    with file.guard("program properties"):
        for owner, kind, content in file.notes():
            if (owner, kind) != ("GNU", NT_GNU_PROPERTY_TYPE_0):
                continue
            at, step = 0, 8 if file.is_64 else 4
            while at + 8 <= len(content):
                name, size = struct.unpack_from(f"{file.order}II", content, at)
                if size == 4 and at + 12 <= len(content):
                    (found[name],) = struct.unpack_from(f"{file.order}I", content, at + 8)
                at += 8 + size + -size % step
    return found


def describe(file: ElfInput, identity: Mapping[str, Any]) -> dict[str, Any]:
    loaded = bool(file.segments)
    stack = file.segment("PT_GNU_STACK")
    flags, flags_1 = file.value("DT_FLAGS") or 0, file.value("DT_FLAGS_1") or 0
    bound = bool(flags & DF_BIND_NOW or flags_1 & DF_1_NOW or file.value("DT_BIND_NOW") is not None)
    is_dynamic = bool(file.dynamic)
    relro = file.segment("PT_GNU_RELRO") is not None
    rwx = [
        one["p_vaddr"]
        for one in file.segments
        if one["p_type"] == "PT_LOAD" and one["p_flags"] & PF_W and one["p_flags"] & PF_X
    ]
    # Without lazily bound functions there is nothing to bind.
    bind_now = bound or not is_dynamic or file.value("DT_JMPREL") is None
    imported, names = _names(file)
    protector, protector_detail = _stack_protector(file, identity, imported, names)
    chk = sorted(name for name in imported | names if _plain(name) in FORTIFIED)
    plain = sorted(imported & FORTIFIED)
    machine, marks = identity["machine"], properties(file)
    x86 = marks.get(X86_FEATURE_1_AND, 0) if machine in ("x86_64", "i386") else None
    arm = marks.get(AARCH64_FEATURE_1_AND, 0) if machine == "aarch64" else None
    fortify = True if chk else False if plain else None
    run_paths = file.values("DT_RPATH") or file.values("DT_RUNPATH")
    return {
        "pie": is_pie(file) or identity["kind"] == "shared library" if loaded else None,
        "nx": not (stack is None or stack["p_flags"] & PF_X) if loaded else None,
        "relro": relro if loaded else None,
        "full_relro": relro and bind_now if loaded else None,
        "bind_now": bind_now if loaded else None,
        "no_rwx": not rwx if loaded else None,
        "no_textrel": not (flags & DF_TEXTREL or file.value("DT_TEXTREL") is not None),
        "no_rpath": not run_paths,
        "stack_protector": protector,
        "fortify": fortify,
        "ibt": None if x86 is None else bool(x86 & X86_IBT),
        "shadow_stack": None if x86 is None else bool(x86 & X86_SHSTK),
        "bti": None if arm is None else bool(arm & AARCH64_BTI),
        "pac": None if arm is None else bool(arm & AARCH64_PAC),
        "stripped": identity["stripped"],
        "detail": {
            "stack_protector": protector_detail,
            "fortify": (
                f"{len(chk)} functions fortified, {len(plain)} not"
                if chk or plain
                else "the file shows no such calls"
            ),
            "rwx": [f"{address:#x}" for address in rwx[:8]],
        },
    }


def _plain(name: str) -> str:
    """`__memcpy_chk` -> `memcpy`."""
    if name.startswith("__") and name.endswith("_chk"):
        return name[2:-4]
    return ""


def _names(file: ElfInput) -> tuple[set[str], set[str]]:
    """Names that it imports, and names that its symbol table has."""
    imported: set[str] = set()
    names: set[str] = set()
    with file.guard("table of dynamic symbols"):
        imported |= {one.name for one in file.dynamic_symbols() if not one.defined}
    with file.guard("table of symbols"):
        names |= {one.name for one in file.symbols()}
    return imported, names


def _stack_protector(
    file: ElfInput, identity: Mapping[str, Any], imported: Iterable[str], names: Iterable[str]
) -> tuple[bool | None, str]:
    count = 0
    if identity["machine"] == "x86_64":
        for one in file.segments:
            if one["p_type"] == "PT_LOAD" and one["p_flags"] & PF_X:
                start = min(one["p_offset"], file.size)
                end = min(start + one["p_filesz"], file.size)
                count += sum(1 for _ in _CANARY.finditer(file.data, start, end))
    if count:
        return True, f"its code looks at the canary {count} times"
    if "__stack_chk_fail" in imported or "__stack_chk_fail" in names:
        return True, "it calls __stack_chk_fail"
    if identity["machine"] == "x86_64" or not identity["stripped"]:
        return False, "its code looks at no canary"
    return None, "the file does not show it"
