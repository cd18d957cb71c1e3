"""Writes small, complete ELF files, in both widths and byte orders, for tests of the analysis."""

from __future__ import annotations

import struct
import zlib
from typing import Mapping, Sequence

BASE = 0x10000  # addresses are places in the file plus this
READ, WRITE, EXECUTE = 4, 2, 1
X86_64, I386, AARCH64, PPC64 = 62, 3, 183, 21
RETURN = b"\xc3"
# Instructions by the level of x86-64 that they need.
CODE = {
    "baseline": b"\x0f\x10\x06" + RETURN,  # movups (%rsi), %xmm0
    "v2": b"\x66\x0f\x38\x00\xc1" + RETURN,  # pshufb
    "popcnt": b"\xf3\x48\x0f\xb8\xc7" + RETURN,
    "v3": b"\xc5\xfd\xfe\xc1" + RETURN,  # vpaddd %ymm
    "bmi2": b"\xc4\xe2\xf9\xf7\xc7" + RETURN,  # shlx
    "v4": b"\x62\xf1\x7d\x48\xfe\xc1" + RETURN,  # vpaddd %zmm
    "cpuid": b"\x0f\xa2" + RETURN,
    "canary": b"\x64\x48\x8b\x04\x25\x28\0\0\0" + RETURN,
}


def note(owner: str, kind: int, content: bytes, order: str = "<") -> bytes:
    name = owner.encode() + b"\0"
    padded = content + bytes(-len(content) % 4)
    return (
        struct.pack(f"{order}III", len(name), len(content), kind)
        + name
        + bytes(-len(name) % 4)
        + padded
    )


def x86_property(name: int, value: int) -> bytes:
    """The content of a note of program properties."""
    return struct.pack("<IIII", name, 4, value, 0)


def image(files: Mapping[str, bytes], compressed: Sequence[str] = ()) -> bytes:
    """The index of an image, and one payload behind it.

    As `runtime/image.h` has it, without tables of modules and hashes. Its folders are left out:
    the root is the parent of all files.
    """
    payload = bytearray()
    places = {}
    for path, content in files.items():
        packed = zlib.compress(content) if path in compressed else content
        places[path] = (len(payload), len(content), len(packed) if path in compressed else 0)
        payload += packed
    strings = bytearray(b"\0")
    starts = {}
    for text in (*files, "python.version", "3.13", "entry.module", "main"):
        starts[text] = len(strings)
        strings += text.encode() + b"\0"
    strings += bytes(-len(strings) % 4)
    node = struct.Struct("<IHHIHHIIIIQQ")
    nodes = [node.pack(0, 0, 0, 0, 1, 0, 1, len(files), 0, 0, 0, 0)]
    for path, (offset, size, stored) in places.items():
        nodes.append(
            node.pack(starts[path], len(path.encode()), 0, 0, 2, 0, 0, 0, 0, stored, offset, size)
        )
    settings = struct.pack(
        "<IIII",
        *(starts["python.version"], starts["3.13"], starts["entry.module"], starts["main"]),
    )
    strings_at = 64
    nodes_at = strings_at + len(strings)
    settings_at = nodes_at + sum(map(len, nodes))
    payloads_at = settings_at + len(settings)
    payloads_at += -payloads_at % 8
    size = payloads_at + 8
    header = struct.pack(
        "<16I",
        *(0x3149584F, size, strings_at, len(strings), nodes_at, len(nodes), 0, 0, 0, 7, 0, 0),
        *(payloads_at, 1, settings_at, 2),
    )
    tables = header + bytes(strings) + b"".join(nodes) + settings
    tables += bytes(payloads_at - len(tables))
    return tables + struct.pack("<q", size - payloads_at) + bytes(payload)


