"""The names of a component, and of a part of an inventory."""

from __future__ import annotations

from typing import Any

import pytest

from oxidize_rules.sandbox.reports.component_names import (
    SAME,
    canonical,
    is_called,
    names_of,
    repository_name,
    spelled,
)


def part(identifier: str, name: str = "", purl: str | None = None) -> dict[str, Any]:
    kind, _, rest = identifier.partition(":")
    return {"id": identifier, "kind": kind, "name": name or rest, "purl": purl}


def test_no_name_means_two_components() -> None:
    names = [spelled(name) for row in SAME for name in row]
    assert len(names) == len(set(names))


@pytest.mark.parametrize(
    ("identifier", "name", "expected"),
    [
        ("library:openssl", "openssl", True),
        ("library:openssl", "OpenSSL", True),
        ("library:openssl", "libcrypto", True),
        ("library:openssl", "library:openssl", True),
        ("library:openssl", "bundled:openssl", False),
        ("library:openssl", "open*", True),
        ("library:openssl", "boringssl", False),
        ("bundled:cryptography/libssl-1a2b3c4d", "openssl", True),
        ("bundled:psycopg/libcrypto", "bundled:openssl", True),
        ("bundled:numpy/libscipy_openblas64_", "libscipy-openblas64", True),
        ("bundled:numpy/libscipy_openblas64_", "*openblas*", True),
        ("interpreter:cpython", "python", True),
        ("vendored:expat", "libexpat", True),
        ("wheel:PyYAML", "pyyaml", True),
        ("wheel:ruamel.yaml", "ruamel-yaml", True),
        # The wheel is another thing than the library of that name, and has other versions.
        ("wheel:zstandard", "zstandard", True),
        ("wheel:zstandard", "zstd", False),
        ("library:zstd", "zstandard", True),
        ("first-party://app:bin", "first-party://app:bin", True),
        # A colon that ends no kind belongs to the name.
        ("library:openssl", "lib:openssl", False),
    ],
)
def test_names(identifier: str, name: str, expected: bool) -> None:
    assert is_called(part(identifier), name) is expected


def test_a_crate_is_not_the_library_that_it_binds() -> None:
    crate = part("bundled:cryptography/openssl@0.10.75", "openssl", "pkg:cargo/openssl@0.10.75")
    assert is_called(crate, "crate:openssl")
    assert not is_called(crate, "openssl")
    assert not is_called(crate, "libssl")
    other = part("bundled:polars-runtime-32/tokio", "tokio", "pkg:cargo/tokio@1")
    assert is_called(other, "tokio")
    assert is_called(other, "crate:tok*")
    library = part("bundled:cryptography/openssl@4.0.3", "openssl", "pkg:generic/openssl@4.0.3")
    assert is_called(library, "openssl")
    assert is_called(library, "libssl")


def test_a_copy_of_a_python_project_is_a_python_project() -> None:
    copy = part("bundled:thing/zstandard", "zstandard", "pkg:pypi/zstandard@0.25")
    assert is_called(copy, "zstandard")
    assert not is_called(copy, "zstd")


def test_the_hash_that_auditwheel_adds_is_no_name() -> None:
    assert "libgfortran" in names_of(part("bundled:numpy/libgfortran-040039e1"))


def test_repositories() -> None:
    assert repository_name("https://github.com/python/cpython") == "cpython"
    assert repository_name("https://github.com/libexpat/libexpat.git") == "expat"
    assert repository_name("https://github.com/tukaani-project/xz/") == canonical("liblzma")
