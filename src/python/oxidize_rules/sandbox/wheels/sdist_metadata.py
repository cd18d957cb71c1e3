"""What a source archive says about itself, without running any of its code.

    python -m oxidize_rules.sandbox.wheels.sdist_metadata ARCHIVE

prints how it is built, as JSON: `requires`, `backend`, `backend_path`, `cxx` (see `BuildSystem`).

Requirements of what is built are taken from the first of these places that has them:

1. `PKG-INFO`, if it says of itself that every build gives the same: Metadata-Version 2.2 or newer,
   and `Requires-Dist` not `Dynamic` (PEP 643);
2. `[project]` of `pyproject.toml`, if `dependencies` is there and not `dynamic` (PEP 621);
3. what the release's author got: `Requires-Dist` of an older PKG-INFO, then setuptools'
   `*.egg-info/requires.txt`. A build may differ in theory, which the wheel then tells.
"""

from __future__ import annotations

import json
import re
import sys
import tarfile
import zipfile
from dataclasses import asdict, dataclass
from email.parser import BytesParser
from functools import partial
from typing import Any, Callable, Dict, List, Mapping, Optional, Tuple

from oxidize_rules.sandbox.errors import UserError, run

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

MAX_SIZE = 4 << 20  # of one metadata file, in bytes
# Build requirements that compile Rust.
RUST_BACKENDS = ("maturin", "setuptools-rust", "puccinialin")


@dataclass(frozen=True)
class SdistFacts:
    """`requires`: PEP 508 requirements. `rust`: how it shows that it is Rust, or None."""

    requires: Tuple[str, ...]
    rust: Optional[str]


def read_sdist(path: str) -> SdistFacts:
    """The facts of a `.tar.*` or `.zip` source archive. Raises ValueError if it is none."""
    files = _metadata_files(path)
    pyproject = _pyproject(files)
    return SdistFacts(_requires(files, pyproject), _rust(files, pyproject))


@dataclass(frozen=True)
class BuildSystem:
    """How a project is built (PEP 517 and 518). `cxx`: whether it has C++ sources."""

    requires: Tuple[str, ...]
    backend: str
    backend_path: Tuple[str, ...]
    cxx: bool


def read_build_system(path: str) -> BuildSystem:
    """How a `.tar.*` or `.zip` source archive wants to be built. Raises ValueError if it is none.

    Without a `[build-system]` table it is setuptools' older way, as PEP 517 has it.
    """
    files = _metadata_files(path)
    pyproject = _pyproject(files)
    rust = _rust(files, pyproject)
    if rust is not None:
        raise UserError(
            f"`{path}` cannot be built: {rust}, and Rust is not compiled here. To fix, use a "
            "wheel: build it elsewhere, and name its folder in `[python-repos].find_links`."
        )
    system = _table(pyproject, "build-system")
    requires = _strings(system.get("requires")) if system else ["setuptools"]
    backend = str(system.get("build-backend") or "setuptools.build_meta:__legacy__")
    paths = tuple(_strings(system.get("backend-path")))
    return BuildSystem(tuple(requires), backend, paths, _has_cxx(path))


def _has_cxx(path: str) -> bool:
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            return any(_is_cxx(info.filename) for info in archive.infolist())
    with tarfile.open(path) as tar:
        return any(_is_cxx(member.name) or _is_cython_for_cxx(tar, member) for member in tar)


def _is_cxx(name: str) -> bool:
    return name.endswith((".cc", ".cpp", ".cxx", ".c++", ".C", ".hpp", ".hh"))


def _is_cython_for_cxx(tar: tarfile.TarFile, member: tarfile.TarInfo) -> bool:
    """Whether a Cython module says in its head that it is to become C++."""
    file = tar.extractfile(member) if member.isfile() and member.name.endswith(".pyx") else None
    return file is not None and re.search(rb"language\s*=\s*c\+\+", file.read(4096)) is not None


def _wanted(name: str) -> Optional[str]:
    """The name below the archive's root folder, if we read that file."""
    parts = [part for part in name.split("/") if part not in ("", ".")]
    rest = "/".join(parts[1:])
    if rest in ("PKG-INFO", "pyproject.toml", "Cargo.toml") or (
        len(parts) <= 4 and rest.endswith(".egg-info/requires.txt")
    ):
        return rest
    return None


