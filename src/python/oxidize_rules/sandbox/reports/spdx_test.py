from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from spdx_tools.spdx.model.document import Document
from spdx_tools.spdx.model.relationship import RelationshipType
from spdx_tools.spdx.model.spdx_no_assertion import SpdxNoAssertion
from spdx_tools.spdx.parser.parse_anything import parse_file
from spdx_tools.spdx.validation.document_validator import validate_full_spdx_document

from oxidize_rules.sandbox.reports.spdx import document, encode, tag_value
from oxidize_rules.sandbox.reports.testing_inventory import (
    NOTICE,
    ODD,
    ODD_REF,
    inventory,
    part,
    sha256,
    texts,
)


def parsed(folder: Path, made: dict[str, Any]) -> tuple[Document, Document]:
    """What spdx-tools reads of both forms; both have to be valid."""
    found = []
    for name, data in (("x.spdx.json", encode(made)), ("x.spdx", tag_value(made))):
        path = folder / name
        path.write_bytes(data)
        read = parse_file(str(path))
        assert [one.validation_message for one in validate_full_spdx_document(read)] == []
        found.append(read)
    return found[0], found[1]


def test_the_validation_finds_faults(tmp_path: Path) -> None:
    made = document(inventory(), texts())
    made["hasExtractedLicensingInfos"] = []
    path = tmp_path / "x.spdx.json"
    path.write_bytes(encode(made))
    faults = [one.validation_message for one in validate_full_spdx_document(parse_file(str(path)))]
    assert any(ODD_REF in fault for fault in faults)


def test_both_forms_are_valid_and_say_the_same(tmp_path: Path) -> None:
    as_json, as_tags = parsed(tmp_path, document(inventory(), texts()))
    assert as_json.creation_info == as_tags.creation_info
    assert len(as_json.packages) == 1 + len(inventory()["parts"])
    assert as_json.packages == as_tags.packages
    assert as_json.relationships == as_tags.relationships
    # The other form keeps a text's lines, not the white space around it.
    (one,), (other,) = as_json.extracted_licensing_info, as_tags.extracted_licensing_info
    assert (one.license_id, one.license_name) == (other.license_id, other.license_name)
    assert one.extracted_text == ODD
    assert other.extracted_text is not None
    assert other.extracted_text.split() == ODD.split()


def test_what_is_said_of_parts(tmp_path: Path) -> None:
    read, _ = parsed(tmp_path, document(inventory(), texts()))
    packages = {one.name: one for one in read.packages}
    openssl = packages["openssl"]
    assert openssl.version == "3.5.7"
    assert str(openssl.license_declared) == "Apache-2.0"
    assert str(openssl.supplier).startswith("Organization: The OpenSSL Project")
    assert openssl.external_references[0].locator == "pkg:generic/openssl@3.5.7"
    assert openssl.comment == "In the executable by: app:bin > extension `_ssl` > libssl.a"
    assert isinstance(packages['silent<script>"x"'].license_concluded, SpdxNoAssertion)
    hacl = packages["hacl-star"]
    assert str(hacl.license_concluded) == "MIT OR Apache-2.0"
    assert isinstance(hacl.license_declared, SpdxNoAssertion)
    assert packages["cpython"].checksums[0].value == "ab" * 32
    # Of one part nothing is known: so nothing can be said of the whole.
    assert isinstance(packages["bin"].license_concluded, SpdxNoAssertion)


def test_relationships(tmp_path: Path) -> None:
    read, _ = parsed(tmp_path, document(inventory(), texts()))
    told = {
        (one.spdx_element_id, one.relationship_type, one.related_spdx_element_id)
        for one in read.relationships
    }
    static = {other for _, kind, other in told if kind == RelationshipType.STATIC_LINK}
    contained = {other for _, kind, other in told if kind == RelationshipType.CONTAINS}
    assert len(contained) == len(inventory()["parts"])
    assert "SPDXRef-library-openssl" in static
    assert "SPDXRef-wheel-numeric" in contained - static
    assert ("SPDXRef-DOCUMENT", RelationshipType.DESCRIBES, "SPDXRef-Binary") in told
    assert (
        "SPDXRef-interpreter-cpython",
        RelationshipType.DEPENDS_ON,
        "SPDXRef-library-openssl",
    ) in told


def test_the_whole_is_under_all_licences(tmp_path: Path) -> None:
    known = inventory()
    known["parts"] = [one for one in known["parts"] if one["license"]]
    read, _ = parsed(tmp_path, document(known, texts()))
    whole = str(read.packages[0].license_concluded)
    assert "GPL-3.0-or-later AND" in whole
    assert "(MIT OR Apache-2.0)" in whole
    assert ODD_REF in whole


def test_names_that_would_be_one_stay_two(tmp_path: Path) -> None:
    parts = [part("wheel:a_b", "1", "MIT"), part("wheel:a-b", "1", "MIT")]
    read, _ = parsed(tmp_path, document({**inventory(), "parts": parts}, texts()))
    assert len({one.spdx_id for one in read.packages}) == 3


@pytest.mark.parametrize("text", [NOTICE, "\n", "<text>", "Tag: value\n", "é\u2028x"])
def test_texts_of_all_kinds(tmp_path: Path, text: str) -> None:
    reference = f"LicenseRef-x-{sha256(text)[:8]}"
    parts = [
        part(
            "wheel:x",
            "1\n2",
            reference,
            extracted={reference: sha256(text)},
            copyright=[text],
            supplier=f"A {text}",
            homepage="not an address",
            license_from=text,
        )
    ]
    made = document({**inventory(), "parts": parts}, {sha256(text): text})
    read, tags = parsed(tmp_path, made)
    assert read.extracted_licensing_info[0].extracted_text == text
    assert len(tags.packages) == 2


def test_same_content_same_bytes() -> None:
    first, again = (document(inventory(), texts()) for _ in range(2))
    assert encode(first) == encode(again)
    assert tag_value(first) == tag_value(again)
    changed = copy.deepcopy(inventory())
    changed["parts"][3]["version"] = "3.13.18"
    namespaces = {document(one, texts())["documentNamespace"] for one in (inventory(), changed)}
    assert len(namespaces) == 2
    assert json.loads(encode(first)) == first
