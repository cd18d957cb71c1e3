"""All that a wheel brings along: native libraries, packages of others, what its SBOMs tell of."""

from __future__ import annotations

import posixpath
from typing import Any, Dict, Iterable, List, Set

from oxidize_rules.sandbox.parts import wheel_sboms
from oxidize_rules.sandbox.parts.part_ids import unique, with_ids
from oxidize_rules.sandbox.parts.vendored_packages import Vendored
from oxidize_rules.sandbox.parts.wheel_components import component_part, is_no_part
from oxidize_rules.sandbox.parts.wheel_contents import WheelContents
from oxidize_rules.sandbox.parts.wheel_libraries import (
    is_same_library,
    libraries_by_name,
    library_part,
    linked_in_parts,
    share_versions,
)
from oxidize_rules.sandbox.parts.wheel_packages import is_package, package_parts
from oxidize_rules.sandbox.parts.wheel_sboms import EXCLUDED

Part = Dict[str, Any]


def bundled_parts(wheel: WheelContents, vendored: Iterable[Vendored]) -> List[Part]:
    """A part `bundled:<project>/<name>` for each. `vendored`: the packages of others in it."""
    documents = [
        (posixpath.basename(path), content)
        for path, content in wheel.files.items()
        if path.startswith(f"{wheel.dist_info}/sboms/")
    ]
    components = [one for one in wheel_sboms.read(documents) if one.scope != EXCLUDED]
    found: List[Part] = []
    told: Set[int] = set()
    for stem, files in libraries_by_name(wheel.files).items():
        matching = [one for one in components if is_same_library(one, files[0])]
        told.update(map(id, matching))
        found.append(library_part(wheel, stem, files, matching))
    share_versions(found)
    found += linked_in_parts(wheel, components)
    for one in vendored:
        matching = [component for component in components if is_package(component, one)]
        told.update(map(id, matching))
        found += package_parts(wheel, one, matching)
    seen = set()
    # Of those that are there twice, the one that tells a licence.
    for component in sorted(components, key=lambda one: not one.licenses):
        key = (component.name, component.version)
        if id(component) in told or key in seen or is_no_part(wheel, component):
            continue
        seen.add(key)
        found.append(component_part(wheel, component))
    return with_ids(wheel.id_name, unique(found))
