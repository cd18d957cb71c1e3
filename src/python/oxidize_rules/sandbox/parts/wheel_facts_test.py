from __future__ import annotations

import hashlib
import time
from pathlib import Path
from typing import Any, Dict

import pytest

from oxidize_rules.sandbox.errors import UserError
from oxidize_rules.sandbox.parts.testing_licenses import BSD_3, MIT
from oxidize_rules.sandbox.parts.testing_wheel_facts import (
    ELF,
    INFO,
    LIBRARIES,
    cyclonedx,
    facts,
    library,
    licensed,
    wheel,
)


def test_first_party_and_built_wheels(tmp_path: Path) -> None:
    source = tmp_path / "source.tar"
    source.write_bytes(b"source")
    files = wheel(["License: MIT"])
    built = facts(tmp_path, files, f"--source={source}")
    assert built.own["hashes"] == {"sha256": hashlib.sha256(b"source").hexdigest()}
    found = facts(tmp_path, files, "--first-party=lib:dist")
    ((identifier, part),) = found.parts.items()
    assert (identifier, part["kind"]) == ("first-party:lib:dist", "first-party")
    assert (part["purl"], part["hashes"], part["license"]) == (None, {}, "MIT")


def test_a_wheel_that_is_a_file_of_the_standard_library(tmp_path: Path) -> None:
    files = wheel(
        ["License: MIT", "Requires-Dist: needed"],
        {
            "some_thing/_vendor/idna/LICENSE": BSD_3,
            f"{LIBRARIES}/libz.so.1": ELF,
            "some_thing/data": bytes(10_000),
        },
    )
    found = facts(
        tmp_path, files, "--id-name=some-thing@1.0", "--include-stdlib=test", "--include-stdlib=t*"
    )
    assert list(found.parts) == [
        *("bundled:some-thing@1.0/idna", "bundled:some-thing@1.0/libz"),
        "wheel:some-thing@1.0",
    ]
    own = found.parts["wheel:some-thing@1.0"]
    assert own["size"] == (tmp_path / "Some_Thing-1.0-py3-none-any.whl").stat().st_size
    assert own["brought_by"] == "`test`, `t*` in `include_stdlib`"
    assert own["drop"] == "take `test`, `t*` out of `include_stdlib`"
    assert own["purl"] == "pkg:pypi/some-thing@1.0"
    # It is not installed: what it requires is no part of the executable by it.
    assert own["depends_on"] == ["bundled:some-thing@1.0/idna", "bundled:some-thing@1.0/libz"]
    assert not {"size", "files"} & found.parts["bundled:some-thing@1.0/libz"].keys()
    assert "brought_by" not in facts(tmp_path, files).own


def test_long_and_deep_input_takes_no_time(tmp_path: Path) -> None:
    nested: Dict[str, Any] = library("deepest", "1")
    for number in range(300):
        nested = library(f"level{number}", "1", components=[nested])
    sboms = {
        f"{INFO}/sboms/deep.json": cyclonedx(nested),
        f"{INFO}/sboms/deeper.json": '{"bomFormat": "CycloneDX", "components": ' + "[" * 90_000,
        f"{INFO}/sboms/long.json": cyclonedx(
            library("long", "1", author="(" + "@" * 50_000, **licensed("(" * 50_000))
        ),
        f"{INFO}/LICENSE": "under the terms of the gnu " * 20_000,
    }
    headers = [f"Author-email: {'a ' * 100_000}", f"License: {'MIT or ' * 20}", "Name: again"]
    start = time.monotonic()
    found = facts(tmp_path, wheel(headers, sboms))
    assert time.monotonic() - start < 20
    assert "level299" in found.bundled
    assert "deepest" not in found.bundled
    assert str(found.bundled["long"]["license"]).startswith("LicenseRef-long-")


def test_same_input_same_bytes(tmp_path: Path) -> None:
    files = wheel(["License: MIT"], {f"{INFO}/LICENSE": MIT, f"{LIBRARIES}/libz.so.1": ELF})
    facts(tmp_path, files)
    first = (tmp_path / "facts/facts.json").read_bytes()
    facts(tmp_path, dict(reversed(list(files.items()))), "--first-party=a:b")
    assert (tmp_path / "facts/facts.json").read_bytes() != first
    facts(tmp_path, files)
    assert (tmp_path / "facts/facts.json").read_bytes() == first


def test_what_is_no_wheel(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no \.dist-info folder"):
        facts(tmp_path, {"a.py": ""})
    assert not (tmp_path / "facts").exists()
