"""Wheels that lie in the standard library of an executable, and what its bill of materials tells.

The executable is the witness: it opens the wheels that are in it.
"""

from __future__ import annotations

import json
import zlib
from pathlib import Path
from typing import Any, Dict

import pytest

from oxidize_rules.goals.testing_binaries import LIBCS, output, package
from oxidize_rules.sandbox.elf_section import SBOM_SECTION, read_section

SAY = """
import email, json, os, pathlib, re, zipfile
found = {}
stdlib = pathlib.Path(os.__file__).parent
for folder in ("ensurepip/_bundled", "test/wheeldata"):
    for path in stdlib.joinpath(folder).glob("*.whl"):
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
            (metadata,) = [one for one in names if re.fullmatch("[^/]+[.]dist-info/METADATA", one)]
            told = email.message_from_bytes(archive.read(metadata))
            vendored = []
            if f"{told['Name']}/_vendor/vendor.txt" in names:
                text = archive.read(f"{told['Name']}/_vendor/vendor.txt").decode()
                vendored = re.findall("(?m)^ *([A-Za-z0-9_.-]+)==([^ #\\n]+)", text)
            found[told["Name"]] = [told["Version"], path.stat().st_size, vendored]
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def programs() -> Dict[str, Path]:
    packaged = package(["stdlib_tests"])
    return {libc: packaged("stdlib_tests", libc) for libc in LIBCS}


def components(program: Path) -> Dict[str, Dict[str, Any]]:
    with open(program, "rb") as stream:
        content = read_section(stream, SBOM_SECTION)
    assert content is not None
    return {one["bom-ref"]: one for one in json.loads(zlib.decompress(content))["components"]}


def properties(component: Dict[str, Any]) -> Dict[str, str]:
    return {one["name"].rpartition(":")[2]: one["value"] for one in component["properties"]}


@pytest.mark.parametrize("libc", LIBCS)
def test_wheels_of_the_standard_library_are_parts(programs: Dict[str, Path], libc: str) -> None:
    inside = json.loads(output([programs[libc], "-c", SAY]))
    assert set(inside) == {"pip", "setuptools"}
    parts = components(programs[libc])
    wheels = {one: part for one, part in parts.items() if one.startswith("wheel:")}
    assert {
        part["name"]: [part["version"], int(properties(part)["size"])] for part in wheels.values()
    } == {name: [version, size] for name, (version, size, _) in inside.items()}
    why = properties(wheels["wheel:pip"])["why"]
    assert why.endswith(" > `ensurepip` in `include_stdlib` > pip")
    assert "> `test` in `include_stdlib` >" in properties(wheels["wheel:setuptools"])["why"]

    of_pip = {
        part["name"]: part["version"]
        for one, part in parts.items()
        if one.startswith("bundled:pip/")
    }
    assert of_pip == dict(inside["pip"][2])
    assert len(of_pip) > 10
    licenses = {
        part["name"]: part["licenses"][0]["expression"]
        for one, part in parts.items()
        if one.startswith("bundled:pip/") and "licenses" in part
    }
    assert licenses.keys() == of_pip.keys()
    assert licenses["certifi"] == "MPL-2.0"
    # Their bytes are in the file once, and told once.
    size = int(properties(parts["interpreter:cpython"])["size"])
    whole = programs[libc].stat().st_size
    assert sum(int(properties(part).get("size", 0)) for part in parts.values()) <= whole
    assert size < whole - sum(one[1] for one in inside.values())
