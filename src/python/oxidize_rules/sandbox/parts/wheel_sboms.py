"""What a wheel tells of the software in it: documents below `.dist-info/sboms/` (PEP 770).

Read are CycloneDX 1.x in JSON (specification 1.6: `components`), which `auditwheel`,
`cargo-cyclonedx` and others write, and SPDX 2.x in JSON (specification 2.3: `packages`). The
documents are other people's: what does not have the expected form is passed over.
"""

from __future__ import annotations

import json
import re

TYPE_CHECKING = False
if TYPE_CHECKING:  # `typing` itself is not imported: it takes 5 ms
    from collections.abc import Iterable, Iterator
    from typing import Any

# What is only needed to build, and what there may be or not.
EXCLUDED, OPTIONAL = "excluded", "optional"
_DEPTH = 20
_LONGEST = 2000  # characters of one value, so that no pattern is long at it
# Types of components (CycloneDX) that are software; a file, a device or data are none.
_SOFTWARE = ("application", "container", "firmware", "framework", "library", "")
# A qualifier that names a folder of the machine that built the wheel.
_LOCAL_PLACE = re.compile(r"[?&](?:download|vcs)_url=file:[^&#]*")
_WEB = re.compile(r"https?://[^\s]+\Z")
_NOTHING = ("NOASSERTION", "NONE", "")


class Component:
    """One of them. `licenses`: expressions or names, as they are written; each of them holds."""

    def __init__(self, document: str, name: str) -> None:
        self.document = document
        self.name = name
        self.version: str | None = None
        self.purl: str | None = None
        self.reference = ""
        self.scope = ""
        self.licenses: list[str] = []
        self.supplier: str | None = None
        self.homepage: str | None = None
        self.download: str | None = None
        self.sha256: str | None = None


def read(documents: Iterable[tuple[str, bytes]]) -> list[Component]:
    """Of all documents, by name, in the order in which they have them."""
    found: list[Component] = []
    for name, content in sorted(documents):
        try:
            document = json.loads(content)
        except (ValueError, RecursionError):
            continue
        if not isinstance(document, dict):
            continue
        if document.get("bomFormat") == "CycloneDX":
            found += _cyclonedx(name, document.get("components"), 0)
        elif str(document.get("spdxVersion")).startswith("SPDX-2"):
            found += _spdx(name, document)
    return found


def _cyclonedx(document: str, components: Any, depth: int) -> Iterator[Component]:
    for given in _dicts(components):
        name = _text(given.get("name"))
        if name is None or depth > _DEPTH or (_text(given.get("type")) or "") not in _SOFTWARE:
            continue
        group = _text(given.get("group"))
        one = Component(document, f"{group}/{name}" if group else name)
        one.version = _text(given.get("version"))
        one.purl = _purl(given.get("purl"))
        one.reference = _text(given.get("bom-ref")) or ""
        one.scope = _text(given.get("scope")) or ""
        for entry in _dicts(given.get("licenses")):
            license = entry.get("license")
            if isinstance(license, dict):
                one.licenses += _texts(license.get("id") or license.get("name"))
            one.licenses += _texts(entry.get("expression"))
        supplier = given.get("supplier")
        one.supplier = (
            (_text(supplier.get("name")) if isinstance(supplier, dict) else None)
            or _text(given.get("publisher"))
            or ", ".join(_names(given.get("authors")))
            or _without_address(_text(given.get("author")))
        )
        for reference in _dicts(given.get("externalReferences")):
            url = _text(reference.get("url"))
            if url and _WEB.match(url):
                if reference.get("type") == "website":
                    one.homepage = one.homepage or url
                elif reference.get("type") == "distribution":
                    one.download = one.download or url
        for digest in _dicts(given.get("hashes")):
            if digest.get("alg") == "SHA-256":
                one.sha256 = _sha256(digest.get("content"))
        yield one
        yield from _cyclonedx(document, given.get("components"), depth + 1)


def _spdx(document: str, content: dict[str, Any]) -> Iterator[Component]:
    for given in _dicts(content.get("packages")):
        name = _text(given.get("name"))
        if name is None:
            continue
        one = Component(document, name)
        one.version = _text(given.get("versionInfo"))
        one.reference = _text(given.get("SPDXID")) or ""
        for key in ("licenseConcluded", "licenseDeclared"):
            if given.get(key) not in _NOTHING:
                one.licenses = one.licenses or _texts(given.get(key))
        supplier = _text(given.get("supplier")) or ""
        if supplier not in _NOTHING:
            one.supplier = _without_address(supplier.partition(":")[2].strip() or supplier)
        for key in ("homepage", "downloadLocation"):
            url = _text(given.get(key))
            if url and _WEB.match(url):
                setattr(one, "homepage" if key == "homepage" else "download", url)
        for reference in _dicts(given.get("externalRefs")):
            if reference.get("referenceType") == "purl":
                one.purl = _purl(reference.get("referenceLocator"))
        for digest in _dicts(given.get("checksums")):
            if digest.get("algorithm") == "SHA256":
                one.sha256 = _sha256(digest.get("checksumValue"))
        yield one


def _dicts(value: Any) -> list[dict[str, Any]]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def _text(value: Any) -> str | None:
    """On one line; None for what is no text or empty."""
    return (" ".join(value[:_LONGEST].split()) or None) if isinstance(value, str) else None


def _texts(value: Any) -> list[str]:
    found = _text(value)
    return [] if found is None or found in _NOTHING else [found]


def _names(authors: Any) -> list[str]:
    return [name for one in _dicts(authors) for name in _texts(one.get("name"))]


def _without_address(name: str | None) -> str | None:
    """`A. U. Thor <mail address>, ...`: the names alone."""
    return re.sub(r"\s*[<(][^<>()]*@[^<>()]*[>)]", "", name).strip() or None if name else None


def _sha256(value: Any) -> str | None:
    found = _text(value)
    return found.lower() if found and re.fullmatch("[0-9A-Fa-f]{64}", found) else None


def _purl(value: Any) -> str | None:
    found = _text(value)
    if found is None or not found.startswith("pkg:"):
        return None
    shorter = _LOCAL_PLACE.sub("", found)
    if "?" not in shorter and "&" in shorter:
        shorter = shorter.replace("&", "?", 1)
    return shorter
