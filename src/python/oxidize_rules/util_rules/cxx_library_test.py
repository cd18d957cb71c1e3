from __future__ import annotations

import pytest

from oxidize_rules.util_rules.cxx_library import version_of_header


@pytest.mark.parametrize(
    ("line", "version"),
    [
        ("#  define _LIBCPP_VERSION 220108", "22.1.8"),
        ("# define _LIBCPP_VERSION 160006", "16.0.6"),
        # Until LLVM 15 the digits were other ones.
        ("# define _LIBCPP_VERSION 15007", None),
        ("// _LIBCPP_VERSION represents the version of libc++", None),
        ("", None),
    ],
)
def test_version_of_libcxx(line: str, version: str | None) -> None:
    assert version_of_header(f"#ifdef __cplusplus\n{line}\n#endif\n") == version
