"""What is said of files as real projects released them."""

from __future__ import annotations

from typing import Sequence

import pytest

from oxidize_rules.sandbox.wheels.testing_wheels import (
    BOTH,
    CRYPTOGRAPHY,
    GNU_217,
    GNU_228,
    MUSL,
    NUMBA,
    NUMPY,
    ONNXRUNTIME,
    OPENCV,
    PSUTIL,
    SCIKIT_LEARN,
    STATIC,
    TORCH,
    hash_for,
    release,
)
from oxidize_rules.sandbox.wheels.wheel_choice import Rules, Target
from oxidize_rules.sandbox.wheels.wheel_unfit import explain, lowest_floor


def test_lowest_floor() -> None:
    floors = [lowest_floor(one, MUSL) for one in release(CRYPTOGRAPHY).files]
    assert floors == ["2.17", "2.28", "2.34", None, "2.17", "2.28", None, None]
    assert lowest_floor(release(["cp313-cp313-manylinux_2_17_aarch64"]).files[0], MUSL) is None
    assert lowest_floor(release(["cp312-cp312-manylinux_2_17_x86_64"]).files[0], MUSL) is None
    assert lowest_floor(release(["cp313-cp313-manylinux1_x86_64"]).files[0], MUSL) == "2.5"


TRIPLE_WAY = 'set `target_triple="x86_64-unknown-linux-gnu"`'


@pytest.mark.parametrize(
    ("tags", "target", "found", "ways"),
    [
        (TORCH, MUSL, ["`cp313-cp313-manylinux_2_28_x86_64`", "no source archive"], [TRIPLE_WAY]),
        (TORCH, MUSL, [], ['`glibc_floor="2.28"`']),
        (TORCH, GNU_217, [], ['set `glibc_floor="2.28"` or higher', "run with 2.17"]),
        (ONNXRUNTIME, GNU_217, [], ['set `glibc_floor="2.27"`']),
        (NUMBA, MUSL, ["other systems or versions"], [TRIPLE_WAY]),
        (SCIKIT_LEARN, MUSL, [], [TRIPLE_WAY]),
        (OPENCV, MUSL, [], [TRIPLE_WAY]),
        (NUMPY, STATIC, [], ['remove `dynamic_loading="never"`']),
        (
            ["cp313-cp313-musllinux_1_2_x86_64"],
            GNU_228,
            ["`cp313-cp313-musllinux_1_2_x86_64`"],
            ['set `target_triple="x86_64-unknown-linux-musl"`'],
        ),
        (
            ["cp311-cp311-musllinux_1_2_x86_64", "cp312-cp312-win_amd64"],
            MUSL,
            ["`cp311-cp311-musllinux_1_2_x86_64`, `cp312-cp312-win_amd64`"],
            ["its wheels are for Python 3.11, 3.12, and the binary has 3.13"],
        ),
        ([], MUSL, ["no file of this version"], []),
    ],
)
def test_explanations(
    tags: Sequence[str], target: Target, found: Sequence[str], ways: Sequence[str]
) -> None:
    unfit = explain(release(tags), target)
    assert unfit.package == "some-thing 1.0"
    for part in found:
        assert part in unfit.found
    for part in ways:
        assert part in "\n".join(unfit.ways)
    if not ways:
        assert unfit.ways == ()


def test_no_other_floor_where_the_old_one_is_enough() -> None:
    ways = " ".join(explain(release(SCIKIT_LEARN), MUSL).ways)
    assert TRIPLE_WAY in ways
    assert "glibc_floor" not in ways


def test_explanation_of_rust() -> None:
    unfit = explain(release(["sdist"]), MUSL, rust="it is built by maturin")
    assert "a source archive that needs Rust (it is built by maturin)" in unfit.found
    assert unfit.ways == ("it needs a wheel, since Rust is not compiled here",)


def test_explanation_of_a_wrong_hash() -> None:
    unfit = explain(release(NUMPY, ["other"]), MUSL, lock="the lock file `l.txt`")
    assert "wrong hash of `some_thing-1.0-cp313-cp313-musllinux_1_2_x86_64.whl`" in unfit.found
    assert hash_for(NUMPY[4]) in unfit.found
    assert hash_for("other") in unfit.found
    assert "the lock file `l.txt`" in unfit.found


def test_explanation_of_another_python() -> None:
    unfit = explain(release(BOTH, requires_python=">=3.14"), MUSL, fitting_versions=["0.9", "0.8"])
    assert any("needs Python >=3.14" in way and "3.13.5" in way for way in unfit.ways)
    assert unfit.ways[-1] == "lock version 0.9, 0.8, which has a fitting wheel"


def test_rules_that_leave_nothing() -> None:
    only_binary, no_binary = (
        Rules(only_binary=frozenset({":all:"})),
        Rules(frozenset(), frozenset({"some-thing"})),
    )
    assert "resolves_to_only_binary" in explain(release(PSUTIL), MUSL, rules=only_binary).ways[-1]
    assert "resolves_to_no_binary" in explain(release(NUMBA), MUSL, rules=no_binary).ways[-1]
