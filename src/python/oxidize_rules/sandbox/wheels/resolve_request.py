"""What a resolution is asked for: the input of `wheel_resolve.py`."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import FrozenSet, Mapping, Optional, Tuple

from packaging.utils import canonicalize_name

from oxidize_rules.sandbox.wheels.wheel_choice import NO_RULES, Rules, Target


@dataclass(frozen=True)
class Pin:
    """A version in a requirements-style lock file."""

    version: str
    marker: Optional[str]
    hashes: FrozenSet[str]


@dataclass(frozen=True)
class Request:
    """`lock` is how the lock file is called in messages, None without one. `pins` by normalized
    name, None if the lock file is pex's. `path_mappings`: folders by name, for pex's `${NAME}`.
    """

    requirements: Tuple[str, ...]
    target: Target
    indexes: Tuple[str, ...] = ()
    find_links: Tuple[str, ...] = ()
    lock: Optional[str] = None
    pins: Optional[Mapping[str, Tuple[Pin, ...]]] = None
    path_mappings: Mapping[str, str] = field(default_factory=dict)
    rules: Rules = NO_RULES


def parse_request(text: str) -> Request:
    values = json.loads(text)
    pins = values["pins"]
    return Request(
        requirements=tuple(values["requirements"]),
        target=Target(
            values["python_version"],
            values["target_triple"],
            values["glibc_floor"],
            values["native"],
        ),
        indexes=tuple(values["indexes"]),
        find_links=tuple(values["find_links"]),
        lock=values["lock"],
        pins=None
        if pins is None
        else {
            name: tuple(
                Pin(pin["version"], pin["marker"], frozenset(pin["hashes"])) for pin in versions
            )
            for name, versions in pins.items()
        },
        path_mappings=values["path_mappings"],
        rules=Rules(
            frozenset(_name(name) for name in values["only_binary"]),
            frozenset(_name(name) for name in values["no_binary"]),
        ),
    )


def _name(name: str) -> str:
    return name if name == ":all:" else canonicalize_name(name)
