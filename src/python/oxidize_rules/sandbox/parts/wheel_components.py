"""What of SBOMs in a wheel becomes a part of its own: crates, libraries that left no file."""

from __future__ import annotations

import re
from typing import Any, Dict, Optional

from packaging.utils import canonicalize_name

from oxidize_rules.sandbox.parts.bundled_libraries import find
from oxidize_rules.sandbox.parts.facts import new_part
from oxidize_rules.sandbox.parts.license_expressions import all_of
from oxidize_rules.sandbox.parts.license_statement import state, state_of_name
from oxidize_rules.sandbox.parts.part_ids import plain
from oxidize_rules.sandbox.parts.part_license import license_by_sbom, license_by_table
from oxidize_rules.sandbox.parts.wheel_contents import WheelContents
from oxidize_rules.sandbox.parts.wheel_sboms import OPTIONAL, Component


def component_part(wheel: WheelContents, component: Component) -> Dict[str, Any]:
    part = new_part(
        f"bundled:{plain(component.name)}",
        component.name,
        version=component.version,
        purl=component.purl,
        supplier=component.supplier,
        homepage=component.homepage,
        download=component.download,
        hashes={"sha256": component.sha256} if component.sha256 else {},
        component=wheel.component,
    )
    license_by_sbom(part, component, wheel.texts)
    if part["license"] is None:
        for row in find(component.name)[:1]:
            license_by_table(part, row, component.version)
    return part


def is_no_part(wheel: WheelContents, component: Component) -> bool:
    """Whether it is the wheel itself, a requirement of it, or perhaps not there."""
    if component.scope == OPTIONAL:
        return True
    purl = component.purl or component.reference
    base = re.split("[?#]", purl, maxsplit=1)[0].lower()
    if base.replace("_", "-") == wheel.purl.lower():
        # What it tells of its own extension modules is under the wheel's licence.
        return "#" not in purl or _stated(component) in (_stated_own(wheel), None)
    if base.startswith("pkg:pypi/") and component.version is None:
        name = base[len("pkg:pypi/") :].partition("@")[0]
        return canonicalize_name(name) in {
            canonicalize_name(one.name) for one in wheel.requirements
        }
    return False


def _stated_own(wheel: WheelContents) -> Optional[str]:
    return state(wheel.name, wheel.metadata, []).expression


def _stated(component: Component) -> Optional[str]:
    return all_of(state_of_name(component.name, one).expression for one in component.licenses)
