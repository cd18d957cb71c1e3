"""An inventory as a CycloneDX document.

Format: CycloneDX 1.6 JSON (ECMA-424, 1st edition). Only the standard library is needed, and nothing
but the inventory decides the result: no clock, and a serial number made from the content.
"""

from __future__ import annotations

import hashlib
import json
import re
import uuid

TYPE_CHECKING = False
if TYPE_CHECKING:  # `typing` itself is not imported: it takes 5 ms
    from collections.abc import Iterable, Mapping, Sequence
    from typing import Any

# What a kind of part is among CycloneDX' types of components; all others are libraries.
TYPES = {"interpreter": "platform", "first-party": "application"}
# What this program calls itself, and its properties' names before the colon.
TOOL = "oxidize_rules"

_WEB_ADDRESS = re.compile(r"https?://[A-Za-z0-9.-]+(:[0-9]+)?([/?#]|\Z)")
# RFC 3986, section 2: neither reserved (brackets only stand in host names) nor unreserved.
_NOT_IN_URL = re.compile(r"[^A-Za-z0-9._~:/?#@!$&'()*+,;=%-]|%(?![0-9A-Fa-f]{2})|#(?=.*#)")


def document(
    inventory: Mapping[str, Any], texts: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """The document of an `inventory.json`.

    `texts` are the licence texts by their hash; without them the document names licences only.
    """
    subject, parts = inventory["subject"], inventory["parts"]
    reference = f"binary:{subject['address']}"
    made: dict[str, Any] = {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {
            "lifecycles": [{"phase": "build"}],
            "tools": {"components": [{"type": "application", "name": TOOL}]},
            "component": {
                "type": "application",
                "bom-ref": reference,
                "name": subject["name"],
                **_given(version=subject["version"]),
                "properties": _properties(
                    address=subject["address"],
                    filename=subject["filename"],
                    python_version=subject["python_version"],
                    target_triple=subject["target_triple"],
                ),
            },
        },
        "components": [_component(part, texts) for part in parts],
        "dependencies": _dependencies(reference, parts),
    }
    made["serialNumber"] = f"urn:uuid:{content_uuid(made)}"
    return made


def encode(made: Mapping[str, Any]) -> bytes:
    """The document as a file's bytes."""
    return (json.dumps(made, indent=2, sort_keys=True, ensure_ascii=False) + "\n").encode()


def content_uuid(content: object) -> str:
    """A UUID for something that JSON can tell: equal for equal content.

    It says that it is of version 5, which is for hashes; the hash is SHA-256.
    """
    canonical = json.dumps(content, sort_keys=True, separators=(",", ":")).encode()
    return str(uuid.UUID(bytes=hashlib.sha256(canonical).digest()[:16], version=5))


def reachable_from_subject(parts: Sequence[Mapping[str, Any]]) -> list[str]:
    """Which parts the executable itself depends on, so that every part is reached from it.

    These are the parts that no other needs, and of circles that nothing leads to one part each.
    """
    needs = dependency_graph(parts)
    needed = {other for part, others in needs.items() for other in others if other != part}
    reached: set[str] = set()
    direct = []
    for part in [*(p for p in needs if p not in needed), *needs]:
        if part in reached:
            continue
        direct.append(part)
        rest = [part]
        while rest:
            one = rest.pop()
            if one not in reached:
                reached.add(one)
                rest.extend(needs[one])
    return sorted(direct)


def dependency_graph(parts: Iterable[Mapping[str, Any]]) -> dict[str, list[str]]:
    """The ids that each part depends on, without those of parts that are not in the executable."""
    parts = list(parts)
    there = {part["id"] for part in parts}
    return {part["id"]: sorted(there.intersection(part["depends_on"])) for part in parts}


def web_address(text: str | None) -> str | None:
    """A URL as the formats want it. People write other things into metadata, too: None."""
    if not text or not _WEB_ADDRESS.match(text.strip()):
        return None
    return _NOT_IN_URL.sub(
        lambda found: "".join(f"%{byte:02X}" for byte in found.group().encode()), text.strip()
    )


def _dependencies(subject: str, parts: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    graph = {subject: reachable_from_subject(parts), **dependency_graph(parts)}
    return [
        {"ref": one, **({"dependsOn": others} if others else {})}
        for one, others in sorted(graph.items())
    ]


def _component(part: Mapping[str, Any], texts: Mapping[str, str] | None) -> dict[str, Any]:
    references = [
        {"type": kind, "url": url}
        for kind, text in (("distribution", part["download"]), ("website", part["homepage"]))
        if (url := web_address(text))
    ]
    return {
        "type": TYPES.get(part["kind"], "library"),
        "bom-ref": part["id"],
        "name": part["name"],
        **_given(
            version=part["version"],
            purl=part["purl"],
            supplier={"name": part["supplier"]} if part["supplier"] else None,
            hashes=[{"alg": "SHA-256", "content": part["hashes"]["sha256"]}]
            if "sha256" in part["hashes"]
            else None,
            # An expression also where it is one licence: an id has to be of the schema's own list,
            # which is older than SPDX's.
            licenses=[{"expression": part["license"], "acknowledgement": _acknowledgement(part)}]
            if part["license"]
            else None,
            copyright="\n".join(part["copyright"]),
            evidence=_evidence(part, texts),
            externalReferences=references,
        ),
        "properties": _properties(
            kind=part["kind"],
            license_from=part["license_from"],
            size=part["size"],
            why=" > ".join(part["why"]),
        ),
    }


def _acknowledgement(part: Mapping[str, Any]) -> str:
    return "concluded" if is_corrected(part) else "declared"


def is_corrected(part: Mapping[str, Any]) -> bool:
    """Whether the licence is not what the part's authors or packagers said, but what is true."""
    return bool(part["license_from"]) and part["license_from"].startswith("corrected")


def _evidence(part: Mapping[str, Any], texts: Mapping[str, str] | None) -> dict[str, Any] | None:
    """The texts: in 1.6 a licence has a text only where it is no expression."""
    if texts is None or not part["texts"]:
        return None
    return {
        "licenses": [
            {
                "license": {
                    "name": name,
                    "text": {"contentType": "text/plain", "content": texts[sha256]},
                }
            }
            for name, sha256 in part["texts"]
        ]
    }


def _properties(**values: object) -> list[dict[str, str]]:
    return [
        {"name": f"{TOOL}:{name}", "value": str(value)}
        for name, value in sorted(values.items())
        if value not in (None, "")
    ]


def _given(**values: object) -> dict[str, object]:
    """What has a value."""
    return {name: value for name, value in values.items() if value}
