from __future__ import annotations

from oxidize_rules.util_rules.gcc_libraries import (
    GccLibrariesRequest,
    is_enough,
    wanted_libraries,
)

GNU = "x86_64-unknown-linux-gnu"


def names(floor: str, *sonames: str, triple: str = GNU) -> list[str]:
    libraries = wanted_libraries(GccLibrariesRequest(triple, floor, sonames))
    return [library.soname for library in libraries]


def test_libstdcxx_brings_what_it_needs() -> None:
    assert names("2.28", "libstdc++.so.6", "libm.so.6") == ["libstdc++.so.6", "libgcc_s.so.1"]
    assert names("2.28", "libgcc_s.so.1") == ["libgcc_s.so.1"]
    assert names("2.28", "libz.so.1") == []


def test_a_library_above_the_floor_is_left_to_the_host() -> None:
    assert names("2.17", "libstdc++.so.6") == ["libgcc_s.so.1"]


def test_other_targets_have_none() -> None:
    assert names("2.28", "libgcc_s.so.1", triple="aarch64-unknown-linux-gnu") == []


def test_versions_that_our_libraries_have() -> None:
    assert is_enough("libstdc++.so.6", ["CXXABI_1.3.9", "GLIBCXX_3.4", "GLIBCXX_3.4.21"])
    assert is_enough("libgcc_s.so.1", ["GCC_3.0", "GCC_4.2.0"])
    assert is_enough("libstdc++.so.6", [])
    assert not is_enough("libstdc++.so.6", ["GLIBCXX_3.4.29"])
    assert not is_enough("libstdc++.so.6", ["CXXABI_1.3.13", "GLIBCXX_3.4.21"])
    assert not is_enough("libgcc_s.so.1", ["GCC_12.0.0"])
    assert not is_enough("libfoo.so.1", ["FOO_1"])
