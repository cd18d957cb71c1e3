"""Which level of x86-64 an ELF file declares, and which instructions really occur in it.

Functions are found by the unwind table (`.eh_frame_hdr`) and the symbol table. A function whose
bytes may hold a newer instruction is decoded whole, from its first instruction on, by capstone:
so what is counted is code that begins where the compiler began it, and not bytes that look like
an instruction. Code outside known functions (assembly without unwind information, tables between
functions) is decoded, too, but told apart.

That an instruction occurs does not mean that it runs: libraries such as OpenSSL ask the CPU
(`cpuid`) and choose. `chosen_at_run_time` says whether that is the likely reading.
"""

from __future__ import annotations

import bisect
import re
import struct
from typing import Any, Iterator, Mapping

import capstone  # type: ignore[import-untyped]

from oxidize_rules.sandbox.analysis.analyze_file import ElfInput, clean
from oxidize_rules.sandbox.analysis.analyze_hardening import (
    X86_ISA_1_NEEDED,
    X86_ISA_1_USED,
    properties,
)
from oxidize_rules.sandbox.analysis.analyze_requirements import LEVEL_NAMES
from oxidize_rules.sandbox.analysis.x86_extensions import ISA_1_BITS, LEVELS, extension_of

PF_X = 1
# Bytes of code decoded at most, each function at most, and functions at most.
CODE_LIMIT = 256 << 20
FUNCTION_LIMIT = 4 << 20
COUNT_LIMIT = 2_000_000
# capstone makes a record of 250 bytes for each instruction of a piece.
PIECE = 1 << 16
EXAMPLES = 5
# Above this share of the vector functions, a file was compiled for the level as a whole.
MOSTLY = 0.8


def _class(values: Any) -> bytes:
    return b"[" + b"".join(re.escape(bytes([one])) for one in values) + b"]"


# Opcodes of the map 0F that exist with VEX (Intel SDM, volume 2, appendix A).
_VEX_OPCODES = _class(
    [
        *(*range(0x10, 0x18), *range(0x28, 0x30), 0x41, 0x42, *range(0x44, 0x48), 0x4A, 0x4B),
        *(*range(0x50, 0x80), *range(0x90, 0x94), 0x98, 0x99, 0xAE, 0xC2, 0xC4, 0xC5, 0xC6),
        *range(0xD0, 0x100),
    ]
)
# What every instruction that the tables know has somewhere in its bytes. A function without it
# need not be decoded.
_CANDIDATE = re.compile(
    b"|".join(
        (
            rb"\xc5[\0-\xff]" + _VEX_OPCODES,
            rb"\xc4" + _class(b for b in range(256) if b & 31 in (1, 2, 3)),
            rb"\x8f" + _class(b for b in range(256) if b & 31 in (8, 9, 10)),  # XOP, of AMD
            rb"\x62" + _class(b for b in range(256) if 1 <= b & 15 <= 7),
            # 0F38, 0F3A, cpuid, SSE3, popcnt, lzcnt, movddup and its like, cmpxchg16b and rdrand
            rb"\x0f[\x38\x3a\xa2\x7c\x7d\xd0\xf0\xb8\xbd\x12\x16\xc7\x01\x78\x79\x0f\x0e]",
            rb"\xc6\xf8|\xc7\xf8",
        )
    ),
    re.DOTALL,
)
# Moves between memory and vector registers in the old encoding: code for the baseline has them.
_OLD_VECTOR = re.compile(rb"\x0f[\x10\x11\x28\x29\x57\x6f\x7f\xef]")


class Found:
    """What was found in functions, or outside of them."""

    def __init__(self) -> None:
        self.extensions: dict[str, int] = {}  # functions by extension
        self.levels: dict[int, int] = {}  # functions by their highest level
        self.examples: dict[int, list[str]] = {}

    def add(self, extensions: set[str], name: str) -> None:
        for one in extensions:
            self.extensions[one] = self.extensions.get(one, 0) + 1
        level = max((LEVELS[one] or 1 for one in extensions), default=1)
        self.levels[level] = self.levels.get(level, 0) + 1
        if level > 1 and len(self.examples.setdefault(level, [])) < EXAMPLES:
            self.examples[level].append(name)

    def as_json(self) -> dict[str, Any]:
        return {
            "highest": LEVEL_NAMES[max(self.levels, default=1)],
            "functions_by_level": {
                LEVEL_NAMES[level]: count for level, count in sorted(self.levels.items())
            },
            "functions_by_extension": dict(
                sorted(self.extensions.items(), key=lambda item: (LEVELS[item[0]] or 9, item[0]))
            ),
            "examples": {LEVEL_NAMES[one]: names for one, names in sorted(self.examples.items())},
        }


