from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from oxidize_rules.sandbox.errors import UserError
from oxidize_rules.sandbox.images.native_file import describe
from oxidize_rules.sandbox.images.native_libraries import main
from oxidize_rules.sandbox.testing_elf import library

SITE = "lib/python3.13/site-packages"
MUSL, GNU = "x86_64-unknown-linux-musl", "x86_64-unknown-linux-gnu"
LIBC = {MUSL: "libc.musl-x86_64.so.1", GNU: "libc.so.6"}


def extension(path: str, **options: Any) -> dict[str, Any]:
    """An extension module; the name of its function stands in the file as a SONAME."""
    stem = path.rpartition("/")[2].partition(".")[0]
    return describe(f"{SITE}/{path}", library(soname=f"PyInit_{stem}", **options))


class Binary:
    def __init__(self, folder: Path, triple: str) -> None:
        self.folder = folder
        self.triple = triple
        self.files: list[str] = []

    def add(self, component: str, *native: dict[str, Any]) -> None:
        path = self.folder / f"{len(self.files)}.json"
        path.write_text(json.dumps({"component": component, "native": native}))
        self.files.append(str(path))

    def report(self, floor: str = "2.17", *, loader: str = "yes") -> dict[str, Any]:
        output = self.folder / "report.json"
        output.unlink(missing_ok=True)
        main(
            [
                *("--native", *self.files, "--triple", self.triple, "--loader", loader),
                *(("--glibc-floor", floor) if self.triple == GNU else ()),
                *("--system", "libz.so.1", "--output", str(output)),
            ]
        )
        report: dict[str, Any] = json.loads(output.read_text())
        return report

    def refusal(self, floor: str = "2.17", *, loader: str = "yes") -> str:
        with pytest.raises(UserError) as error:
            self.report(floor, loader=loader)
        assert not (self.folder / "report.json").exists()
        return str(error.value)


@pytest.fixture(params=[MUSL, GNU])
def binary(request: Any, tmp_path: Path) -> Binary:
    return Binary(tmp_path, request.param)


@pytest.fixture
def musl(tmp_path: Path) -> Binary:
    return Binary(tmp_path, MUSL)


@pytest.fixture
def gnu(tmp_path: Path) -> Binary:
    return Binary(tmp_path, GNU)


def test_libraries_of_wheels_find_each_other(binary: Binary) -> None:
    libc = LIBC[binary.triple]
    binary.add(
        "wheel:demo-1",
        extension("demo/x.so", needed=["liba.so.1", libc], rpath="$ORIGIN/../demo.libs"),
        describe(f"{SITE}/demo.libs/liba.so.1", library(needed=["libb.so.2", "libm.so.6"])),
        describe(f"{SITE}/demo.libs/libb.so.2", library(needed=[libc, "libz.so.1"])),
    )
    report = binary.report()
    assert (report["extensions"], report["libraries"]) == (1, 3)
    assert report["system"] == ["libz.so.1"]
    assert report["warnings"] == []


def test_an_embedded_library_comes_first(binary: Binary) -> None:
    binary.add("wheel:demo-1", extension("x.so", needed=["libz.so.1", "libodbc.so.2"]))
    binary.add(
        "field:native_libraries",
        *(describe(f"lib/{name}", library()) for name in ("libz.so.1", "libodbc.so.2")),
    )
    assert binary.report()["system"] == []


def test_a_missing_library(binary: Binary) -> None:
    binary.add(
        "wheel:demo-1",
        extension("x.so", needed=["liba.so"], runpath="$ORIGIN"),
        extension("y.abi3.so", needed=["libodbc.so.2"]),
        describe(f"{SITE}/liba.so", library(needed=["libodbc.so.2", "libGLEW.so.2"])),
    )
    message = binary.refusal()
    for words in (
        f"the wheel `demo-1`: {SITE}/liba.so (and 1 more) needs libodbc.so.2",
        f"the wheel `demo-1`: {SITE}/liba.so needs libGLEW.so.2",
        f"build it for `{binary.triple}`",
        "`native_libraries` field",
    ):
        assert words in message


def test_what_no_module_needs_is_only_told(binary: Binary) -> None:
    other = {MUSL: "libc.so.6", GNU: "libc.musl-x86_64.so.1"}[binary.triple]
    binary.add(
        "wheel:demo-1",
        describe(f"{SITE}/plugin.so", library(needed=["libodbc.so.2"])),
        describe(f"{SITE}/foreign.so", library(needed=[other, "libx.so"])),
        describe(f"{SITE}/arm.so", library(machine=183, needed=["libx.so"])),
        describe(f"{SITE}/broken.so", b"\x7fELF"),
        describe(f"{SITE}/tool", library(elf_type=2, needed=["libx.so"])),
    )
    report = binary.report()
    assert report["libraries"] == 1
    (warning,) = report["warnings"]
    assert f"{SITE}/plugin.so needs the library libodbc.so.2" in warning


