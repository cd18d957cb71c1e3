from __future__ import annotations

import random
import struct
import sys
from pathlib import Path
from typing import Any

import pytest
from elftools.elf.dynamic import DynamicSegment
from elftools.elf.elffile import ELFFile

from oxidize_rules.sandbox.images.native_file import describe, is_loadable, version_order
from oxidize_rules.sandbox.testing_elf import library

PATH = "lib/python3.13/site-packages/demo/sub/x.so"


def test_a_library_of_a_manylinux_wheel() -> None:
    content = library(
        soname="libx.so.1",
        needed=["libstdc++.so.6", "libc.so.6"],
        runpath="$ORIGIN/../../demo.libs:/usr/local/lib:${ORIGIN}",
        versions={
            "libstdc++.so.6": ["GLIBCXX_3.4.21", "CXXABI_1.3", "GLIBCXX_3.4.9"],
            "libc.so.6": ["GLIBC_2.2.5", "GLIBC_2.17", "GLIBC_2.4"],
        },
    )
    site = "lib/python3.13/site-packages"
    assert describe(PATH, content) == {
        "path": PATH,
        "kind": "library",
        "extension": False,
        "machine": "x86_64",
        "soname": "libx.so.1",
        "needed": ["libstdc++.so.6", "libc.so.6"],
        "rpath": [f"{site}/demo.libs", f"{site}/demo/sub"],
        "libc": "glibc",
        "glibc": "2.17",
        "versions": {
            "libc.so.6": ["GLIBC_2.2.5", "GLIBC_2.4", "GLIBC_2.17"],
            "libstdc++.so.6": ["CXXABI_1.3", "GLIBCXX_3.4.9", "GLIBCXX_3.4.21"],
        },
    }


@pytest.mark.parametrize(
    ("needed", "versions", "libc", "glibc"),
    [
        (["libc.musl-x86_64.so.1"], {}, "musl", None),
        (["libc.so"], {}, "musl", None),
        ([], {}, None, None),
        (["libm.so.6"], {"libm.so.6": ["GLIBC_2.29"]}, "glibc", "2.29"),
        (["ld-linux-x86-64.so.2"], {}, "glibc", None),
        (["libc.so.6"], {"libc.so.6": ["GLIBC_2.2.5", "GLIBC_ABI_DT_RELR"]}, "glibc", "2.36"),
        (["libc.so.6"], {"libc.so.6": ["GLIBC_PRIVATE"]}, "glibc", None),
        (["libstdc++.so.6"], {"libstdc++.so.6": ["GLIBCXX_3.4"]}, None, None),
    ],
)
def test_the_c_library(
    needed: list[str], versions: dict[str, list[str]], libc: str | None, glibc: str | None
) -> None:
    found = describe("x.so", library(needed=needed, versions=versions))
    assert (found["libc"], found["glibc"]) == (libc, glibc)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"rpath": "$ORIGIN/a"}, ["lib/a"]),
        ({"rpath": "$ORIGIN/a", "runpath": "$ORIGIN/b"}, ["lib/b"]),
        ({"runpath": "$ORIGIN:$ORIGIN/.:$ORIGIN/../lib"}, ["lib"]),
        ({"runpath": "$ORIGIN/../..:$ORIGIN/../../../x"}, []),
        ({"runpath": "$ORIGIN/.."}, ["."]),
        ({"runpath": "/usr/lib::$ORIGINAL/x:relative"}, []),
    ],
)
def test_where_it_looks_for_libraries(options: dict[str, Any], expected: list[str]) -> None:
    assert describe("lib/x.so", library(**options))["rpath"] == expected