def _metadata_files(path: str) -> Dict[str, bytes]:
    found: Dict[str, bytes] = {}

    def keep(name: str, size: int, read: Callable[[], bytes]) -> None:
        wanted = _wanted(name)
        if wanted is not None and wanted not in found and size <= MAX_SIZE:
            found[wanted] = read()

    try:
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                for info in archive.infolist():
                    keep(info.filename, info.file_size, partial(archive.read, info))
            return found
        with tarfile.open(path) as tar:
            for member in tar:
                file = tar.extractfile(member) if member.isfile() else None
                if file is not None:
                    keep(member.name, member.size, file.read)
    except (tarfile.TarError, zipfile.BadZipFile, EOFError, OSError) as error:
        raise ValueError(f"it cannot be read: {error}") from None
    return found


def _pyproject(files: Mapping[str, bytes]) -> Dict[str, Any]:
    try:
        return tomllib.loads(files.get("pyproject.toml", b"").decode())
    except (ValueError, UnicodeDecodeError) as error:
        raise ValueError(f"its pyproject.toml is not valid: {error}") from None


def _table(parent: Mapping[str, Any], name: str) -> Dict[str, Any]:
    value = parent.get(name)
    return value if isinstance(value, dict) else {}


def _strings(value: object) -> List[str]:
    return [one for one in value if isinstance(one, str)] if isinstance(value, list) else []


def _requires(files: Mapping[str, bytes], pyproject: Mapping[str, Any]) -> Tuple[str, ...]:
    info = BytesParser().parsebytes(files.get("PKG-INFO", b""), headersonly=True)
    listed = tuple(str(text) for text in info.get_all("Requires-Dist", ()))
    version = re.match(r"(\d+)\.(\d+)", str(info.get("Metadata-Version", "")))
    dynamic = {str(name).lower() for name in info.get_all("Dynamic", ())}
    if (
        version
        and (int(version[1]), int(version[2])) >= (2, 2)
        and not dynamic & {"requires-dist", "provides-extra"}
    ):
        return listed
    project = _table(pyproject, "project")
    varying = _strings(project.get("dynamic"))
    if project and not {"dependencies", "optional-dependencies"} & set(varying):
        return _project_requires(project)
    return listed or _egg_requires(files)


def _project_requires(project: Mapping[str, Any]) -> Tuple[str, ...]:
    requires = _strings(project.get("dependencies"))
    for extra, texts in _table(project, "optional-dependencies").items():
        requires += [_with_marker(text, f'extra == "{extra}"') for text in _strings(texts)]
    return tuple(requires)


def _with_marker(requirement: str, marker: str) -> str:
    if not marker:
        return requirement
    text, semicolon, own = requirement.partition(";")
    return f"{text} ; ({own.strip()}) and {marker}" if semicolon else f"{text} ; {marker}"


def _egg_requires(files: Mapping[str, bytes]) -> Tuple[str, ...]:
    """The sections of setuptools' requires.txt: `[extra:marker]`, either of which may lack."""
    names = sorted(name for name in files if name.endswith(".egg-info/requires.txt"))
    requires, marker = [], ""
    for line in files[names[0]].decode(errors="replace").splitlines() if names else ():
        line = line.strip()
        if line.startswith("[") and line.endswith("]"):
            extra, _, condition = line[1:-1].partition(":")
            parts = [f"({condition})"] if condition else []
            parts += [f'extra == "{extra}"'] if extra else []
            marker = " and ".join(parts)
        elif line:
            requires.append(_with_marker(line, marker))
    return tuple(requires)


def _rust(files: Mapping[str, bytes], pyproject: Mapping[str, Any]) -> Optional[str]:
    """Folders below the root may hold Rust that is not used: only what builds counts."""
    system = _table(pyproject, "build-system")
    names = [str(system.get("build-backend", "")).split(".")[0].replace("_", "-")]
    for text in _strings(system.get("requires")):
        names.append(re.split(r"[^A-Za-z0-9._-]", text.strip())[0].replace("_", "-").lower())
    for name in names:
        if name in RUST_BACKENDS:
            return f"it is built by {name}"
    return "it has a Cargo.toml" if "Cargo.toml" in files else None


def main(argv: List[str]) -> None:
    if len(argv) != 1:
        raise UserError("usage: sdist_metadata ARCHIVE")
    try:
        system = read_build_system(argv[0])
    except ValueError as error:
        raise UserError(f"`{argv[0]}` is no usable source archive: {error}.") from None
    print(json.dumps(asdict(system), sort_keys=True))


if __name__ == "__main__":
    run(main)
