from __future__ import annotations

from oxidize_rules.sandbox.parts.bundled_libraries import ROWS, bundled_file
from oxidize_rules.sandbox.parts.license_expressions import normalize


def test_the_table_of_libraries() -> None:
    for row in ROWS:
        assert normalize(row.license) == row.license, row.name
        assert row.source
        if row.older and row.older[1]:
            assert normalize(row.older[1]) == row.older[1]
    file = bundled_file("x.libs/libstdc++-1a2b3c4d.so.6.0.30")
    assert file is not None
    assert file.row is not None
    assert (file.stem, file.numbers, file.row.name) == ("libstdc++", "6.0.30", "gcc")
    assert bundled_file("x/libstdc++.txt") is None
    assert bundled_file("x/ext.cpython-313-x86_64-linux-gnu.so") is None


def test_licences_by_the_numbers_of_a_file() -> None:
    found = {}
    for name in ("libssl.so.1.1", "libssl.so.3", "libssl.so", "libpng16.so.16.58.0"):
        file = bundled_file(f"x.libs/{name}")
        assert file is not None
        assert file.row is not None
        found[name] = file.row.license_of(file.numbers)
    assert found == {
        "libssl.so.1.1": "OpenSSL",
        "libssl.so.3": "Apache-2.0",
        "libssl.so": None,
        "libpng16.so.16.58.0": "libpng-2.0",
    }
