"""Packages of other projects that lie in a wheel: `_vendor/` and its like, and wheels in it."""

from __future__ import annotations

import io
import posixpath
import re
import zipfile
import zlib
from email.message import Message
from typing import Collection, Dict, Iterable, List, Mapping, Optional, Set, Tuple

from packaging.utils import canonicalize_name

from oxidize_rules.sandbox.parts.known_packages import known_license
from oxidize_rules.sandbox.parts.license_statement import Statement, state, state_of_texts
from oxidize_rules.sandbox.parts.wheel_texts import (
    LICENSE_FILE,
    TEXT_SIZE,
    as_text,
    is_license_file,
    parse_metadata,
)

Files = Mapping[str, bytes]
# Folders that hold other projects' packages, by their usual names.
_VENDOR = re.compile(
    r"(?i)(?:^|/)(?:_?vendor(?:ed|s)?(?:_packages)?|_?externs?|_?externals?|_?third_?party|3rdparty)/"
)
# A vendored module that is of a project with another name.
_PROJECTS = {"pkg_resources": "setuptools"}
_METADATA = re.compile(r"(?:.*/)?([^/]+)\.dist-info/METADATA")
_MOST_NESTED_WHEEL = 64 << 20  # bytes


class Vendored:
    """A package of somebody else in the wheel. `name`: for people."""

    def __init__(self, name: str, version: Optional[str], place: str, statement: Statement) -> None:
        self.name, self.version, self.place, self.statement = name, version, place, statement
        self.metadata = Message()
        self.texts: List[Tuple[str, bytes]] = []
        self.pypi = False


def find_vendored(files: Files, dist_info: str, nested: str = "") -> List[Vendored]:
    """Other projects' packages, by their metadata, by their licence files, then by a list of them.

    `dist_info`: the wheel's own metadata. `nested`: where the files lie in that wheel.
    """
    found: List[Vendored] = []
    for path, content in sorted(files.items()):
        match = _METADATA.fullmatch(path)
        if match and (not dist_info or not path.startswith(f"{dist_info}/")):
            place = posixpath.dirname(path)
            texts = [
                (one, text)
                for one, text in files.items()
                if one.startswith(f"{place}/")
                and (is_license_file(one, text) or one.startswith(f"{place}/licenses/"))
            ]
            found.append(_of_metadata(parse_metadata(content), place, texts))
        elif path.endswith(".whl") and len(content) <= _MOST_NESTED_WHEEL:
            found += _of_nested_wheel(path, content)
    known = {str(canonicalize_name(one.name)) for one in found}
    listed = _listed(files)
    taken = {path for one in found for path, _ in one.texts}
    found += [
        _of_license_files(name, texts, listed.get(canonicalize_name(name)))
        for name, texts in _license_files(files, taken)
        if canonicalize_name(name) not in known
    ]
    known.update(str(canonicalize_name(one.name)) for one in found)
    found += [
        _of_list(one)
        for project, one in sorted(listed.items())
        if one.there and project not in known
    ]
    return found


def _license_files(
    files: Files, taken: Collection[str]
) -> Iterable[Tuple[str, List[Tuple[str, bytes]]]]:
    """Names of vendored packages, and their licence files, which are none of those `taken`."""
    places: Dict[str, List[Tuple[str, bytes]]] = {}
    for path, content in sorted(files.items()):
        vendor = list(_VENDOR.finditer(path))
        if path in taken or not vendor or not is_license_file(path, content):
            continue
        # `pkg/_vendor/six/LICENSE`, and `pkg/_vendor/six.LICENSE`.
        rest = path[vendor[-1].end() :]
        name = rest.split("/")[0] if "/" in rest else _before_license(rest)
        if name and not name.endswith(".dist-info"):
            places.setdefault(path[: vendor[-1].end()] + name, []).append((path, content))
    by_name: Dict[str, List[Tuple[str, bytes]]] = {}
    for place, texts in sorted(places.items()):
        # The wheel's copy below its metadata, and the one beside the code, are one package's.
        module = posixpath.basename(place)
        by_name.setdefault(_PROJECTS.get(module, module), []).extend(texts)
    return sorted(by_name.items())