def describe(file: ElfInput, identity: Mapping[str, Any]) -> dict[str, Any]:
    if identity["machine"] != "x86_64":
        return {"examined": False, "why": f"levels are known of x86_64, not {identity['machine']}"}
    if not file.is_64 or identity["byte_order"] != "little":
        return {"examined": False, "why": "its code is not that of 64-bit x86"}
    if identity["kind"] in ("core dump", "symbols of another file"):
        return {"examined": False, "why": f"it is a {identity['kind']}"}
    marks = properties(file)
    inside, outside = Found(), Found()
    asks, counts = 0, [0, 0, 0, 0, 0]
    with file.guard("code"):
        asks, counts = _scan(file, inside, outside)
    functions, new, old, code_inside, code_outside = counts
    result = {
        "examined": True,
        "declared_needed": _declared(marks.get(X86_ISA_1_NEEDED)),
        "declared_used": _declared(marks.get(X86_ISA_1_USED)),
        "functions": functions,
        **inside.as_json(),
        "outside_functions": outside.as_json(),
        "code_bytes": {"in_functions": code_inside, "outside": code_outside},
        "asks_the_cpu": asks,
        "vector_functions": {"newer": new, "baseline": old},
    }
    mostly = new > MOSTLY * (new + old)
    result["chosen_at_run_time"] = (
        None if max(inside.levels, default=1) == 1 else bool(asks and not mostly)
    )
    return result


def _declared(bits: int | None) -> str | None:
    """The highest level among the bits of a property."""
    if not bits:
        return None
    return LEVEL_NAMES[max(level for bit, level in ISA_1_BITS.items() if bits & bit or bit == 1)]


def _scan(file: ElfInput, inside: Found, outside: Found) -> tuple[int, list[int]]:
    """Places that ask the CPU; and how many functions there are, of them with vector
    instructions newer than the baseline, and with those of the baseline alone; bytes of code in
    functions, and outside of them."""
    disassembler = capstone.Cs(capstone.CS_ARCH_X86, capstone.CS_MODE_64)
    disassembler.skipdata = True
    names, asks, left = _Names(file), 0, CODE_LIMIT
    functions = new = old = 0
    sizes = [0, 0]
    for start, end, known in _ranges(file, names):
        functions += known
        sizes[not known] += end - start
        end = min(end, start + (FUNCTION_LIMIT if known else CODE_LIMIT))
        if left <= 0:
            file.problems.append("it has more code than is looked at")
            break
        if not _CANDIDATE.search(file.data, start, end):
            old += known and bool(_OLD_VECTOR.search(file.data, start, end))
            continue
        left -= end - start
        extensions, asking = _decode(disassembler, file, start, end)
        asks += asking
        if any((LEVELS[one] or 1) > 2 for one in extensions):
            new += known
        else:
            old += known and bool(_OLD_VECTOR.search(file.data, start, end))
        if extensions:
            (inside if known else outside).add(extensions, names.at(start))
    return asks, [functions, new, old, *sizes]


def _decode(disassembler: Any, file: ElfInput, start: int, end: int) -> tuple[set[str], int]:
    """The extensions that the code needs, and how often it asks the CPU."""
    extensions: set[str] = set()
    asks, at = 0, start
    while at < end:
        piece = file.content(at, min(PIECE, end - at))
        done = at
        for address, size, mnemonic, operands in disassembler.disasm_lite(piece, at):
            if address + size > at + PIECE - 16 and at + len(piece) < end:
                break  # it may be cut: the next piece begins with it
            done = address + size
            if mnemonic in ("cpuid", "xgetbv"):
                asks += 1
            elif mnemonic != ".byte":
                code = piece[address - at : address - at + size].lstrip(
                    b"\x2e\x36\x3e\x26\x64\x65\x67"
                )
                extension = extension_of(mnemonic.rpartition(" ")[2], code, operands)
                if extension:
                    extensions.add(extension)
        if done == at:
            break
        at = done
    return extensions, asks


