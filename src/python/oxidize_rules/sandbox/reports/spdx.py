"""An inventory as an SPDX document, in JSON and in tag-value form.

Format: SPDX specification 2.3, clauses 6 to 11 and annex D. `created` has to be there and to be
a time; it is the same in every document, so that equal builds give equal bytes.
"""

from __future__ import annotations

import json
import re

from oxidize_rules.sandbox.parts.cyclonedx import (
    TOOL,
    content_uuid,
    dependency_graph,
    is_corrected,
    web_address,
)
from oxidize_rules.sandbox.parts.licenses import combine

TYPE_CHECKING = False
if TYPE_CHECKING:  # `typing` itself is not imported: it takes 5 ms
    from collections.abc import Iterable, Iterator, Mapping
    from typing import Any

CREATED = "1980-01-01T00:00:00Z"
NAMESPACE = "https://spdx.org/spdxdocs"  # the place that the specification proposes (6.5)
DOCUMENT = "SPDXRef-DOCUMENT"
BINARY = "SPDXRef-Binary"
# Kinds of parts that the linker took into the executable; the others lie in it as files.
LINKED = ("compiler-runtime", "interpreter", "libc", "library", "runtime", "vendored")
PURPOSES = {"first-party": "APPLICATION", "interpreter": "FRAMEWORK"}
NOASSERTION = "NOASSERTION"


def document(inventory: Mapping[str, Any], texts: Mapping[str, str]) -> dict[str, Any]:
    """The JSON document of an `inventory.json`. `texts` are the licence texts by their hash."""
    subject, parts = inventory["subject"], inventory["parts"]
    references = _references(parts)
    made: dict[str, Any] = {
        "spdxVersion": "SPDX-2.3",
        "dataLicense": "CC0-1.0",
        "SPDXID": DOCUMENT,
        "name": subject["name"],
        "creationInfo": {
            "created": CREATED,
            "creators": [f"Tool: {TOOL}"],
            "comment": "`created` is no time: it is the same in every document, so that equal "
            "builds give equal documents.",
        },
        "packages": [
            _binary(subject, parts),
            *(_package(part, references[part["id"]]) for part in parts),
        ],
        "relationships": list(_relationships(parts, references)),
    }
    extracted = _extracted(parts, texts)
    if extracted:
        made["hasExtractedLicensingInfos"] = extracted
    name = re.sub(r"[^A-Za-z0-9.-]+", "-", subject["name"])
    made["documentNamespace"] = f"{NAMESPACE}/{name}-{content_uuid(made)}"
    return made


def encode(made: Mapping[str, Any]) -> bytes:
    """The JSON form's bytes."""
    return (json.dumps(made, indent=2, sort_keys=True, ensure_ascii=False) + "\n").encode()


def tag_value(made: Mapping[str, Any]) -> bytes:
    """The tag-value form of a JSON document."""
    return ("\n".join(_lines(made)) + "\n").encode()


