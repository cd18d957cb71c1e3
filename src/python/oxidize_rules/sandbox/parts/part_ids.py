"""Parts that a wheel brings along, each once and with an id of its own."""

from __future__ import annotations

import re
from typing import Any, Dict, Iterable, List, Optional, Set, Tuple

Part = Dict[str, Any]


def plain(name: str) -> str:
    """A name as it can stand in an id."""
    return re.sub("[^A-Za-z0-9+@._-]+", "-", name).strip("-") or "unnamed"


def unique(parts: Iterable[Part]) -> List[Part]:
    """Each once: a wheel may have several copies of a package, with texts of their own."""
    found: Dict[Tuple[str, Optional[str], Optional[str]], Part] = {}
    for part in parts:
        same = found.setdefault((part["id"], part["version"], part["license"]), part)
        same["texts"] = sorted({tuple(text): text for text in [*same["texts"], *part["texts"]]})
        same["texts"] = [list(text) for text in same["texts"]]
    return list(found.values())


def with_ids(id_name: str, parts: List[Part]) -> List[Part]:
    """The parts with `bundled:<id_name>/<name>`, each its own: with the version if there are two of
    a name, then with a number."""
    names: Dict[str, List[Part]] = {}
    for part in parts:
        names.setdefault(part["id"].partition(":")[2], []).append(part)
    used: Set[str] = set()
    for name, several in sorted(names.items()):
        for part in several:
            version = part["version"] if len(several) > 1 else None
            identifier = f"bundled:{id_name}/{name}" + (f"@{plain(version)}" if version else "")
            number = 1
            while identifier in used:
                number += 1
                identifier = f"bundled:{id_name}/{name}.{number}"
            used.add(identifier)
            part["id"] = identifier
    return parts
