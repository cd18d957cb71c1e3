"""`find_library` of executables, on folders made for it. For packaged ones see
`goals/ctypes_integration_test.py`."""

from __future__ import annotations

import os
from pathlib import Path
from types import ModuleType
from typing import List, Optional

import pytest

from oxidize_rules.runtime import _oxidized_ctypes as ours

X86_64, AARCH64 = 62, 183


def library(path: Path, *, machine: int = X86_64, needs: bytes = b"libc.so") -> None:
    header = ours.ELF_64 + bytes(12) + machine.to_bytes(2, "little")
    path.write_bytes(header + bytes(40) + b"\0" + needs + b"\0")


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ([], None),
        (["libgood.so.1"], "libgood.so.1"),
        (["libgood.so.1", "libgood.so"], "libgood.so"),
        (["libgood.so.9", "libgood.so.10", "libgood.so.9.1"], "libgood.so.10"),
        (["libgood.so.1.2", "libgood.so.1"], "libgood.so.1"),
        (["libgoodness.so", "libgood.so.txt", "libgood.a", "xlibgood.so"], None),
    ],
)
def test_find_in(tmp_path: Path, files: List[str], expected: Optional[str]) -> None:
    for file in files:
        library(tmp_path / file)
    found = ours.find_in([f"{tmp_path}/none", str(tmp_path)], "good")
    assert found == (expected and f"{tmp_path}/{expected}")


def test_names_are_no_patterns(tmp_path: Path) -> None:
    library(tmp_path / "libstdcc.so")
    assert ours.find_in([str(tmp_path)], "stdc.") is None
    library(tmp_path / "libstdc++.so.6")
    assert ours.find_in([str(tmp_path)], "stdc++") == f"{tmp_path}/libstdc++.so.6"


def test_is_for_musl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    machine = os.uname().machine
    monkeypatch.setattr(ours, "ELF_MACHINES", {machine: X86_64})
    library(tmp_path / "good")
    library(tmp_path / "other", machine=AARCH64)
    library(tmp_path / "glibc", needs=b"libc.so.6")
    (tmp_path / "script").write_text("INPUT(libgood.so.1)")
    (tmp_path / "folder").mkdir()
    names = ("good", "other", "glibc", "script", "folder", "none")
    assert [ours.is_for_musl(str(tmp_path / name)) for name in names] == [True, *[False] * 5]


def test_on_glibc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: List[str] = []
    util = ModuleType("util")

    def inherited(name: str) -> Optional[str]:
        asked.append(name)
        return "host's" if name == "host" else None

    util.find_library = inherited  # type: ignore[attr-defined]
    library(tmp_path / "libinside.so.3")
    monkeypatch.setattr(ours, "EMBEDDED", str(tmp_path))
    monkeypatch.setattr(ours, "is_musl", lambda: False)
    ours.amend(util)
    found = [util.find_library(name) for name in ("c", "inside", "host", "none")]
    assert found == ["libc.so.6", f"{tmp_path}/libinside.so.3", "host's", None]
    assert asked == ["host", "none"]


def test_on_musl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import _ctypes

    embedded, machine = tmp_path / "embedded", tmp_path / "machine"
    embedded.mkdir()
    machine.mkdir()
    library(embedded / "libinside.so.3")
    library(machine / "libinside.so.4")
    library(machine / "libhost.so")
    library(machine / "libforeign.so", needs=b"libc.so.6")
    monkeypatch.setattr(ours, "EMBEDDED", str(embedded))
    monkeypatch.setattr(ours, "MUSL_FOLDERS", f"/nowhere:{machine}")
    monkeypatch.setattr(ours, "ELF_MACHINES", {os.uname().machine: X86_64})
    monkeypatch.setattr(ours, "is_musl", lambda: True)
    util = ModuleType("util")
    ours.amend(util)
    names = ("c", "m", "inside", "host", "foreign", "none")

    monkeypatch.setattr(_ctypes, "dlopen", lambda name, flags: 1)
    assert [util.find_library(name) for name in names] == [
        "libc.so",
        "libm.so",
        str(embedded / "libinside.so.3"),
        str(machine / "libhost.so"),
        None,
        None,
    ]

    def no_loader(name: str, flags: int) -> int:
        raise OSError("static")

    monkeypatch.setattr(_ctypes, "dlopen", no_loader)
    assert [util.find_library(name) for name in names] == [None] * len(names)
