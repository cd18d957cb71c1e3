"""The parts that packages of others are which lie in a wheel (`vendored_packages.py`)."""

from __future__ import annotations

import posixpath
from typing import Any, Dict, Iterable, List, Optional, Sequence

from packaging.utils import canonicalize_name

from oxidize_rules.sandbox.parts.core_metadata import homepage, supplier
from oxidize_rules.sandbox.parts.facts import new_part
from oxidize_rules.sandbox.parts.part_license import license_by_statement
from oxidize_rules.sandbox.parts.vendored_packages import Vendored
from oxidize_rules.sandbox.parts.wheel_contents import WheelContents
from oxidize_rules.sandbox.parts.wheel_sboms import Component

Part = Dict[str, Any]


def package_parts(wheel: WheelContents, one: Vendored, told: Sequence[Component]) -> List[Part]:
    """`told`: what SBOMs tell of it. If only they know versions: of several copies."""
    versions = {one.version, *([] if one.version else [two.version for two in told])}
    return [
        _package_part(wheel, one, version, told)
        for version in sorted(filter(None, versions)) or (None,)
    ]


def _package_part(
    wheel: WheelContents, one: Vendored, version: Optional[str], told: Iterable[Component]
) -> Part:
    purl: Optional[str] = None
    if one.pypi:
        purl = f"pkg:pypi/{canonicalize_name(one.name)}" + (f"@{version}" if version else "")
    else:
        purl = next((other.purl for other in told if other.version == version), None)
    part = new_part(
        f"bundled:{canonicalize_name(one.name)}",
        one.name,
        version=version,
        purl=purl,
        supplier=supplier(one.metadata),
        homepage=homepage(one.metadata),
        texts=[
            list(text)
            for text in sorted(
                {(_below(path, one.place), wheel.texts.add(text)) for path, text in one.texts}
            )
        ],
        component=wheel.component,
    )
    license_by_statement(part, one.statement, wheel.texts)
    return part


def is_package(component: Component, package: Vendored) -> bool:
    if canonicalize_name(component.name) != canonicalize_name(package.name):
        return False
    return component.version is not None and package.version in (None, component.version)


def _below(path: str, place: str) -> str:
    """A text's name: where it lies in the package's folder, or its own."""
    if place and path.startswith(f"{place}/"):
        return path[len(place) + 1 :]
    return posixpath.basename(path)
