"""Facts about parts of executables: their form, their texts, and how both are written.

A step that knows parts writes a folder: `facts.json` with `{"format": 1, "parts": [...]}`, sorted
by id, and `texts/<sha256>.txt` with each text that a part names. `docs/licensing.md` tells what the
keys of a part mean.
"""

from __future__ import annotations

import hashlib
import json
import os

TYPE_CHECKING = False
if TYPE_CHECKING:  # `typing` itself is not imported: it takes 5 ms
    from collections.abc import Iterable, Mapping
    from typing import Any

FORMAT = 1
FACTS_FILE = "facts.json"
TEXTS_DIR = "texts"
# Keys that only some parts have: whether the named objects have code of another part, too; of what
# lies in a component that is another part, its size in bytes, its files, and the field of the
# executable that brings it.
OPTIONAL = ("mixed", "size", "files", "brought_by")
# In tables: a licence that SPDX has no id for; its id is made from its text.
TEXT_ALONE = "LicenseRef"


def new_part(identifier: str, name: str, **given: Any) -> dict[str, Any]:
    """A part with all keys that facts have; what is not given is absent (null, or empty)."""
    part: dict[str, Any] = {
        "id": identifier,
        "kind": identifier.partition(":")[0],
        "name": name,
        "version": None,
        "license": None,
        "license_from": None,
        "texts": [],
        "extracted": {},
        "copyright": [],
        "purl": None,
        "supplier": None,
        "homepage": None,
        "download": None,
        "hashes": {},
        "depends_on": [],
        "drop": None,
        "archives": [],
        "objects": [],
        "component": None,
    }
    unknown = set(given) - {*part, *OPTIONAL}
    if unknown:
        raise ValueError(f"a part has no {', '.join(sorted(unknown))}")
    part.update(given)
    return part


class Texts:
    """Licence texts, each once."""

    def __init__(self) -> None:
        self._texts: dict[str, bytes] = {}

    def add(self, content: bytes) -> str:
        """The text's sha256, by which parts name it."""
        name = hashlib.sha256(content).hexdigest()
        self._texts[name] = content
        return name

    def write(self, folder: str, parts: Iterable[Mapping[str, Any]]) -> None:
        """Writes those that `parts` name."""
        used = {text for part in parts for text in named_texts(part)}
        os.makedirs(folder, exist_ok=True)
        for name in sorted(used):
            with open(f"{folder}/{name}.txt", "wb") as stream:
                stream.write(self._texts[name])


def named_texts(part: Mapping[str, Any]) -> set[str]:
    """The hashes of a part's texts."""
    return {text for _, text in part["texts"]}.union(part["extracted"].values())


def write(folder: str, parts: Iterable[Mapping[str, Any]], texts: Texts) -> None:
    """Writes `facts.json` and `texts/` into `folder`. Raises ValueError for an id twice."""
    ordered = sorted(parts, key=lambda part: str(part["id"]))
    ids = [part["id"] for part in ordered]
    if len(set(ids)) < len(ids):
        raise ValueError(f"two parts have one id, among {', '.join(ids)}")
    texts.write(f"{folder}/{TEXTS_DIR}", ordered)
    with open(f"{folder}/{FACTS_FILE}", "w", encoding="utf-8") as stream:
        json.dump({"format": FORMAT, "parts": ordered}, stream, indent=1, sort_keys=True)


def all_of(licenses: Iterable[str]) -> str | None:
    """One expression for something that stands under all of these; None for none."""
    unique = list(dict.fromkeys(licenses))
    if len(unique) < 2:
        return unique[0] if unique else None
    return " AND ".join(f"({one})" if " OR " in one else one for one in unique)


def license_ref(name: str, text: bytes) -> str:
    """The id of a licence that SPDX has no id for."""
    plain = "".join(letter if letter.isalnum() or letter in "-." else "-" for letter in name)
    return f"LicenseRef-{plain}-{hashlib.sha256(text).hexdigest()[:8]}"