def elf(
    *,
    bits: int = 64,
    order: str = "<",
    machine: int = X86_64,
    elf_type: int = 3,
    interpreter: str = "/lib64/ld-linux-x86-64.so.2",
    needed: Sequence[str] = ("libc.so.6",),
    soname: str = "",
    rpath: str = "",
    runpath: str = "",
    # symbols by version by library; a version may have none
    versions: Mapping[str, Mapping[str, Sequence[str]]] = {},
    functions: Mapping[str, bytes] = {"main": RETURN},
    notes: bytes = b"",
    flags: int = 8,
    flags_1: int = 0x8000001,
    relro: bool = True,
    relr: bool = False,
    stack_flags: int | None = READ | WRITE,
    data_flags: int = READ | WRITE,
    data: bytes = b"",
    with_image: Mapping[str, bytes] = {},
    compressed: Sequence[str] = (),
    bill_of_materials: bytes = b"",
    sections: bool = True,
    unwind: bool = True,
    symbol_table: bool = False,
) -> bytes:
    """An executable; see the names. `flags` is DT_FLAGS (BIND_NOW), `flags_1` DT_FLAGS_1 (PIE)."""
    wide = bits == 64
    strings = bytearray(b"\0")

    def text(value: str) -> int:
        strings.extend(value.encode() + b"\0")
        return len(strings) - 1 - len(value.encode())

    def symbol(name: int, info: int, section: int, value: int, size: int) -> bytes:
        if wide:
            return struct.pack(f"{order}IBBHQQ", name, info, 0, section, value, size)
        return struct.pack(f"{order}IIIBBH", name, value, size, info, 0, section)

    def dynamic_entry(tag: int, value: int) -> bytes:
        return struct.pack(f"{order}QQ" if wide else f"{order}II", tag, value)

    dynsym, versym, verneed = bytearray(symbol(0, 0, 0, 0, 0)), bytearray(2), bytearray()
    index = 2
    for number, (library, of_library) in enumerate(versions.items(), 1):
        following = 0 if number == len(versions) else 16 + 16 * len(of_library)
        verneed += struct.pack(f"{order}HHIII", 1, len(of_library), text(library), 16, following)
        for count, (version, names) in enumerate(of_library.items(), 1):
            next_aux = 0 if count == len(of_library) else 16
            verneed += struct.pack(f"{order}IHHII", 0, 0, index, text(version), next_aux)
            for name in names:
                dynsym += symbol(text(name), 0x12, 0, 0, 0)
                versym += struct.pack(f"{order}H", index)
            index += 1
    dynsym_count = len(versym) // 2

    body = bytearray()
    header_size, segment_size, section_size = (64, 56, 64) if wide else (52, 32, 40)
    segment_count = 4 + bool(interpreter) + bool(notes) + relro + (stack_flags is not None)
    segment_count += unwind
    body += bytes(header_size + segment_size * segment_count)
    areas: dict[str, tuple[int, int]] = {}

    def put(name: str, content: bytes, align: int = 8) -> int:
        body.extend(bytes(-len(body) % align))
        areas[name] = (len(body), len(content))
        body.extend(content)
        return areas[name][0]

    if interpreter:
        put(".interp", interpreter.encode() + b"\0")
    if notes:
        put(".note", notes)
    code_at = put(".text", b"".join(functions.values()), 16)
    code_end = len(body)
    starts, at = {}, code_at
    for name, content in functions.items():
        starts[name] = (at, len(content))
        at += len(content)
    if unwind:
        frames_at = len(body) + -len(body) % 8
        frames = bytearray()
        for start, size in starts.values():
            begin = start - (frames_at + len(frames) + 8)
            frames += struct.pack(f"{order}IIiI", 12, 0, begin, size)
        put(".eh_frame", bytes(frames) + bytes(4))
        at = len(body) + -len(body) % 8
        rows = b"".join(
            struct.pack(f"{order}ii", start - at, frames_at + 16 * number - at)
            for number, (start, _) in enumerate(starts.values())
        )
        put(
            ".eh_frame_hdr",
            b"\x01\x1b\x03\x3b" + struct.pack(f"{order}iI", 0, len(starts)) + rows,
        )
    if data:
        put(".rodata", data)
    if with_image:
        put(".rodata.image", image(with_image, compressed))
    if bill_of_materials:
        put(".oxidize.sbom", bill_of_materials)
    entries = [(1, text(name)) for name in needed]
    for tag, value in ((14, soname), (15, rpath), (29, runpath)):
        if value:
            entries.append((tag, text(value)))
    entries += [(30, flags)] if flags else []
    entries += [(0x6FFFFFFB, flags_1)] if flags_1 else []
    entries += [(36, BASE)] if relr else []
    section_names = {"": 0}
    for name in (
        *areas,
        ".dynsym",
        ".hash",
        ".dynstr",
        ".dynamic",
        ".gnu.version",
        ".gnu.version_r",
        ".symtab",
        ".shstrtab",
    ):
        section_names[name] = text(name)
    symtab = bytearray(symbol(0, 0, 0, 0, 0))
    for name, (start, size) in starts.items() if symbol_table else ():
        symtab += symbol(text(name), 0x12, 1, BASE + start, size)
    hashes = struct.pack(f"{order}II", 1, dynsym_count) + bytes(4 * (1 + dynsym_count))
    for tag, name, content in (
        (5, ".dynstr", bytes(strings)),
        (6, ".dynsym", bytes(dynsym)),
        (4, ".hash", hashes),
        (0x6FFFFFF0, ".gnu.version", bytes(versym)),
        (0x6FFFFFFE, ".gnu.version_r", bytes(verneed)),
    ):
        if content:
            entries.append((tag, BASE + put(name, content)))
    entries += [(10, len(strings)), (0x6FFFFFFF, len(versions)), (0, 0)]
    put(".dynamic", b"".join(dynamic_entry(*one) for one in entries))
    if symbol_table:
        put(".symtab", bytes(symtab))
    sections_at = 0
    headers = [(0, 0, 0, 0, 0, 0, 0)]
    order_of = list(areas)
    kinds = {".note": 7, ".dynstr": 3, ".dynsym": 11, ".hash": 5, ".dynamic": 6, ".symtab": 2}
    kinds.update({".gnu.version": 0x6FFFFFFF, ".gnu.version_r": 0x6FFFFFFE})
    links = dict.fromkeys((".dynsym", ".dynamic", ".symtab", ".gnu.version_r"), ".dynstr")
    links[".gnu.version"] = ".dynsym"
    for name, (start, size) in areas.items():
        link = order_of.index(links[name]) + 1 if name in links else 0
        section_flags = 6 if name == ".text" else 2
        info = 1 if name in (".dynsym", ".symtab") else 0
        info = len(versions) if name == ".gnu.version_r" else info
        headers.append(
            (section_names[name], kinds.get(name, 1), section_flags, start, size, link, info)
        )
    end = len(body)
    if sections:
        sections_at = len(body) + -len(body) % 8
        body.extend(bytes(sections_at - len(body)))
        for name_at, kind, section_flags, start, size, link, info in headers:
            address = BASE + start if start else 0
            entry = {2: 24, 11: 24}.get(kind, 0) if wide else {2: 16, 11: 16}.get(kind, 0)
            body += struct.pack(
                f"{order}IIQQQQIIQQ" if wide else f"{order}IIIIIIIIII",
                *(
                    name_at,
                    kind,
                    section_flags,
                    address,
                    start,
                    size,
                    link,
                    info,
                    4 if kind == 7 else 8,
                    entry,
                ),
            )
    segments = [
        (1, READ, 0, code_at),
        (1, READ | EXECUTE, code_at, code_end - code_at),
        (1, data_flags, code_end, end - code_end),
        (2, READ, *areas[".dynamic"]),
    ]
    segments += [(3, READ, *areas[".interp"])] if interpreter else []
    segments += [(4, READ, *areas[".note"])] if notes else []
    segments += [(0x6474E552, READ, *areas[".dynamic"])] if relro else []
    segments += [(0x6474E551, stack_flags, 0, 0)] if stack_flags is not None else []
    segments += [(0x6474E550, READ, *areas[".eh_frame_hdr"])] if unwind else []
    rows = b""
    for kind, segment_flags, start, size in segments:
        if wide:
            align = 4 if kind == 4 else 8
            row = (kind, segment_flags, start, BASE + start, BASE + start, size, size, align)
            rows += struct.pack(f"{order}IIQQQQQQ", *row)
        else:
            row = (kind, start, BASE + start, BASE + start, size, size, segment_flags, 4)
            rows += struct.pack(f"{order}IIIIIIII", *row)
    ident = b"\x7fELF" + bytes((2 if wide else 1, 1 if order == "<" else 2, 1)) + bytes(9)
    count = len(headers) if sections else 0
    header = struct.pack(
        f"{order}16sHHI" + ("QQQ" if wide else "III") + "IHHHHHH",
        *(ident, elf_type, machine, 1, BASE + code_at, header_size, sections_at, 0),
        *(header_size, segment_size, len(segments), section_size, count),
        order_of.index(".dynstr") + 1 if sections else 0,
    )
    body[: len(header)] = header
    body[header_size : header_size + len(rows)] = rows
    return bytes(body)