class _Listed:
    """A package that the list at `path` has. `there`: whether modules beside it can be its."""

    def __init__(self, name: str, version: str, path: str) -> None:
        self.name, self.version, self.path = name, version, path
        self.there = False


def _listed(files: Files) -> Dict[str, _Listed]:
    """By project, what `_vendor/vendor.txt` names: requirements that the tool `vendoring` was told
    to vendor. Somebody may have taken some of them out again."""
    found: Dict[str, _Listed] = {}
    for path, content in sorted(files.items()):
        vendor = list(_VENDOR.finditer(path))
        if not vendor or path[vendor[-1].end() :] != "vendor.txt":
            continue
        entries = {
            str(canonicalize_name(match[1])): _Listed(match[1], match[2], path)
            for match in re.finditer(r"(?m)^\s*([A-Za-z0-9._-]+)==([^\s;#]+)", as_text(content))
        }
        there = _projects_in(posixpath.dirname(path), files)
        # Modules under names that no entry has: they may be those of any.
        unclear = there - entries.keys()
        for name, one in entries.items():
            one.there = bool(unclear) or name in there
        found.update(entries)
    return found


def _projects_in(folder: str, files: Files) -> Set[str]:
    """The projects of the modules in a folder, if they are called like these."""
    found = set()
    for path in files:
        module = path[len(folder) + 1 :].partition("/")[0]
        if path.startswith(f"{folder}/") and path.endswith(".py") and module != "__init__.py":
            name = module[: -len(".py")] if module.endswith(".py") else module
            found.add(str(canonicalize_name(_PROJECTS.get(name, name))))
    return found


def _of_license_files(
    name: str, texts: List[Tuple[str, bytes]], entry: Optional[_Listed]
) -> Vendored:
    """`entry`: what a list says of it."""
    shown = {(posixpath.basename(path), as_text(content)) for path, content in texts}
    one = Vendored(name, None, posixpath.dirname(texts[0][0]), state_of_texts(name, shown))
    one.texts = texts
    one.version = entry.version if entry else None
    one.pypi = entry is not None
    return one


def _of_list(one: _Listed) -> Vendored:
    license = known_license(one.name, one.version)
    origin = "the project's own licence file, which is not in the wheel"
    if license is None:
        origin = f"the list `{one.path}` in its wheel, which tells no licence"
    statement = Statement(license, origin, {})
    made = Vendored(one.name, one.version, posixpath.dirname(one.path), statement)
    made.pypi = True
    return made


def _of_metadata(metadata: Message, place: str, texts: List[Tuple[str, bytes]]) -> Vendored:
    name = str(metadata.get("Name") or posixpath.basename(place).split("-")[0]).strip()
    shown = [(posixpath.relpath(path, place or "."), as_text(text)) for path, text in texts]
    one = Vendored(
        name,
        str(metadata.get("Version") or "").strip() or None,
        place,
        state(name, metadata, shown),
    )
    one.metadata, one.texts, one.pypi = metadata, texts, True
    return one


def _of_nested_wheel(path: str, content: bytes) -> List[Vendored]:
    """A wheel in a wheel, and what lies in that; nothing for a file that is only called so."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            members = [one for one in archive.infolist() if one.file_size <= TEXT_SIZE]
            if sum(one.file_size for one in members) > 4 * _MOST_NESTED_WHEEL:
                return []
            # Wheels in it are read no further.
            files = {
                f"{path}/{one.filename}": archive.read(one)
                for one in members
                if not one.is_dir() and not one.filename.endswith(".whl")
            }
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError, ValueError):
        return []
    return find_vendored(files, "", nested=path)


def _before_license(name: str) -> str:
    """`six` of `six.LICENSE` and of `LICENSE.six`; nothing of `LICENSE.txt`."""
    words = [one for one in re.split(r"[-._]", re.sub(r"(?i)\.(txt|md|rst)$", "", name)) if one]
    return "-".join(one for one in words if not LICENSE_FILE.fullmatch(one))
