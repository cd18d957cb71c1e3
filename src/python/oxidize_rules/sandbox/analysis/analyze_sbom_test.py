from __future__ import annotations

import io
import json
import zlib
from typing import Any

import pytest

from oxidize_rules.sandbox import elf_section
from oxidize_rules.sandbox.analysis.analyze_file import ElfInput
from oxidize_rules.sandbox.analysis.analyze_sbom import describe
from oxidize_rules.sandbox.analysis.analyze_size import component_tree
from oxidize_rules.sandbox.analysis.testing_analyze import elf
from oxidize_rules.sandbox.parts import cyclonedx
from oxidize_rules.sandbox.reports.testing_inventory import inventory


def read(packed: bytes) -> tuple[Any, list[str]]:
    file = ElfInput(elf(bill_of_materials=packed))
    found = describe(file)
    return found, file.problems


def test_what_the_link_puts_in_is_read_back() -> None:
    """By way of the same two modules that the link step uses."""
    made = inventory()
    document = json.dumps(cyclonedx.document(made)).encode()
    executable = io.BytesIO(elf(needed=(), interpreter=""))
    elf_section.append_section(executable, elf_section.SBOM_SECTION, zlib.compress(document, 9))
    file = ElfInput(executable.getvalue())
    found = describe(file)
    assert found is not None
    assert file.problems == []
    for part, component in zip(made["parts"], found):
        assert component["id"] == part["id"]
        assert component["license"] == part["license"]
        for key in ("kind", "name", "version", "purl", "size"):
            assert component[key] == part[key], (part["id"], key)
    assert len(found) == len(made["parts"])


def test_an_executable_without_one() -> None:
    file = ElfInput(elf())
    assert describe(file) is None
    assert file.problems == []


@pytest.mark.parametrize(
    "packed",
    [
        b"no zlib",
        zlib.compress(b"{}")[:-3],
        zlib.compress(b"{}"),
        zlib.compress(b"[1]"),
        zlib.compress(b'{"bomFormat":"CycloneDX","components":7}'),
        zlib.compress(b'{"bomFormat":"CycloneDX","components":[7]}'),
        zlib.compress(b'{"bomFormat":"SPDX","components":[]}'),
        zlib.compress(b"[" * 100_000),
        zlib.compress(b"\xff\xfe"),
        zlib.compress(bytes(70 << 20)),  # 70 MB out of 70 kB
    ],
)
def test_damaged_ones_are_told(packed: bytes) -> None:
    assert read(packed) == (None, ["its bill of materials is damaged"])


def test_names_are_made_harmless() -> None:
    bill = {"bomFormat": "CycloneDX", "components": [{"name": "x\x1b[0m", "version": 3}]}
    found, problems = read(zlib.compress(json.dumps(bill).encode()))
    assert problems == []
    assert found[0]["name"] == "x\N{REPLACEMENT CHARACTER}[0m"
    assert found[0]["version"] == "3"


def test_sizes_by_component_add_up_to_the_file() -> None:
    def part(kind: str, name: str, size: int | None) -> dict[str, Any]:
        return {"kind": kind, "name": name, "version": None, "size": size}

    parts = [part("wheel", "a", 30), part("wheel", "b", 50), part("libc", "musl", 5)]
    tree = component_tree("bin", 100, [*parts, part("library", "unknown", None)])
    assert tree is not None
    assert [(one["name"], one["size"]) for one in tree["children"]] == [
        ("packages", 80),
        ("tables of no one component, and padding", 15),
        ("C library", 5),
    ]
    assert [one["name"] for one in tree["children"][0]["children"]] == ["b", "a"]
    # Sizes that cannot be true are not drawn.
    assert component_tree("bin", 50, parts) is None
    assert component_tree("bin", 50, []) is None
