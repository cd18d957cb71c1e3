from __future__ import annotations

from typing import Any

import pytest
from pants.engine.addresses import Address
from pants.engine.target import InvalidFieldException, InvalidTargetException, Target

from oxidize_rules.native_targets import PythonDistributionBuildTarget, SourceArchiveTarget

ADDRESS = Address("toolchains", target_name="it")
SHA256 = "0" * 64
BUILD = {"source": ":source", "recipe": "build.sh"}


@pytest.mark.parametrize(
    ("target_type", "fields", "message"),
    [
        (
            SourceArchiveTarget,
            {"sha256": "ABC"},
            "`sha256` field of the `source_archive` target toolchains:it is `ABC`",
        ),
        (
            SourceArchiveTarget,
            {"sha256": SHA256, "size": 0},
            "`size` field of the `source_archive` target toolchains:it is `0`",
        ),
        (
            SourceArchiveTarget,
            {"sha256": SHA256, "debian": "/etc/passwd"},
            "`debian` field of toolchains:it is '/etc/passwd'",
        ),
        (
            PythonDistributionBuildTarget,
            {**BUILD, "target_triple": "x86_64-apple-darwin"},
            "'target_triple' field in target toolchains:it",
        ),
        (
            PythonDistributionBuildTarget,
            {**BUILD, "target_triple": "x86_64-unknown-linux-gnu"},
            "toolchains:it: `glibc_floor` is missing",
        ),
        (
            PythonDistributionBuildTarget,
            {**BUILD, "target_triple": "x86_64-unknown-linux-gnu", "glibc_floor": "2.17.1"},
            "`glibc_floor` field of toolchains:it is '2.17.1'",
        ),
        (
            PythonDistributionBuildTarget,
            {**BUILD, "target_triple": "x86_64-unknown-linux-musl", "glibc_floor": "2.17"},
            "toolchains:it: `glibc_floor` is '2.17', but",
        ),
    ],
)
def test_refuses(target_type: type[Target], fields: dict[str, Any], message: str) -> None:
    with pytest.raises((InvalidFieldException, InvalidTargetException), match=message):
        target_type(fields, ADDRESS)


def test_accepts() -> None:
    SourceArchiveTarget(
        {"sha256": SHA256, "size": 1, "debian": "pool/main/z/zlib/z.tar.gz"}, ADDRESS
    )
    PythonDistributionBuildTarget(
        {**BUILD, "target_triple": "x86_64-unknown-linux-gnu", "glibc_floor": "2.17"}, ADDRESS
    )
