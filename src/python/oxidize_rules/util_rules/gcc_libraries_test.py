from __future__ import annotations

from oxidize_rules.util_rules.gcc_libraries import GccLibrariesRequest, wanted_libraries

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
