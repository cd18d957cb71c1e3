from __future__ import annotations

import pytest

from oxidize_rules.sandbox.wheel_tags import compatible_tags, complete_platform, marker_environment

MUSL, GNU = "x86_64-unknown-linux-musl", "x86_64-unknown-linux-gnu"


@pytest.mark.parametrize("triple", [MUSL, GNU])
def test_only_tags_without_native_code(triple: str) -> None:
    tags = compatible_tags("3.13.5", triple)
    assert tags[:3] == ["cp313-none-any", "py313-none-any", "py3-none-any"]
    assert tags[3] == "py312-none-any"
    assert tags[-1] == "py30-none-any"
    assert len(tags) == len(set(tags)) == 16
    assert all(tag.endswith("-none-any") for tag in tags)


def test_markers_are_the_targets() -> None:
    markers = marker_environment("3.13.5", "aarch64-unknown-linux-gnu")
    assert markers["python_full_version"] == "3.13.5"
    assert markers["python_version"] == "3.13"
    assert markers["platform_machine"] == "aarch64"
    assert markers["sys_platform"] == "linux"


def test_complete_platform_has_what_pex_reads() -> None:
    assert set(complete_platform("3.13.5", MUSL)) == {"compatible_tags", "marker_environment"}
