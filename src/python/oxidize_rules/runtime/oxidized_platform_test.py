"""`libc_ver` of musl executables, with a module in the place of `platform`."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from types import ModuleType
from typing import Tuple

import pytest

from oxidize_rules.runtime import _oxidized_platform as ours


@pytest.fixture
def platform() -> ModuleType:
    """Its `libc_ver` tells what it was called with."""
    module = ModuleType("platform")

    def libc_ver(*arguments: object) -> Tuple[object, ...]:
        return arguments

    module.libc_ver = libc_ver  # type: ignore[attr-defined]
    ours.amend(module)
    return module


@pytest.fixture(autouse=True)
def musl(monkeypatch: pytest.MonkeyPatch) -> None:
    def confstr(name: str) -> str:
        raise ValueError(name)

    monkeypatch.setattr(os, "confstr", confstr)


def test_what_the_library_says_comes_first(
    platform: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "confstr", lambda name: "mock 1.0")
    assert platform.libc_ver() == ("mock", "1.0")
    assert platform.libc_ver(sys.executable) == ("", "")


def test_own_file_is_not_read(platform: ModuleType, tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(sys.executable)
    for arguments in ((), (None,), ("",), (sys.executable,), (str(link),)):
        assert platform.libc_ver(*arguments) == ("", "")
    assert platform.libc_ver(lib="l", version="1") == ("l", "1")


def test_other_files_are_read(platform: ModuleType, tmp_path: Path) -> None:
    missing = str(tmp_path / "missing")
    assert platform.libc_ver(missing, "l", "1", 2) == (missing, "l", "1", 2)
    assert platform.libc_ver(__file__) == (__file__, "", "", 16384)