def seeds() -> list[bytes]:
    """Files that together have everything that the analysis reads."""
    build_id = note("GNU", 3, bytes(range(20)))
    properties = note("GNU", 5, x86_property(0xC0000002, 3) + x86_property(0xC0008002, 3))
    package = note("FDO", 0xCAFE1A7E, b'{"type":"x","name":"y","version":"1"}\0')
    glibc = {
        "libc.so.6": {"GLIBC_2.2.5": ["printf"], "GLIBC_2.34": ["stat"], "GLIBC_ABI_DT_RELR": []},
        "libm.so.6": {"GLIBC_2.29": ["pow"]},
    }
    python_files = {
        "app/main.py": b"TOKEN = 'ghp_" + b"a1B2" * 9 + b"'\n",
        "lib/python3.13/os.py": b"# /home/somebody/src/os.c\n" * 20,
        "lib/python3.13/site-packages/x-1.0.dist-info/METADATA": b"Name: x\n",
        "lib/python3.13/site-packages/x/m.so": elf(elf_type=3, interpreter="", flags_1=0),
    }
    bill = (
        b'{"bomFormat":"CycloneDX","components":[{"name":"x","licenses":[{"expression":"MIT"}]}]}'
    )
    return [
        elf(needed=(), interpreter="", bill_of_materials=zlib.compress(bill)),
        elf(versions=glibc, functions=dict(CODE), notes=build_id + properties + package, relr=True),
        elf(needed=(), interpreter="", with_image=python_files, compressed=("app/main.py",)),
        elf(sections=False, versions=glibc, functions=dict(CODE), unwind=False, rpath="$ORIGIN"),
        elf(bits=32, machine=I386, interpreter="/lib/ld-linux.so.2", versions=glibc),
        elf(order=">", machine=PPC64, versions=glibc, symbol_table=True),
        elf(bits=32, order=">", machine=8, needed=("libm.so.6",), symbol_table=True),
        elf(elf_type=2, symbol_table=True, functions=dict(CODE), unwind=False, data=b"://" * 99),
        elf(elf_type=1, symbol_table=True, interpreter="", needed=()),
    ]