@pytest.mark.parametrize(
    ("content", "kind", "machine"),
    [
        (library(), "library", "x86_64"),
        (library(machine=183), "library", "aarch64"),
        (library(machine=243), "library", "machine 243"),
        (library(interpreter="/lib/ld.so"), "executable", "x86_64"),
        (library(interpreter="/lib/ld.so", soname="libpthread.so.0"), "library", "x86_64"),
        (library(flags_1=0x08000001), "executable", "x86_64"),
        (library(elf_type=2), "executable", "x86_64"),
        (library(elf_type=1, dynamic=False), "object", "x86_64"),
        (library(dynamic=False), "other", "x86_64"),
    ],
)
def test_kinds(content: bytes, kind: str, machine: str) -> None:
    found = describe("x", content)
    assert (found["kind"], found["machine"]) == (kind, machine)
    assert "broken" not in found
    assert is_loadable(found, "x86_64") == (kind == "library" and machine == "x86_64")


@pytest.mark.parametrize(
    ("path", "function", "expected"),
    [
        ("a/x.so", "PyInit_x", True),
        ("a/x.abi3.so", "PyInit_x", True),
        ("a/x.cpython-313-x86_64-linux-musl.so", "PyInit_x", True),
        ("a/x.so", "PyInit_xy", False),
        ("a/x.so.1", "PyInit_x", False),
        ("a/x", "PyInit_x", False),
        ("a/b\u00fccher.so", "PyInitU_bcher_kva", True),
    ],
)
def test_extension_modules(path: str, function: str, expected: bool) -> None:
    assert describe(path, library(soname=function))["extension"] == expected


def test_files_of_other_machines() -> None:
    """32-bit and big-endian: only the machine can be read."""
    small = b"\x7fELF\x01\x01\x01" + bytes(9) + struct.pack("<HH", 3, 3) + bytes(40)
    big = b"\x7fELF\x02\x02\x01" + bytes(9) + struct.pack(">HH", 3, 22) + bytes(40)
    for content, machine in ((small, "machine 3"), (big, "machine 22")):
        found = describe("x.so", content)
        assert (found["kind"], found["machine"]) == ("other", machine)
        assert "64-bit little-endian" in found["broken"]
    assert describe("x.so", b"\x7fELF")["machine"] == "machine 0"


def test_damaged_files_never_raise() -> None:
    whole = library(
        soname="libx.so.1",
        needed=["a.so", "b.so"],
        rpath="$ORIGIN",
        versions={"a.so": ["A_1", "A_2"], "b.so": ["B_1"]},
        interpreter="/lib/ld",
    )
    assert is_loadable(describe("x.so", whole), "x86_64")
    for length in range(4, len(whole)):
        found = describe("x.so", whole[:length])
        assert not is_loadable(found, "x86_64"), length
        assert found["broken"]
    chooser = random.Random(3)
    for _ in range(3000):
        damaged = bytearray(whole)
        for _ in range(chooser.randint(1, 6)):
            damaged[chooser.randrange(4, len(damaged))] = chooser.choice((0, 1, 0x7F, 0xFF))
        describe("x.so", bytes(damaged))


def test_as_another_reader_sees_the_libraries_of_this_environment() -> None:
    """The oracle: pyelftools, on real shared libraries."""
    paths = sorted(Path(sys.prefix).glob("lib*/python*/site-packages/**/*.so*"))[:60]
    assert paths
    for path in paths:
        found = describe(str(path), path.read_bytes())
        with path.open("rb") as stream:
            elf: Any = ELFFile(stream)  # type: ignore[no-untyped-call]
            (segment,) = (one for one in elf.iter_segments() if isinstance(one, DynamicSegment))
            tags = list(segment.iter_tags())  # type: ignore[no-untyped-call]
            assert found["needed"] == [t.needed for t in tags if t.entry.d_tag == "DT_NEEDED"]
            names = [t.soname for t in tags if t.entry.d_tag == "DT_SONAME"]
            assert found["soname"] == (names[0] if names else None)
            section = elf.get_section_by_name(".gnu.version_r")
            versions = {
                need.name: sorted((one.name for one in names), key=version_order)
                for need, names in (section.iter_versions() if section else ())
            }
        assert found["versions"] == versions
        assert (found["kind"], found["libc"]) == ("library", "glibc"), path
        assert found["glibc"] is not None
