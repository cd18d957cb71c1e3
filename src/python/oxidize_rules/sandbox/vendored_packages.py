"""Packages of other projects that lie in a wheel: `_vendor/` and its like, and wheels in it."""

from __future__ import annotations

import io
import posixpath
import re
import zipfile
import zlib
from email.message import Message
from typing import Dict, List, Mapping, Optional, Tuple

from packaging.utils import canonicalize_name

from oxidize_rules.sandbox.license_statement import Statement, state, state_of_texts
from oxidize_rules.sandbox.wheel_texts import (
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
    """Other projects' packages, by their metadata, then by their licence files.

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
    taken = {path for one in found for path, _ in one.texts}
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
    known = {canonicalize_name(one.name) for one in found}
    listed = _listed_versions(files)
    by_name: Dict[str, List[Tuple[str, bytes]]] = {}
    for place, texts in sorted(places.items()):
        # The wheel's copy below its metadata, and the one beside the code, are one package's.
        by_name.setdefault(posixpath.basename(place), []).extend(texts)
    for name, texts in sorted(by_name.items()):
        if canonicalize_name(name) in known:
            continue
        shown = {(posixpath.basename(path), as_text(content)) for path, content in texts}
        one = Vendored(name, None, posixpath.dirname(texts[0][0]), state_of_texts(name, shown))
        one.texts = texts
        one.version = listed.get(canonicalize_name(name))
        one.pypi = one.version is not None
        found.append(one)
    return found


def _listed_versions(files: Files) -> Dict[str, str]:
    """What the tool `vendoring` was told to vendor: requirements in `_vendor/vendor.txt`."""
    found: Dict[str, str] = {}
    for path, content in sorted(files.items()):
        vendor = list(_VENDOR.finditer(path))
        if vendor and path[vendor[-1].end() :] == "vendor.txt":
            for match in re.finditer(r"(?m)^\s*([A-Za-z0-9._-]+)==([^\s;#]+)", as_text(content)):
                found[str(canonicalize_name(match[1]))] = match[2]
    return found


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
