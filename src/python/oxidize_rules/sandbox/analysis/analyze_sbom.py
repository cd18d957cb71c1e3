"""The bill of materials that an executable of ours carries, read back and not believed.

`sandbox/linking/link.py` puts it into a section of its own: CycloneDX JSON, compressed in zlib's
format.
"""

from __future__ import annotations

import json
import zlib
from typing import Any

from oxidize_rules.sandbox.analysis.analyze_file import ElfInput, clean
from oxidize_rules.sandbox.elf_section import SBOM_SECTION

SIZE_LIMIT = 64 << 20
COMPONENTS_LIMIT = 20_000
_PREFIX = "oxidize_rules:"


def describe(file: ElfInput) -> list[dict[str, Any]] | None:
    """The components by id; None where there is no bill of materials.

    Of each: id, kind, name, version, license, purl, size in bytes, and why it is inside, as far as
    the document tells. A damaged one is told in the file's problems.
    """
    header = file.section(SBOM_SECTION)
    if header is None or header["sh_type"] == "SHT_NOBITS":
        return None
    packed = file.content(header["sh_offset"], min(header["sh_size"], SIZE_LIMIT))
    try:
        unpacker = zlib.decompressobj()
        text = unpacker.decompress(packed, SIZE_LIMIT)
        if unpacker.unconsumed_tail or not unpacker.eof:
            raise ValueError("its end is missing")
        document = json.loads(text.decode())
        components = document["components"]
        if document["bomFormat"] != "CycloneDX" or not isinstance(components, list):
            raise ValueError("it is no CycloneDX document")
        found = [_component(one) for one in components[:COMPONENTS_LIMIT]]
    except (zlib.error, ValueError, LookupError, TypeError, AttributeError, RecursionError):
        file.problems.append("its bill of materials is damaged")
        return None
    return sorted(found, key=lambda one: str(one["id"]))


def _component(one: Any) -> dict[str, Any]:
    properties = {
        str(row["name"])[len(_PREFIX) :]: row["value"]
        for row in one.get("properties", [])
        if str(row["name"]).startswith(_PREFIX)
    }
    licenses = [row.get("expression") for row in one.get("licenses", [])]
    size = str(properties.get("size", ""))
    return {
        "id": _text(one.get("bom-ref")),
        "kind": _text(properties.get("kind")),
        "name": _text(one.get("name")),
        "version": _text(one.get("version")),
        "license": _text(licenses[0]) if licenses else None,
        "purl": _text(one.get("purl")),
        "size": int(size) if size.isdecimal() and len(size) < 16 else None,
        "why": _text(properties.get("why")),
    }


def _text(value: Any) -> str | None:
    return None if value is None else clean(str(value), 300)