class _Names:
    """Names of functions by their place in the file, as far as symbols tell."""

    def __init__(self, file: ElfInput) -> None:
        self.file = file
        self.functions: dict[int, tuple[int, str]] = {}  # offset -> size, name
        for symbols in (file.dynamic_symbols, file.symbols):
            with file.guard("table of symbols"):
                for one in symbols():
                    if one.is_function and one.defined and len(self.functions) < COUNT_LIMIT:
                        offset = self._offset(one.value, one.section)
                        if offset is not None:
                            self.functions.setdefault(offset, (one.size, one.name))
        self._starts = sorted(self.functions)

    def _offset(self, value: int, section: int) -> int | None:
        if self.file.header["e_type"] == "ET_REL":
            if section >= len(self.file.sections):
                return None
            header = self.file.sections[section][1]
            inside = header["sh_type"] == "SHT_PROGBITS" and value < header["sh_size"]
            return int(header["sh_offset"] + value) if inside else None
        for one in self.file._loads:
            if one["p_flags"] & PF_X and 0 <= value - one["p_vaddr"] < one["p_filesz"]:
                return int(one["p_offset"] + value - one["p_vaddr"])
        return None

    def at(self, offset: int) -> str:
        index = bisect.bisect_right(self._starts, offset) - 1
        if index >= 0:
            start = self._starts[index]
            size, name = self.functions[start]
            if offset < start + max(size, 1):
                return clean(name, 100)
        address = self.file.address(offset)
        return f"{offset if address is None else address:#x}"


def _code_areas(file: ElfInput) -> list[tuple[int, int]]:
    """Parts of the file that are executable; of sections, so that tables stay out."""
    areas = [
        (one["sh_offset"], one["sh_offset"] + one["sh_size"])
        for _, one in file.sections
        if one["sh_type"] == "SHT_PROGBITS" and one["sh_flags"] & 4 and one["sh_size"]
    ]
    areas = areas or [
        (one["p_offset"], one["p_offset"] + one["p_filesz"])
        for one in file.segments
        if one["p_type"] == "PT_LOAD" and one["p_flags"] & PF_X and one["p_filesz"]
    ]
    merged: list[tuple[int, int]] = []
    for start, end in sorted((max(0, start), min(end, file.size)) for start, end in areas):
        if start >= end:
            continue
        if merged and start < merged[-1][1]:
            start = merged[-1][1]
        if start < end:
            merged.append((start, end))
    return merged


def _ranges(file: ElfInput, names: _Names) -> Iterator[tuple[int, int, bool]]:
    """(start, end, whether it is a function) of all code, as places in the file, in order."""
    known = {start: start + size for start, (size, _) in names.functions.items() if size}
    with file.guard("unwind table"):
        for start, end in _unwind_ranges(file):
            known[start] = max(end, known.get(start, 0))
    starts = sorted(known)
    for area_start, area_end in _code_areas(file):
        at = area_start
        index = bisect.bisect_left(starts, area_start)
        while index < len(starts) and starts[index] < area_end:
            start, end = starts[index], min(known[starts[index]], area_end)
            index += 1
            if end <= at:
                continue
            if start > at:
                yield at, start, False
            yield max(start, at), end, True
            at = end
        if at < area_end:
            yield at, area_end, False


def _unwind_ranges(file: ElfInput) -> Iterator[tuple[int, int]]:
    """Functions of the sorted table of `.eh_frame_hdr` (Linux Standard Base Core, 10.6.2), in the
    encoding that all linkers write; their sizes are in `.eh_frame` behind their starts."""
    segment = file.segment("PT_GNU_EH_FRAME")
    if segment is None:
        return
    at, address = segment["p_offset"], segment["p_vaddr"]
    header = file.content(at, 12)
    if len(header) < 12 or header[0] != 1 or header[2:4] != b"\x03\x3b":
        return
    (count,) = struct.unpack_from(f"{file.order}I", header, 8)
    count = min(count, COUNT_LIMIT, max(0, file.size - at - 12) // 8)
    table = file.content(at + 12, 8 * count)
    rows = [
        (address + start, address + frame)
        for start, frame in struct.iter_unpack(f"{file.order}ii", table)
    ]
    code = [one for one in file._loads if one["p_flags"] & PF_X]
    frames = [
        one for one in file._loads if one["p_vaddr"] <= address < one["p_vaddr"] + one["p_filesz"]
    ]
    if not frames:
        return
    shift = frames[0]["p_offset"] - frames[0]["p_vaddr"]
    for start, frame in rows:
        frame_at = frame + shift
        if not 0 <= frame_at <= file.size - 16:
            continue
        begin, size = struct.unpack_from(f"{file.order}iI", file.data, frame_at + 8)
        if begin + frame + 8 != start:
            continue  # another encoding
        for one in code:
            if one["p_vaddr"] <= start < one["p_vaddr"] + one["p_filesz"]:
                offset = one["p_offset"] + start - one["p_vaddr"]
                yield offset, offset + size
                break
