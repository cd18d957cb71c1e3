from __future__ import annotations

from typing import Any, Mapping, Sequence

import pytest

from oxidize_rules.sandbox.analysis import analyze_identity
from oxidize_rules.sandbox.analysis.analyze_file import ElfInput
from oxidize_rules.sandbox.analysis.analyze_needs import describe, number
from oxidize_rules.sandbox.analysis.glibc_hosts import (
    GLIBC_HOSTS,
    GLIBC_RELEASED,
    SOURCES,
    SPECIAL_VERSIONS,
)
from oxidize_rules.sandbox.analysis.testing_analyze import AARCH64, PPC64, elf

Versions = Mapping[str, Mapping[str, Sequence[str]]]


def needs(content: bytes) -> dict[str, Any]:
    file = ElfInput(content)
    found = describe(file, analyze_identity.describe(file))
    assert file.problems == []
    return found


def floor(versions: Versions, **options: Any) -> tuple[str | None, list[str]]:
    found = needs(elf(versions=versions, **options))
    return found["glibc_floor"], found["floor_because"]


def test_the_floor_is_the_highest_version_with_the_symbols_that_cause_it() -> None:
    versions = {
        "libc.so.6": {"GLIBC_2.2.5": ["printf", "puts"], "GLIBC_2.9": ["pipe2"]},
        "libm.so.6": {"GLIBC_2.29": ["pow", "exp"], "GLIBC_2.3.4": []},
    }
    assert floor(versions) == ("2.29", ["exp (libm.so.6)", "pow (libm.so.6)"])


def test_versions_are_compared_as_numbers() -> None:
    assert floor({"libc.so.6": {"GLIBC_2.9": ["a"], "GLIBC_2.10": ["b"]}})[0] == "2.10"
    assert floor({"libc.so.6": {"GLIBC_2.3.4": ["a"], "GLIBC_2.3": ["b"]}})[0] == "2.3.4"


def test_a_version_that_no_symbol_uses_counts() -> None:
    """The loader asks for every version node."""
    found = floor({"libc.so.6": {"GLIBC_2.2.5": ["printf"], "GLIBC_2.38": []}})
    assert found == ("2.38", ["version GLIBC_2.38 of libc.so.6, which no symbol uses"])


def test_versions_that_are_no_numbers() -> None:
    found = needs(
        elf(
            versions={
                "libc.so.6": {
                    "GLIBC_2.17": ["secure_getenv"],
                    "GLIBC_ABI_DT_RELR": [],
                    "GLIBC_PRIVATE": ["__libc_early_init"],
                    "GLIBC_ABI_OF_TOMORROW": [],
                }
            }
        )
    )
    assert found["glibc_floor"] == "2.36"
    assert found["floor_because"] == ["GLIBC_ABI_DT_RELR (libc.so.6)"]
    special = {one["version"]: one for one in found["special_versions"]}
    assert special["GLIBC_ABI_DT_RELR"]["glibc"] == "2.36"
    assert special["GLIBC_PRIVATE"]["glibc"] is None
    assert special["GLIBC_PRIVATE"]["symbols"] == ["__libc_early_init"]
    assert special["GLIBC_ABI_OF_TOMORROW"]["meaning"] == "not known to this tool"


def test_packed_relocations_need_a_loader_that_knows_them_asked_for_or_not() -> None:
    versions = {"libc.so.6": {"GLIBC_2.4": ["x"]}}
    assert floor(versions)[0] == "2.4"
    assert floor(versions, relr=True)[0] == "2.36"
    # A static executable relocates itself.
    assert floor({}, relr=True, needed=(), interpreter="") == (None, [])


@pytest.mark.parametrize("bits", [32, 64])
@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("sections", [True, False])
def test_both_widths_and_byte_orders_with_and_without_section_headers(
    bits: int, order: str, sections: bool
) -> None:
    found = needs(
        elf(
            bits=bits,
            order=order,
            machine=PPC64,
            sections=sections,
            needed=("libc.so.6", "libz.so.1"),
            runpath="$ORIGIN/lib",
            versions={"libc.so.6": {"GLIBC_2.34": ["stat"]}},
        )
    )
    assert found["glibc_floor"] == "2.34"
    assert found["floor_because"] == ["stat (libc.so.6)"]
    assert found["runpath"] == ["$ORIGIN/lib"]
    assert found["needed"] == [
        {"name": "libc.so.6", "glibc": True, "lsb_core": True},
        {"name": "libz.so.1", "glibc": False, "lsb_core": True},
    ]
    assert found["hosts"]["extra"] == ["libz.so.1"]


def hosts(content: bytes) -> dict[str, Any]:
    found: dict[str, Any] = needs(content)["hosts"]
    return found


def test_distributions_by_the_floor() -> None:
    found = hosts(elf(versions={"libc.so.6": {"GLIBC_2.28": ["fcntl64"]}}))
    assert found["runs"]["Debian"] == ["10", "11", "12", "13"]
    assert found["not"]["Debian"] == ["7", "8", "9"]
    assert found["runs"]["RHEL, CentOS, Alma, Rocky, Oracle"][0] == "8"
    assert found["runs"]["Arch Linux"] == ["upgraded two months after 2018-08 or later"]
    assert found["not"]["Alpine Linux"] == ["every release (musl)"]


def test_a_glibc_of_the_future_runs_nowhere() -> None:
    found = hosts(elf(versions={"libc.so.6": {"GLIBC_2.99": ["x"]}}))
    assert found["runs"] == {}
    assert "Arch Linux" in found["not"]


def test_what_needs_no_library_runs_everywhere() -> None:
    found = hosts(elf(needed=(), interpreter="", machine=AARCH64))
    assert found["words"] == "every Linux for aarch64: it needs no library"
    assert found["runs"] == {}


@pytest.mark.parametrize(
    ("interpreter", "needed", "libc", "words"),
    [
        ("/lib/ld-musl-x86_64.so.1", "libc.musl-x86_64.so.1", "musl", "Alpine Linux"),
        ("/lib/ld-uClibc.so.0", "libc.so.0", "uClibc", "systems with uClibc"),
        ("/system/bin/linker64", "libc.so", "Android's bionic", "Android"),
        ("/libexec/ld-elf.so.1", "libc.so.7", "FreeBSD's libc", "FreeBSD"),
        ("", "libc.so.6", "glibc", "glibc"),
    ],
)
def test_the_c_library(interpreter: str, needed: str, libc: str, words: str) -> None:
    found = needs(elf(interpreter=interpreter, needed=(needed,), soname="libx.so"))
    assert found["libc"] == libc
    assert words in found["hosts"]["words"]


def test_each_familys_releases_are_in_order_and_have_a_source() -> None:
    families: dict[str, list[tuple[int, ...]]] = {}
    for family, _, glibc in GLIBC_HOSTS:
        families.setdefault(family, []).append(number(glibc))
    for family, versions in families.items():
        assert versions == sorted(versions), family
        assert family in SOURCES
    # Each glibc that a row names has a date, and dates follow the versions.
    assert {glibc for _, _, glibc in GLIBC_HOSTS} <= set(GLIBC_RELEASED)
    dates = [GLIBC_RELEASED[one] for one in sorted(GLIBC_RELEASED, key=number)]
    assert dates == sorted(dates)
    assert all(source for _, _, source in SPECIAL_VERSIONS.values())