def test_libraries_that_a_package_has_to_load_first(binary: Binary) -> None:
    binary.add(
        "wheel:demo-1",
        extension("x.so", needed=["liba.so.1"]),
        describe(f"{SITE}/demo.libs/liba-77.so", library(soname="liba.so.1")),
    )
    (warning,) = binary.report()["warnings"]
    assert "x.so needs liba.so.1, which is in the binary, but not in a folder" in warning


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"needed": ["libc.so.6"]}, "is made for glibc"),
        ({"machine": 183}, "is made for aarch64"),
    ],
)
def test_extension_modules_for_something_else(
    musl: Binary, options: dict[str, Any], why: str
) -> None:
    musl.add("wheel:demo-1", extension("x.so", **options))
    assert f"the wheel `demo-1`: {SITE}/x.so {why}" in musl.refusal()


def test_a_needed_library_for_something_else(gnu: Binary) -> None:
    gnu.add(
        "folder:app",
        extension("x.so", needed=["liba.so"], rpath="$ORIGIN"),
        describe(f"{SITE}/liba.so", library(needed=["libc.so"])),
    )
    message = gnu.refusal()
    assert f"the folder `app`: {SITE}/x.so needs {SITE}/liba.so" in message
    assert "is made for musl" in message


def test_the_floor(gnu: Binary) -> None:
    gnu.add(
        "wheel:one-1",
        extension("a.so", versions={"libc.so.6": ["GLIBC_2.4", "GLIBC_2.28"]}),
        extension("b.so", versions={"libc.so.6": ["GLIBC_2.17"]}),
    )
    gnu.add(
        "wheel:two-2",
        describe(
            f"{SITE}/c.so",
            library(versions={"libm.so.6": ["GLIBC_2.29"], "libc.so.6": ["GLIBC_2.34"]}),
        ),
    )
    message = gnu.refusal("2.27")
    lines = message.splitlines()
    assert "glibc_floor is `2.27`" in lines[0]
    assert lines[1:3] == [
        f"  the wheel `two-2`: {SITE}/c.so needs glibc 2.34 "
        "(GLIBC_2.34 of libc.so.6, GLIBC_2.29 of libm.so.6)",
        f"  the wheel `one-1`: {SITE}/a.so needs glibc 2.28 (GLIBC_2.28 of libc.so.6)",
    ]
    assert "Raise glibc_floor to `2.34`" in lines[3]
    assert gnu.report("2.34")["glibc"] == "2.34"


def test_what_the_machine_has_to_have(gnu: Binary) -> None:
    cxx = ["GLIBCXX_3.4.9", "GLIBCXX_3.4.21", "CXXABI_1.3.8", "CXXABI_1.3"]
    needed = ["libstdc++.so.6", "libGL.so.1", "libc.so.6"]
    gnu.add("wheel:one-1", extension("a.so", needed=needed, versions={"libstdc++.so.6": cxx}))
    assert gnu.report()["host"] == {
        "libGL.so.1": [],
        "libstdc++.so.6": ["CXXABI_1.3.8", "GLIBCXX_3.4.21"],
    }


def test_on_musl_nothing_is_expected_of_the_machine(musl: Binary) -> None:
    musl.add("wheel:one-1", extension("a.so", needed=["libstdc++.so.6"]))
    assert "needs libstdc++.so.6" in musl.refusal()


def test_private_interfaces_of_glibc_are_told(gnu: Binary) -> None:
    gnu.add("wheel:one-1", extension("a.so", versions={"libc.so.6": ["GLIBC_PRIVATE"]}))
    (warning,) = gnu.report()["warnings"]
    assert "GLIBC_PRIVATE" in warning


def test_never_means_no_extension_modules(musl: Binary) -> None:
    musl.add("wheel:one-1", describe(f"{SITE}/data.so", library()))
    assert musl.report(loader="no")["extensions"] == 0
    musl.add("wheel:two-2", extension("a.so"))
    message = musl.refusal(loader="no")
    assert "dynamic_loading is `never`" in message
    assert f"the wheel `two-2`: {SITE}/a.so" in message


def test_circles_end(binary: Binary) -> None:
    binary.add(
        "wheel:one-1",
        extension("a.so", needed=["b.so"], rpath="$ORIGIN"),
        describe(f"{SITE}/b.so", library(needed=["a.so"])),
    )
    assert binary.report()["warnings"] == []
