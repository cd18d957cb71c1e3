from __future__ import annotations

import io
import tarfile
import zipfile
from pathlib import Path
from typing import Dict, Optional, Tuple

import pytest

from oxidize_rules.sandbox.wheels.sdist_metadata import SdistFacts, read_sdist

STATIC = "Metadata-Version: 2.2\nName: a\nVersion: 1\nRequires-Dist: b>=1\nRequires-Dist: c\n"
DYNAMIC = f"{STATIC}Dynamic: Requires-Dist\n"
OLD = STATIC.replace("2.2", "2.1")
PROJECT = """
[project]
name = "a"
dependencies = ["d ; os_name == 'posix'"]
[project.optional-dependencies]
more = ["e", "f ; os_name == 'nt' or os_name == 'posix'"]
"""
PROJECT_REQUIRES = (
    "d ; os_name == 'posix'",
    'e ; extra == "more"',
    "f  ; (os_name == 'nt' or os_name == 'posix') and extra == \"more\"",
)
VARYING = '[project]\nname = "a"\ndynamic = ["dependencies"]\n'
EGG = 'g>=2\n\n[:python_version < "3"]\nh\n\n[more]\ni\n\n[more:os_name == "nt"]\nj\n'
EGG_REQUIRES = (
    "g>=2",
    'h ; (python_version < "3")',
    'i ; extra == "more"',
    'j ; (os_name == "nt") and extra == "more"',
)


def write(folder: Path, members: Dict[str, str], kind: str = ".tar.gz") -> str:
    path = folder / f"a-1{kind}"
    if kind == ".zip":
        with zipfile.ZipFile(path, "w") as archive:
            for name, text in members.items():
                archive.writestr(f"a-1/{name}", text)
        return str(path)
    with tarfile.open(path, "w:gz" if kind == ".tar.gz" else "w:xz") as tar:
        for name, text in members.items():
            member = tarfile.TarInfo(f"a-1/{name}")
            member.size = len(text)
            tar.addfile(member, io.BytesIO(text.encode()))
    return str(path)


@pytest.mark.parametrize("kind", [".tar.gz", ".tar.xz", ".zip"])
@pytest.mark.parametrize(
    ("members", "expected"),
    [
        ({"PKG-INFO": STATIC}, ("b>=1", "c")),
        ({"PKG-INFO": STATIC, "pyproject.toml": PROJECT}, ("b>=1", "c")),
        ({"PKG-INFO": DYNAMIC, "pyproject.toml": PROJECT}, PROJECT_REQUIRES),
        ({"PKG-INFO": OLD, "pyproject.toml": PROJECT}, PROJECT_REQUIRES),
        ({"pyproject.toml": PROJECT}, PROJECT_REQUIRES),
        ({"PKG-INFO": DYNAMIC, "pyproject.toml": VARYING}, ("b>=1", "c")),
        ({"PKG-INFO": OLD}, ("b>=1", "c")),
        ({"src/a.egg-info/requires.txt": EGG}, EGG_REQUIRES),
        ({"PKG-INFO": OLD, "a.egg-info/requires.txt": EGG}, ("b>=1", "c")),
        ({"PKG-INFO": "Metadata-Version: 1.1\n", "a.egg-info/requires.txt": EGG}, EGG_REQUIRES),
        ({"tests/data/PKG-INFO": STATIC, "README": ""}, ()),
        ({"PKG-INFO": "Metadata-Version: 2.4\n", "a.egg-info/requires.txt": EGG}, ()),
    ],
)
def test_requirements(
    tmp_path: Path, kind: str, members: Dict[str, str], expected: Tuple[str, ...]
) -> None:
    assert read_sdist(write(tmp_path, members, kind)) == SdistFacts(expected, None)


@pytest.mark.parametrize(
    ("members", "rust"),
    [
        ({"pyproject.toml": '[build-system]\nrequires = ["maturin>=1,<2"]\n'}, "maturin"),
        ({"pyproject.toml": '[build-system]\nbuild-backend = "maturin"\n'}, "maturin"),
        (
            {"pyproject.toml": '[build-system]\nrequires = ["setuptools", "Setuptools_Rust"]\n'},
            "setuptools-rust",
        ),
        ({"Cargo.toml": "", "setup.py": ""}, "Cargo.toml"),
        ({"rust-ext/Cargo.toml": "", "setup.py": ""}, None),
        ({"pyproject.toml": '[build-system]\nrequires = ["setuptools"]\n'}, None),
    ],
)
def test_rust(tmp_path: Path, members: Dict[str, str], rust: Optional[str]) -> None:
    found = read_sdist(write(tmp_path, members)).rust
    assert found is None if rust is None else rust in str(found)


def test_no_archive(tmp_path: Path) -> None:
    path = tmp_path / "a-1.tar.gz"
    path.write_bytes(b"<html>not found</html>")
    with pytest.raises(ValueError, match="cannot be read"):
        read_sdist(str(path))


def test_cut_off(tmp_path: Path) -> None:
    path = Path(write(tmp_path, {"PKG-INFO": STATIC, "noise": "".join(map(str, range(9999)))}))
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(ValueError, match="cannot be read"):
        read_sdist(str(path))


def test_invalid_pyproject(tmp_path: Path) -> None:
    path = write(tmp_path, {"pyproject.toml": "[project\n"})
    with pytest.raises(ValueError, match=r"pyproject\.toml is not valid"):
        read_sdist(path)
