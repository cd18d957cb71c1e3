from __future__ import annotations

import json
from pathlib import Path

from oxidize_rules.sandbox.parts.testing_wheel_facts import (
    INFO,
    cyclonedx,
    facts,
    library,
    licensed,
    wheel,
)


def test_sboms_tell_of_crates_and_requirements(tmp_path: Path) -> None:
    sboms = cyclonedx(
        library(
            "hashbrown", "0.14", purl="pkg:cargo/hashbrown@0.14", **licensed("MIT OR Apache-2.0")
        ),
        library("hashbrown", "0.17", purl="pkg:cargo/hashbrown@0.17", **licensed("MIT/Apache-2.0")),
        library("own-crate", "1", purl="pkg:cargo/own@1?download_url=file:///home/runner/own"),
        library("odd", "1", **licensed("Something Odd")),
        library("openssl", "3.0.7", purl="pkg:generic/openssl@3.0.7"),
        library("needed", purl="pkg:pypi/needed"),
        library("other", "2", purl="pkg:pypi/other@2", **licensed("ISC")),
    )
    found = facts(
        tmp_path,
        wheel(["License: MIT", "Requires-Dist: needed"], {f"{INFO}/sboms/rust.json": sboms}),
    )
    bundled = found.bundled
    odd = bundled.pop("odd")
    assert {name: (part["license"], part["purl"]) for name, part in bundled.items()} == {
        "hashbrown@0.14": ("Apache-2.0 OR MIT", "pkg:cargo/hashbrown@0.14"),
        "hashbrown@0.17": ("Apache-2.0 AND MIT", "pkg:cargo/hashbrown@0.17"),
        "own-crate": (None, "pkg:cargo/own@1"),
        "openssl": ("Apache-2.0", "pkg:generic/openssl@3.0.7"),
        "other": ("ISC", "pkg:pypi/other@2"),
    }
    ((ref, digest),) = odd["extracted"].items()
    assert odd["license"] == ref
    assert found.texts[digest] == "License-Expression: Something Odd"
    assert bundled["own-crate"]["license_from"] == (
        "the SBOM `rust.json` in its wheel, which tells no licence"
    )


def test_sboms_in_spdx(tmp_path: Path) -> None:
    document = {
        "spdxVersion": "SPDX-2.3",
        "packages": [
            {
                "name": "zlib",
                "versionInfo": "1.3.1",
                "licenseConcluded": "NOASSERTION",
                "licenseDeclared": "Zlib",
                "supplier": "Person: Mark (mark@example.org)",
                "downloadLocation": "https://example.org/zlib.tar.gz",
                "externalRefs": [
                    {"referenceType": "purl", "referenceLocator": "pkg:generic/zlib@1.3.1"}
                ],
                "checksums": [{"algorithm": "SHA256", "checksumValue": "cd" * 32}],
            }
        ],
    }
    sbom = {f"{INFO}/sboms/x.spdx.json": json.dumps(document)}
    part = facts(tmp_path, wheel(["License: MIT"], sbom)).bundled["zlib"]
    assert (part["version"], part["license"], part["supplier"]) == ("1.3.1", "Zlib", "Mark")
    assert part["purl"] == "pkg:generic/zlib@1.3.1"
    assert part["download"] == "https://example.org/zlib.tar.gz"
    assert part["hashes"] == {"sha256": "cd" * 32}
