"""What executables say of themselves: the bill of materials and the package note inside.

The list of what `testprojects/cli` consists of was made by hand from lld's link map of each C
library (`awk` over its lines of input sections), not by the program that is tested. The executable
is the second witness: its modules know the versions of the libraries that they are linked with.
"""

from __future__ import annotations

import json
import re
import subprocess
import zlib
from pathlib import Path
from typing import Any, Dict

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from oxidize_rules.goals.testing_binaries import Packaged, output
from oxidize_rules.sandbox.elf_section import SBOM_SECTION, read_section

INTERPRETER = {"OXIDIZED_INTERPRETER": "1"}
# Bytes of code and data in the executable, of the link for musl; None: not told apart.
BY_HAND: Dict[str, Any] = {
    "library:bzip2": 66_844,
    "library:libedit": 134_351,
    "library:libffi": 22_487,
    "library:libuuid": 3_823,
    "library:ncurses": 249_102 + 5_525,  # libncursesw.a and libpanelw.a
    "library:openssl": 3_694_388 + 378_970,  # libcrypto.a and libssl.a
    "library:sqlite": 1_535_238,
    "library:xz": 125_304,
    "library:zlib": 61_074,
    "vendored:blake2": 25_044,
    "vendored:cfuhash": None,
    "vendored:dtoa": 23_087,
    "vendored:expat": 159_749,
    "vendored:global-unbounded-sequences": 302,
    "vendored:hacl-star": 42_888,
    "vendored:libmpdec": 143_203,
    "vendored:mersenne-twister": None,
    "vendored:mimalloc": None,
    "vendored:pysqlite": 73_356,
    "vendored:siphash": None,
}
OF_LIBC = {"musl": "libc:musl", "gnu": "libc:glibc"}
OF_EVERY = ("compiler-runtime:compiler-rt", "interpreter:cpython", "runtime:oxidize_rules")
OF_THE_SOURCES = {
    "library:libedit": "20250104-3.1",
    "library:libffi": "3.4.8",
    "library:libuuid": "2.41.5",
}
# A compiler of another version makes other code of the same sources.
TOLERANCE = 0.1

SAY = """
import curses, decimal, importlib.metadata, json, platform, re
import pyexpat, readline, sqlite3, ssl, zlib
print(json.dumps({
    "interpreter:cpython": platform.python_version(),
    "library:openssl": ssl.OPENSSL_VERSION.split()[1],
    "library:sqlite": sqlite3.sqlite_version,
    "library:zlib": zlib.ZLIB_RUNTIME_VERSION,
    "library:ncurses": ".".join(map(str, curses.ncurses_version[:2])),
    "vendored:expat": pyexpat.EXPAT_VERSION.removeprefix("expat_"),
    "vendored:libmpdec": decimal.__libmpdec_version__,
    "readline": readline.backend,
    "wheels": {
        re.sub("[-_.]+", "-", one.name).lower(): one.version
        for one in importlib.metadata.distributions()
    },
}))
"""


@pytest.fixture
def program(packages: Packaged, libc: str) -> Path:
    return packages("cli", libc)


def sbom(program: Path) -> Dict[str, Any]:
    with open(program, "rb") as stream:
        content = read_section(stream, SBOM_SECTION)
    assert content is not None
    found: Dict[str, Any] = json.loads(zlib.decompress(content))
    return found


def properties(component: Dict[str, Any]) -> Dict[str, str]:
    return {one["name"].partition(":")[2]: one["value"] for one in component.get("properties", ())}


def test_the_parts_are_those_of_the_list_made_by_hand(program: Path, libc: str) -> None:
    parts = {one["bom-ref"]: one for one in sbom(program)["components"]}
    linked = {
        name for name in parts if name.partition(":")[0] not in ("wheel", "bundled", "first-party")
    }
    assert linked == {*BY_HAND, *OF_EVERY, OF_LIBC[libc]}
    sizes = {name: properties(parts[name]).get("size") for name in BY_HAND}
    for name, expected in BY_HAND.items():
        found = sizes[name]
        if expected is None:
            assert found is None
        else:
            assert int(found or 0) == pytest.approx(expected, rel=TOLERANCE, abs=200), name
    for name in linked:
        assert parts[name].get("licenses"), f"{name} has no licence"


def test_the_executable_itself_agrees(program: Path) -> None:
    components = {one["bom-ref"]: one for one in sbom(program)["components"]}
    told = json.loads(output([program, "-c", SAY], env=INTERPRETER))
    wheels = {
        name.partition(":")[2]: one["version"]
        for name, one in components.items()
        if name.startswith("wheel:")
    }
    assert wheels == told.pop("wheels")
    assert told.pop("readline") == "editline"  # which the part library:libedit is
    ncurses = told.pop("library:ncurses")
    assert components["library:ncurses"]["version"].startswith(f"{ncurses}.")
    for name, version in told.items():
        assert components[name]["version"] == version, name
    # These do not say it of themselves; the sources that toolchains/BUILD pins do.
    for name, version in OF_THE_SOURCES.items():
        assert components[name]["version"] == version, name


def test_others_read_both(program: Path) -> None:
    found = sbom(program)
    errors = JsonStrictValidator(SchemaVersion.V1_6).validate_str(json.dumps(found))
    assert errors is None
    shown = subprocess.run(
        ["readelf", "-Wn", str(program)], capture_output=True, text=True, check=True
    )
    (note,) = re.findall(r'\{"type".*\}', shown.stdout)
    assert json.loads(note) == {
        "type": "oxidized_binary",
        "name": found["metadata"]["component"]["name"],
        "architecture": "x86_64",
    }


def test_the_bill_is_not_loaded(program: Path) -> None:
    shown = subprocess.run(
        ["readelf", "-lSW", str(program)], capture_output=True, text=True, check=True
    ).stdout
    (line,) = re.findall(rf"{re.escape(SBOM_SECTION)} +PROGBITS +(.*)", shown)
    address, offset = line.split()[:2]
    assert int(address, 16) == 0
    ends = [
        int(offset, 16) + int(size, 16)
        for offset, size in re.findall(r"^ +LOAD +(\S+) +\S+ +\S+ +(\S+)", shown, re.MULTILINE)
    ]
    assert ends
    assert max(ends) <= int(offset, 16)


def test_the_libcxx_of_a_module_that_was_built_here(packages: Packaged, libc: str) -> None:
    program = packages("native_code", libc)
    parts = {one["bom-ref"]: one for one in sbom(program)["components"]}
    # The linker, which is of the same release of LLVM, leaves its version in what it links.
    say = "import re, shapes._names as it; content = open(it.__file__, 'rb').read()\n"
    say += "print(re.search(rb'Linker: LLD ([0-9.]+)', content)[1].decode())"
    linker = output([program, "-c", say], env=INTERPRETER).strip()
    assert parts["bundled:shapes/libc++"]["version"] == linker
