"""Native libraries in a wheel: shared ones that it brings along, static ones in its modules."""

from __future__ import annotations

import re
from typing import Any, Dict, Iterable, List, Optional, Sequence, Set

from oxidize_rules.sandbox.parts.bundled_libraries import BundledFile, Row, bundled_file, find, said
from oxidize_rules.sandbox.parts.facts import new_part
from oxidize_rules.sandbox.parts.known_libraries import LIBRARIES
from oxidize_rules.sandbox.parts.linked_libraries import LINKED_IN
from oxidize_rules.sandbox.parts.part_license import license_by_sbom, license_by_table
from oxidize_rules.sandbox.parts.vendored_packages import Files
from oxidize_rules.sandbox.parts.wheel_contents import WheelContents
from oxidize_rules.sandbox.parts.wheel_sboms import Component

Part = Dict[str, Any]


def libraries_by_name(files: Files) -> Dict[str, List[BundledFile]]:
    """Native libraries by their names; two of a name are one part if their numbers say no more."""

    def number(one: BundledFile) -> str:
        exact = one.row is not None and one.row.numbers
        return (one.numbers or "") if exact else (one.numbers or "").split(".")[0]

    found: Dict[str, List[BundledFile]] = {}
    for path, content in sorted(files.items()):
        one = bundled_file(path) if content[:4] == b"\x7fELF" else None
        if one is not None:
            found.setdefault(one.stem, []).append(one)
    result: Dict[str, List[BundledFile]] = {}
    for stem, several in found.items():
        alone = len({number(one) for one in several}) == 1
        for one in several:
            result.setdefault(stem if alone else f"{stem}.so.{number(one)}", []).append(one)
    return result


def library_part(
    wheel: WheelContents, stem: str, files: Sequence[BundledFile], told: Sequence[Component]
) -> Part:
    """The part that these files of one name are. `told`: what SBOMs tell of them."""
    row = files[0].row
    versions = [one.version for one in told if one.version]
    numbers = next((one.numbers for one in files if one.numbers), None)
    if not versions and row and row.numbers and numbers and numbers.count(".") > 0:
        versions = [numbers]
    versions = versions or _versions_within([wheel.files[one.path] for one in files], row)
    licensed = next((one for one in told if one.licenses), None)
    part = new_part(
        f"bundled:{stem}",
        row.name if row else (told[0].name if told else stem),
        version=versions[0] if versions else None,
        homepage=row.homepage if row else None,
        component=wheel.component,
        files=sorted(one.path for one in files),
        size=sum(len(wheel.files[one.path]) for one in files),
    )
    if licensed:
        license_by_sbom(part, licensed, wheel.texts)
    elif row:
        license_by_table(part, row, numbers)
    for one in told:
        for key in ("purl", "supplier", "homepage", "download"):
            part[key] = part[key] or getattr(one, key)
        if one.sha256 and not part["hashes"]:
            part["hashes"] = {"sha256": one.sha256}
    return part


def linked_in_parts(wheel: WheelContents, told: Iterable[Component]) -> List[Part]:
    """Static libraries in extension modules, unless SBOMs tell of them."""
    known = {said(one.name) for one in told}
    found = []
    for one in LINKED_IN:
        files = [
            path
            for path, content in wheel.files.items()
            if content[:4] == b"\x7fELF" and one.marker in content and bundled_file(path) is None
        ]
        if files and said(one.name) not in known:
            part = new_part(
                f"bundled:{one.name}",
                one.name,
                version=wheel.linked.get(one.name),
                license=one.license,
                license_from=one.source,
                homepage=one.homepage,
                component=wheel.component,
                files=sorted(files),
            )
            found.append(part)
    return found


def is_same_library(component: Component, file: BundledFile) -> bool:
    for name in component.name.split(" / "):
        rows = find(name)
        if (file.row in rows) if file.row and rows else said(name) == said(file.stem):
            return True
    return False


def share_versions(parts: Iterable[Part]) -> None:
    """Libraries of one project are of one release: `libssl` does not tell it, `libcrypto` does."""
    versions: Dict[str, Set[str]] = {}
    for part in parts:
        if part["version"]:
            versions.setdefault(part["name"], set()).add(part["version"])
    for part in parts:
        known = versions.get(part["name"], set())
        if part["version"] is None and len(known) == 1:
            part["version"] = next(iter(known))


def _versions_within(contents: Sequence[bytes], row: Optional[Row]) -> List[str]:
    """The release that a well-known library says in its own content, if all of it says the same."""
    pattern = next((one.version for one in LIBRARIES if row and one.name == row.name), None)
    if pattern is None:
        return []
    found = {match for content in contents for match in re.findall(pattern, content)}
    return [match.decode() for match in found] if len(found) == 1 else []
