"""The part that a wheel itself is, by its metadata (core metadata 2.4) and its licence files."""

from __future__ import annotations

from typing import Any, Collection, Dict, List, Optional

from oxidize_rules.sandbox.parts.core_metadata import homepage, supplier
from oxidize_rules.sandbox.parts.facts import new_part
from oxidize_rules.sandbox.parts.license_statement import state
from oxidize_rules.sandbox.parts.part_license import license_by_statement
from oxidize_rules.sandbox.parts.wheel_contents import WheelContents
from oxidize_rules.sandbox.parts.wheel_texts import TEXT_SIZE, as_text, is_license_file


def wheel_part(
    wheel: WheelContents, elsewhere: Collection[str], first_party: Optional[str]
) -> Dict[str, Any]:
    """`wheel:<project>`, or `first-party:<first_party>`.

    elsewhere: licence files that are of other projects, whose packages lie in the wheel
    """
    found = _license_files(wheel, elsewhere)
    inside = f"{wheel.dist_info}/"
    stating = [path for path in found if path.startswith(inside)] or [
        path for path in found if path.count("/") <= 1
    ]
    statement = state(
        wheel.name,
        wheel.metadata,
        [(_shown(wheel, one), as_text(wheel.files[one])) for one in stating],
    )
    part = new_part(
        f"first-party:{first_party}" if first_party else f"wheel:{wheel.id_name}",
        wheel.name,
        version=wheel.version,
        purl=None if first_party else wheel.purl,
        supplier=supplier(wheel.metadata),
        homepage=homepage(wheel.metadata),
        texts=[[_shown(wheel, one), wheel.texts.add(wheel.files[one])] for one in found],
        component=wheel.component,
    )
    license_by_statement(part, statement, wheel.texts)
    return part


def _license_files(wheel: WheelContents, elsewhere: Collection[str]) -> List[str]:
    """Those that the metadata names, and all that are called so."""
    named = {
        f"{wheel.dist_info}/{folder}{file}"
        for file in map(str, wheel.metadata.get_all("License-File") or ())
        for folder in ("licenses/", "license_files/", "")
    }
    found = {
        path
        for path, content in wheel.files.items()
        if path in named or is_license_file(path, content)
    }
    in_licenses = {
        path
        for path, content in wheel.files.items()
        if path.startswith((f"{wheel.dist_info}/licenses/", f"{wheel.dist_info}/license_files/"))
        and len(content) <= TEXT_SIZE
    }
    return sorted((found | in_licenses).difference(elsewhere))


def _shown(wheel: WheelContents, path: str) -> str:
    """A licence file's name for people."""
    for folder in ("licenses", "license_files"):
        start = f"{wheel.dist_info}/{folder}/"
        if path.startswith(start):
            return path[len(start) :]
    return path[len(wheel.dist_info) + 1 :] if path.startswith(f"{wheel.dist_info}/") else path
