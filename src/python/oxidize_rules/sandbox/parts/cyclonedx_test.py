from __future__ import annotations

import copy
import json
import re
from typing import Any

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from oxidize_rules.sandbox.parts.cyclonedx import (
    content_uuid,
    document,
    encode,
    reachable_from_subject,
    web_address,
)
from oxidize_rules.sandbox.reports.testing_inventory import ODD, inventory, part, texts

VALIDATOR = JsonStrictValidator(SchemaVersion.V1_6)


def component(made: dict[str, Any], reference: str) -> dict[str, Any]:
    (found,) = (one for one in made["components"] if one["bom-ref"] == reference)
    return dict(found)


def test_the_validator_finds_faults() -> None:
    made = document(inventory())
    made["components"][0]["sizes"] = 1
    assert VALIDATOR.validate_str(json.dumps(made)) is not None


def test_is_valid() -> None:
    for given in (None, texts()):
        data = encode(document(inventory(), given)).decode()
        assert VALIDATOR.validate_str(data) is None
        assert len(json.loads(data)["components"]) == len(inventory()["parts"])


def test_parts_of_all_kinds() -> None:
    made = document(inventory())
    openssl = component(made, "library:openssl")
    assert openssl["purl"] == "pkg:generic/openssl@3.5.7"
    assert openssl["supplier"] == {"name": "The OpenSSL Project (OpenSSL)"}
    assert openssl["licenses"] == [{"expression": "Apache-2.0", "acknowledgement": "declared"}]
    assert {"name": "oxidize_rules:size", "value": "4000000"} in openssl["properties"]
    assert {
        "name": "oxidize_rules:why",
        "value": "app:bin > extension `_ssl` > libssl.a",
    } in openssl["properties"]
    cpython = component(made, "interpreter:cpython")
    assert cpython["type"] == "platform"
    assert cpython["hashes"] == [{"alg": "SHA-256", "content": "ab" * 32}]
    assert [one["type"] for one in cpython["externalReferences"]] == ["distribution", "website"]
    (hacl,) = component(made, "vendored:hacl-star")["licenses"]
    assert hacl["acknowledgement"] == "concluded"
    assert "licenses" not in component(made, "wheel:silent")
    assert "evidence" not in openssl


def test_texts_on_request() -> None:
    odd = component(document(inventory(), texts()), "wheel:odd")
    (found,) = odd["evidence"]["licenses"]
    assert found["license"]["name"] == "LICENCE"
    assert found["license"]["text"]["content"] == ODD


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("https://example.org", "https://example.org"),
        ("  http://example.org:80/a%20b#c ", "http://example.org:80/a%20b#c"),
        ("https://example.org/a b<ü>[1]%", "https://example.org/a%20b%3C%C3%BC%3E%5B1%5D%25"),
        ("https://example.org/#a#b", "https://example.org/%23a#b"),
        ("UNKNOWN", None),
        ("example.org", None),
        ("javascript:alert(1)", None),
        ("", None),
        (None, None),
    ],
)
def test_addresses_of_all_kinds(text: str | None, address: str | None) -> None:
    assert web_address(text) == address
    made = document({**inventory(), "parts": [part("wheel:a", "1", None, homepage=text)]})
    assert VALIDATOR.validate_str(encode(made).decode()) is None


def test_every_part_is_reached() -> None:
    made = document(inventory())
    graph = {one["ref"]: one.get("dependsOn", []) for one in made["dependencies"]}
    assert graph["interpreter:cpython"] == [
        "libc:musl",
        "library:openssl",
        "library:readline",
        "vendored:hacl-star",
    ]
    assert graph["binary:app:bin@target_triple=musl"] == [
        "first-party:app:bin",
        "runtime:oxidize_rules",
    ]
    reached, rest = set(), ["binary:app:bin@target_triple=musl"]
    while rest:
        one = rest.pop()
        if one not in reached:
            reached.add(one)
            rest += graph[one]
    assert reached == set(graph)


def test_circles_and_absent_parts() -> None:
    circle = [
        part("wheel:a", "1", None, depends_on=["wheel:b", "wheel:absent"]),
        part("wheel:b", "1", None, depends_on=["wheel:a"]),
        part("wheel:c", "1", None, depends_on=["wheel:c"]),
    ]
    assert reachable_from_subject(circle) == ["wheel:a", "wheel:c"]
    made = document({**inventory(), "parts": circle})
    assert VALIDATOR.validate_str(encode(made).decode()) is None
    assert {"ref": "wheel:a", "dependsOn": ["wheel:b"]} in made["dependencies"]


def test_same_content_same_bytes() -> None:
    first, again = (encode(document(inventory())) for _ in range(2))
    assert first == again
    assert not re.search(rb"timestamp|/tmp", first)
    changed = copy.deepcopy(inventory())
    changed["parts"][3]["version"] = "3.13.18"
    serials = {document(one)["serialNumber"] for one in (inventory(), changed)}
    assert len(serials) == 2
    assert content_uuid({"a": 1, "b": 2}) == content_uuid({"b": 2, "a": 1})
