from __future__ import annotations

from itertools import groupby
from typing import List, Optional, Sequence

import pytest
from packaging import tags as packaging_tags

from oxidize_rules.sandbox.wheels.wheel_tags import (
    compatible_tags,
    marker_environment,
    platform_tags,
)

MUSL, GNU = "x86_64-unknown-linux-musl", "x86_64-unknown-linux-gnu"


@pytest.mark.parametrize("triple", [MUSL, GNU])
def test_without_loading_only_tags_without_native_code(triple: str) -> None:
    tags = compatible_tags("3.13.5", triple, native=False)
    assert tags[:3] == ["cp313-none-any", "py313-none-any", "py3-none-any"]
    assert tags[3] == "py312-none-any"
    assert tags[-1] == "py30-none-any"
    assert len(tags) == len(set(tags)) == 16
    assert all(tag.endswith("-none-any") for tag in tags)


def test_platforms_of_musl() -> None:
    assert platform_tags(MUSL) == [
        "musllinux_1_2_x86_64",
        "musllinux_1_1_x86_64",
        "musllinux_1_0_x86_64",
        "linux_x86_64",
    ]


def test_platforms_of_glibc() -> None:
    assert platform_tags(GNU, "2.17") == platform_tags(GNU)
    assert platform_tags(GNU, "2.17")[:3] == [
        "manylinux_2_17_x86_64",
        "manylinux2014_x86_64",
        "manylinux_2_16_x86_64",
    ]
    assert platform_tags(GNU, "2.17")[-3:] == [
        "manylinux_2_5_x86_64",
        "manylinux1_x86_64",
        "linux_x86_64",
    ]
    newer = platform_tags(GNU, "2.28")
    assert newer[0] == "manylinux_2_28_x86_64"
    assert newer[11:] == platform_tags(GNU, "2.17")
    assert "manylinux2010_x86_64" in newer
    assert platform_tags("aarch64-unknown-linux-gnu", "2.17") == [
        "manylinux_2_17_aarch64",
        "manylinux2014_aarch64",
        "linux_aarch64",
    ]


@pytest.mark.parametrize(
    ("triple", "floor"), [(MUSL, None), (GNU, "2.17"), (GNU, "2.28"), (GNU, None)]
)
@pytest.mark.parametrize("version", [(3, 13), (3, 10)])
def test_the_order_is_that_of_packaging(
    triple: str, floor: Optional[str], version: Sequence[int]
) -> None:
    platforms = platform_tags(triple, floor)
    interpreter = f"cp{version[0]}{version[1]}"
    expected = [
        *packaging_tags.cpython_tags(version, [interpreter], platforms),
        *packaging_tags.compatible_tags(version, interpreter, platforms),
    ]
    found = compatible_tags(".".join(str(part) for part in version), triple, floor)
    assert found == [str(tag) for tag in expected]
    assert len(found) == len(set(found))


def test_every_stable_abi_up_to_the_interpreters() -> None:
    tags = compatible_tags("3.13.5", MUSL)
    kinds: List[str] = [kind for kind, _ in groupby(tag.rsplit("-", 1)[0] for tag in tags)]
    assert kinds[:4] == ["cp313-cp313", "cp313-abi3", "cp313-none", "cp312-abi3"]
    assert [kind for kind in kinds if "abi3" in kind][-1] == "cp32-abi3"
    assert "cp314-abi3" not in kinds
    assert "cp312-cp312" not in kinds


def test_markers_are_the_targets() -> None:
    markers = marker_environment("3.13.5", "aarch64-unknown-linux-gnu")
    assert markers["python_full_version"] == "3.13.5"
    assert markers["python_version"] == "3.13"
    assert markers["platform_machine"] == "aarch64"
    assert markers["sys_platform"] == "linux"
