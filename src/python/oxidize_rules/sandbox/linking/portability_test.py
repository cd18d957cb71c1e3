from __future__ import annotations

import contextlib
import io
import json
import struct
import sys
from pathlib import Path
from typing import Any, cast

import pytest
from elftools.elf.dynamic import DynamicSection
from elftools.elf.elffile import ELFFile

from oxidize_rules.sandbox import elf_reader as elf
from oxidize_rules.sandbox.elf_reader import BadElf, ElfFile, archive_members
from oxidize_rules.sandbox.errors import UserError
from oxidize_rules.sandbox.linking.portability import (
    EXIT_FINDINGS,
    Policy,
    check,
    check_file,
    describe,
    main,
    version_number,
)

GNU = "x86_64-unknown-linux-gnu"
MUSL = "x86_64-unknown-linux-musl"
LOADER = "/lib64/ld-linux-x86-64.so.2"
READ, WRITE, EXECUTE = 4, 2, 1


def executable(
    *,
    machine: int = 62,
    kind: int = elf.ET_DYN,
    interpreter: str = "",
    needed: tuple[str, ...] = (),
    run_path: str = "",
    flags: int = elf.DF_BIND_NOW,
    relro: bool = True,
    stack_flags: int | None = READ | WRITE,
    load_flags: int = READ,
    exports: tuple[str, ...] = ("Py_Initialize",),
    # (library, version, symbol or "" for a version that no symbol uses)
    versions: tuple[tuple[str, str, str], ...] = (),
    section_types: tuple[int, ...] = (),
    payload: bytes = b"",
) -> bytes:
    """An ELF file with the named properties: all of it is one segment at address 0."""
    strings = bytearray(b"\0")

    def text(value: str) -> int:
        strings.extend(value.encode() + b"\0")
        return len(strings) - 1 - len(value.encode())

    symbols, versym = bytearray(24), bytearray(2)
    for name in exports:
        symbols += struct.pack("<IBBHQQ", text(name), 0x12, 0, 1, 64, 0)
        versym += struct.pack("<H", 1)
    verneed = bytearray()
    for number, (library, version, symbol) in enumerate(versions):
        last = number == len(versions) - 1
        verneed += struct.pack("<HHIII", 1, 1, text(library), 16, 0 if last else 32)
        verneed += struct.pack("<IHHII", 0, 0, number + 2, text(version), 0)
        if symbol:
            symbols += struct.pack("<IBBHQQ", text(symbol), 0x12, 0, 0, 0, 0)
            versym += struct.pack("<H", number + 2)
    tags = [(elf.DT_NEEDED, text(name)) for name in needed]
    if run_path:
        tags.append((elf.DT_RUNPATH, text(run_path)))
    if flags:
        tags.append((elf.DT_FLAGS, flags))
    hash_table = struct.pack("<II", 1, len(symbols) // 24) + bytes(4 * (1 + len(symbols) // 24))
    blobs: dict[str | int, bytes] = {
        "interp": interpreter.encode() + b"\0",
        "payload": payload,
        elf.DT_STRTAB: bytes(strings),
        elf.DT_SYMTAB: bytes(symbols),
        elf.DT_HASH: hash_table,
    }
    if versions:
        blobs[elf.DT_VERSYM], blobs[elf.DT_VERNEED] = bytes(versym), bytes(verneed)
    segment_count = 2 + bool(interpreter) + relro + (stack_flags is not None)
    body = bytearray(64 + 56 * segment_count)
    offsets: dict[str | int, int] = {}
    for key, blob in blobs.items():
        body += bytes(-len(body) % 8)
        offsets[key] = len(body)
        body += blob
    body += bytes(-len(body) % 8)
    tags += [(key, offset) for key, offset in offsets.items() if isinstance(key, int)]
    tags += [(elf.DT_STRSZ, len(strings)), (elf.DT_VERNEEDNUM, len(versions)), (0, 0)]
    dynamic = b"".join(struct.pack("<qQ", *tag) for tag in tags)
    dynamic_at = len(body)
    body += dynamic
    sections_at = len(body)
    for section_type in section_types:
        body += struct.pack("<IIQQQQIIQQ", 0, section_type, 0, 0, 0, 0, 0, 0, 0, 0)
    segments = [
        (elf.PT_LOAD, load_flags, 0, 0, 0, len(body), len(body), 1),
        (elf.PT_DYNAMIC, READ, dynamic_at, dynamic_at, 0, len(dynamic), len(dynamic), 8),
    ]
    if interpreter:
        at = offsets["interp"]
        segments.append((elf.PT_INTERP, READ, at, at, 0, len(interpreter) + 1, 0, 1))
    if relro:
        segments.append((elf.PT_GNU_RELRO, READ, 0, 0, 0, 0, 0, 1))
    if stack_flags is not None:
        segments.append((elf.PT_GNU_STACK, stack_flags, 0, 0, 0, 0, 0, 1))
    ident = b"\x7fELF\x02\x01\x01".ljust(16, b"\0")
    count = len(section_types)
    header = (ident, kind, machine, 1, 0, 64, sections_at, 0, 64, 56, len(segments), 64, count, 0)
    body[:64] = struct.pack("<16sHHIQQQIHHHHHH", *header)
    body[64 : 64 + 56 * len(segments)] = b"".join(struct.pack("<IIQQQQQQ", *s) for s in segments)
    return bytes(body)


def gnu(**changes: Any) -> bytes:
    versions = (("libc.so.6", "GLIBC_2.2.5", "open"), ("libc.so.6", "GLIBC_2.17", "secure_getenv"))
    return executable(
        **{
            "interpreter": LOADER,
            "needed": ("libc.so.6", "libm.so.6", "ld-linux-x86-64.so.2"),
            "versions": versions,
            **changes,
        }
    )


def findings(data: bytes, policy: Policy) -> list[tuple[str, str]]:
    return [(one.rule, one.message) for one in check(ElfFile(data), policy)]


def test_a_good_executable_has_no_findings() -> None:
    assert findings(executable(), Policy(MUSL, None)) == []
    assert findings(gnu(), Policy(GNU, "2.17")) == []


@pytest.mark.parametrize(
    ("changes", "rule", "text"),
    [
        ({"machine": 183}, "machine", "made for aarch64, expected x86_64"),
        ({"kind": elf.ET_EXEC}, "machine", "not position-independent"),
        ({"interpreter": LOADER}, "interpreter", "expected none: it should be static"),
        ({"needed": ("libc.so",)}, "needed", "libc.so; allowed: none"),
        ({"run_path": "/opt/lib"}, "run-path", "`/opt/lib`"),
        ({"relro": False}, "relro", "PT_GNU_RELRO"),
        ({"flags": 0}, "bind-now", "BIND_NOW"),
        ({"stack_flags": None}, "stack", "executable"),
        ({"stack_flags": 7}, "stack", "executable"),
        ({"flags": elf.DF_BIND_NOW | elf.DF_TEXTREL}, "text-relocations", "TEXTREL"),
        ({"load_flags": 7}, "writable-code", "writable and executable"),
        ({"exports": ("PyX", "SSL_new")}, "exports", "it exports SSL_new; only Py*, _Py*"),
        ({"section_types": (elf.SHT_SYMTAB,)}, "stripped", "not stripped"),
        (
            {"payload": b"\0/tmp/pants-sandbox-aB3dE6/x.c\0"},
            "build-folder",
            "`/tmp/pants-sandbox-aB3dE6/x.c`",
        ),
        (
            {"payload": b"\0/tmp/immutable_inputsaB3dE6/y/x.c\0"},
            "build-folder",
            "`/tmp/immutable_inputsaB3dE6/y/x.c`",
        ),
        ({"payload": b"\0/home/me/repo/x.c\0"}, "build-folder", "`/home/me/repo`"),
    ],
)
def test_each_rule_finds_what_it_is_for(changes: dict[str, Any], rule: str, text: str) -> None:
    policy = Policy(MUSL, None, forbidden_paths=["/home/me/repo"])
    ((found_rule, message),) = findings(executable(**changes), policy)
    assert found_rule == rule
    assert text in message


def test_words_that_only_look_like_build_folders_are_fine() -> None:
    payload = b"\0see pants-sandbox- and /tmp/immutable_inputs in the docs of Pants; /build/x.c\0"
    assert findings(executable(payload=payload), Policy(MUSL, None)) == []


def test_the_unstripped_and_further_exports_can_be_allowed() -> None:
    data = executable(section_types=(elf.SHT_SYMTAB,), exports=("open", "Py_Main"))
    assert findings(data, Policy(MUSL, None, exports=("Py*", "open"), stripped=False)) == []


@pytest.mark.parametrize(
    ("changes", "rule", "text"),
    [
        ({"interpreter": ""}, "interpreter", f"no dynamic linker, expected `{LOADER}`"),
        ({"interpreter": "/lib/ld-musl-x86_64.so.1"}, "interpreter", "ld-musl-x86_64"),
        ({"needed": ("libc.so.6", "libssl.so.3")}, "needed", "libssl.so.3; allowed: ld-linux"),
        (
            {"versions": (("libc.so.6", "GLIBC_2.34", "stat"),)},
            "symbol-version",
            "stat of libc.so.6 in version GLIBC_2.34, but the glibc floor is 2.17",
        ),
        (
            {"versions": (("libc.so.6", "GLIBC_2.36", ""),)},
            "symbol-version",
            "version GLIBC_2.36 of libc.so.6",
        ),
        (
            {"versions": (("libc.so.6", "GLIBC_ABI_DT_RELR", ""),)},
            "symbol-version",
            "not a version of glibc's public interface",
        ),
        (
            {"versions": (("libc.so.6", "GLIBC_PRIVATE", "__libc_x"),)},
            "symbol-version",
            "__libc_x",
        ),
    ],
)
def test_glibc(changes: dict[str, Any], rule: str, text: str) -> None:
    ((found_rule, message),) = findings(gnu(**changes), Policy(GNU, "2.17"))
    assert found_rule == rule
    assert text in message


def test_versions_are_compared_as_numbers() -> None:
    assert version_number("GLIBC_2.3.4") < version_number("GLIBC_2.17") < version_number("2.100")
    data = gnu(versions=(("libc.so.6", "GLIBC_2.3.4", "a"), ("libc.so.6", "GLIBC_2.17", "b")))
    assert describe(ElfFile(data))["glibc_symbol_version"] == "2.17"


@pytest.mark.parametrize(
    ("triple", "floor"), [("riscv64-unknown-linux-gnu", "2.27"), (GNU, None), (GNU, "new")]
)
def test_bad_policies(triple: str, floor: str | None) -> None:
    with pytest.raises(UserError, match=r"target triple|glibc floor"):
        Policy(triple, floor)


def test_our_reader_agrees_with_pyelftools() -> None:
    """On the running interpreter and the extension modules that it has loaded."""
    paths = {sys.executable, *(str(getattr(m, "__file__", "")) for m in [*sys.modules.values()])}
    files = [path for path in sorted(paths) if path.endswith(".so") or path == sys.executable]
    assert len(files) > 5
    for path in files:
        data = Path(path).read_bytes()
        ours = ElfFile(data)
        theirs = cast(Any, ELFFile)(io.BytesIO(data))
        dynamic: Any = next(s for s in theirs.iter_sections() if type(s) is DynamicSection)
        assert ours.needed == [tag.needed for tag in dynamic.iter_tags("DT_NEEDED")]
        table = theirs.get_section_by_name(".dynsym")
        assert type(table).__name__ == "SymbolTableSection"
        expected = [
            (s.name, s["st_shndx"] != "SHN_UNDEF", s["st_info"]["bind"] == "STB_LOCAL")
            for s in table.iter_symbols()
        ][1:]
        found = [(s.name, s.defined, s.local) for s in ours.dynamic_symbols()]
        # The GNU hash table has the defined symbols only; undefined ones may follow in no file.
        assert found == expected[: len(found)]
        assert all(not defined for _, defined, _ in expected[len(found) :])
        needs = theirs.get_section_by_name(".gnu.version_r")
        versions = (
            [
                (library.name, version.name)
                for library, versions in needs.iter_versions()
                for version in versions
            ]
            if needs is not None
            else []
        )
        assert [(library, name) for library, name, _ in ours.version_needs()] == versions


def test_broken_files_are_told_and_never_crash(tmp_path: Path) -> None:
    good = gnu()
    path = tmp_path / "x"
    for size in (0, 3, 40, 64, 200, len(good) // 2, len(good) - 1):
        path.write_bytes(good[:size])
        with pytest.raises(UserError, match="cannot"):
            check_file(str(path), Policy(GNU, "2.17"))
    for at in range(0, len(good), 3):
        broken = good[:at] + b"\xff\xff" + good[at + 2 :]
        path.write_bytes(broken)
        with contextlib.suppress(UserError):
            check_file(str(path), Policy(GNU, "2.17"))
    path.write_bytes(b"#!/bin/sh\n")
    with pytest.raises(UserError, match="not an ELF file"):
        check_file(str(path), Policy(MUSL, None))


def test_archives_with_long_names() -> None:
    def member(name: bytes, content: bytes) -> bytes:
        header = b"%-16s%-12d%-6d%-6d%-8d%-10d`\n" % (name, 0, 0, 0, 0o644, len(content))
        return header + content + b"\n" * (len(content) % 2)

    archive = (
        b"!<arch>\n"
        + member(b"/", b"\0\0\0\0")
        + member(b"//", b"a_very_long_name.o/\nanother_long_name.o/\n")
        + member(b"/20", b"second!")
        + member(b"short.o/", b"third")
    )
    assert list(archive_members(archive)) == [
        ("another_long_name.o", b"second!"),
        ("short.o", b"third"),
    ]
    with pytest.raises(BadElf):
        list(archive_members(b"!<thin>\n"))


def test_as_a_program(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "x"
    path.write_bytes(executable())
    main([str(path), "--target", MUSL, "--json"])
    assert json.loads(capsys.readouterr().out)["findings"] == []
    path.write_bytes(executable(exports=("SSL_new",)))
    with pytest.raises(SystemExit) as stopped:
        main([str(path), "--target", MUSL])
    assert stopped.value.code == EXIT_FINDINGS
    assert "exports SSL_new" in capsys.readouterr().out
    main([str(path), "--target", MUSL, "--export", "SSL_*"])
    with pytest.raises(UserError):
        main([str(tmp_path / "missing"), "--target", MUSL])