def _references(parts: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """An SPDXID (letters, digits, `.` and `-`) for each part's id."""
    found: dict[str, str] = {}
    for part in parts:
        name = "SPDXRef-" + re.sub(r"[^A-Za-z0-9.-]+", "-", part["id"])
        if name in found.values() or name in (DOCUMENT, BINARY):
            name += "-" + content_uuid(part["id"])[:8]
        found[part["id"]] = name
    return found


def _binary(subject: Mapping[str, Any], parts: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    licenses = [part["license"] for part in parts]
    return {
        "SPDXID": BINARY,
        "name": subject["name"],
        **({"versionInfo": subject["version"]} if subject["version"] else {}),
        "packageFileName": subject["filename"],
        "downloadLocation": NOASSERTION,
        "filesAnalyzed": False,
        "licenseConcluded": combine(licenses) if licenses and all(licenses) else NOASSERTION,
        "licenseDeclared": NOASSERTION,
        "licenseComments": "The licences of all parts together.",
        "copyrightText": NOASSERTION,
        "primaryPackagePurpose": "APPLICATION",
        "comment": f"{subject['address']} for {subject['target_triple']}, "
        f"with Python {subject['python_version']}",
    }


def _package(part: Mapping[str, Any], reference: str) -> dict[str, Any]:
    license = part["license"] or NOASSERTION
    made: dict[str, Any] = {
        "SPDXID": reference,
        "name": _one_line(part["name"]),
        "downloadLocation": web_address(part["download"]) or NOASSERTION,
        "filesAnalyzed": False,
        "licenseConcluded": license,
        "licenseDeclared": NOASSERTION if is_corrected(part) else license,
        "copyrightText": "\n".join(part["copyright"]) or NOASSERTION,
        "primaryPackagePurpose": PURPOSES.get(part["kind"], "LIBRARY"),
    }
    if part["version"]:
        made["versionInfo"] = _one_line(part["version"])
    if part["supplier"]:
        # What stands in parentheses would be an address of electronic mail.
        supplier = _one_line(part["supplier"]).replace("(", "[").replace(")", "]")
        made["supplier"] = f"Organization: {supplier}"
    if "sha256" in part["hashes"]:
        made["checksums"] = [{"algorithm": "SHA256", "checksumValue": part["hashes"]["sha256"]}]
    if homepage := web_address(part["homepage"]):
        made["homepage"] = homepage
    if part["license_from"]:
        made["licenseComments"] = f"From: {_one_line(part['license_from'])}"
    if part["purl"]:
        made["externalRefs"] = [
            {
                "referenceCategory": "PACKAGE-MANAGER",
                "referenceType": "purl",
                "referenceLocator": part["purl"],
            }
        ]
    if part["why"]:
        made["comment"] = "In the executable by: " + _one_line(" > ".join(part["why"]))
    return made


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _extracted(
    parts: Iterable[Mapping[str, Any]], texts: Mapping[str, str]
) -> list[dict[str, Any]]:
    """The texts of licences that SPDX has no name for."""
    owners: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    for part in parts:
        for reference, sha256 in part["extracted"].items():
            owners.setdefault((reference, sha256), []).append(part)
    return [
        {
            "licenseId": reference,
            "name": reference.partition("-")[2],
            "extractedText": texts[sha256],
            "comment": "Of " + ", ".join(_one_line(part["name"]) for part in which),
        }
        for (reference, sha256), which in sorted(owners.items(), key=lambda item: item[0])
    ]


def _relationships(
    parts: Iterable[Mapping[str, Any]], references: Mapping[str, str]
) -> Iterator[dict[str, str]]:
    def relationship(one: str, kind: str, other: str) -> dict[str, str]:
        return {
            "spdxElementId": one,
            "relationshipType": kind,
            "relatedSpdxElement": other,
        }

    parts = list(parts)
    yield relationship(DOCUMENT, "DESCRIBES", BINARY)
    for part in parts:
        yield relationship(BINARY, "CONTAINS", references[part["id"]])
        if part["kind"] in LINKED:
            yield relationship(BINARY, "STATIC_LINK", references[part["id"]])
    for one, others in sorted(dependency_graph(parts).items()):
        for other in others:
            yield relationship(references[one], "DEPENDS_ON", references[other])


# ------------------------------------------------------------------------------------------------
# Tag-value
# ------------------------------------------------------------------------------------------------

# The tags of a package in the order that the specification lists them, by JSON key.
_PACKAGE_TAGS = (
    ("name", "PackageName"),
    ("SPDXID", "SPDXID"),
    ("versionInfo", "PackageVersion"),
    ("packageFileName", "PackageFileName"),
    ("supplier", "PackageSupplier"),
    ("downloadLocation", "PackageDownloadLocation"),
    ("filesAnalyzed", "FilesAnalyzed"),
    ("checksums", "PackageChecksum"),
    ("homepage", "PackageHomePage"),
    ("licenseConcluded", "PackageLicenseConcluded"),
    ("licenseDeclared", "PackageLicenseDeclared"),
    ("licenseComments", "PackageLicenseComments"),
    ("copyrightText", "PackageCopyrightText"),
    ("comment", "PackageComment"),
    ("externalRefs", "ExternalRef"),
    ("primaryPackagePurpose", "PrimaryPackagePurpose"),
)
# Where the form allows several lines.
_TEXTS = ("licenseComments", "copyrightText", "comment")


def _lines(made: Mapping[str, Any]) -> Iterator[str]:
    creation = made["creationInfo"]
    yield f"SPDXVersion: {made['spdxVersion']}"
    yield f"DataLicense: {made['dataLicense']}"
    yield f"SPDXID: {made['SPDXID']}"
    yield f"DocumentName: {made['name']}"
    yield f"DocumentNamespace: {made['documentNamespace']}"
    for creator in creation["creators"]:
        yield f"Creator: {creator}"
    yield f"Created: {creation['created']}"
    yield f"CreatorComment: {_text(creation['comment'])}"
    for package in made["packages"]:
        yield ""
        for key, tag in _PACKAGE_TAGS:
            if key in package:
                yield f"{tag}: {_value(key, package[key])}"
    for license in made.get("hasExtractedLicensingInfos", ()):
        yield ""
        yield f"LicenseID: {license['licenseId']}"
        yield f"ExtractedText: {_text(license['extractedText'])}"
        yield f"LicenseName: {license['name']}"
        yield f"LicenseComment: {_text(license['comment'])}"
    yield ""
    for one in made["relationships"]:
        yield "Relationship: " + " ".join(
            (one["spdxElementId"], one["relationshipType"], one["relatedSpdxElement"])
        )


def _value(key: str, value: Any) -> str:
    if key == "filesAnalyzed":
        return str(value).lower()
    if key == "checksums":
        (checksum,) = value
        return f"{checksum['algorithm']}: {checksum['checksumValue']}"
    if key == "externalRefs":
        (found,) = value
        return f"{found['referenceCategory']} {found['referenceType']} {found['referenceLocator']}"
    if key in _TEXTS and value != NOASSERTION:
        return _text(value)
    return str(value)


def _text(text: str) -> str:
    """A text, whose end the form has no way to write within it."""
    return "<text>" + text.replace("</text>", "&lt;/text&gt;") + "</text>"
