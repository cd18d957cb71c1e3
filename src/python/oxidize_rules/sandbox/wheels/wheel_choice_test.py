"""Choices among files as real projects released them."""

from __future__ import annotations

from typing import Optional, Sequence

import pytest
from packaging.version import Version

from oxidize_rules.sandbox.wheels.index_page import ProjectFile
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
    release,
)
from oxidize_rules.sandbox.wheels.wheel_choice import (
    Parsed,
    Release,
    Rules,
    Target,
    choose,
    parse_file,
)


def tag_of(parsed: Optional[Parsed]) -> Optional[str]:
    if parsed is None:
        return None
    name = parsed.file.filename
    return name[len("some_thing-1.0-") : -len(".whl")] if parsed.is_wheel else "sdist"


@pytest.mark.parametrize(
    ("tags", "target", "expected"),
    [
        (TORCH, MUSL, None),
        (TORCH, GNU_217, None),
        (TORCH, GNU_228, TORCH[0]),
        (SCIKIT_LEARN, MUSL, "sdist"),
        (SCIKIT_LEARN, GNU_217, SCIKIT_LEARN[0]),
        (OPENCV, GNU_217, OPENCV[0]),
        (OPENCV, MUSL, "sdist"),
        (ONNXRUNTIME, GNU_228, ONNXRUNTIME[0]),
        (ONNXRUNTIME, GNU_217, None),
        (NUMBA, GNU_217, NUMBA[1]),
        (NUMPY, MUSL, NUMPY[4]),
        (NUMPY, GNU_217, "sdist"),
        (NUMPY, GNU_228, NUMPY[2]),
        (CRYPTOGRAPHY, MUSL, CRYPTOGRAPHY[3]),
        (CRYPTOGRAPHY, GNU_217, CRYPTOGRAPHY[0]),
        (CRYPTOGRAPHY, GNU_228, CRYPTOGRAPHY[1]),
        (PSUTIL, MUSL, "sdist"),
        (PSUTIL, GNU_217, PSUTIL[1]),
        (BOTH, MUSL, BOTH[0]),
        (BOTH, STATIC, BOTH[1]),
        (BOTH, GNU_217, BOTH[1]),
        (NUMPY, STATIC, None),  # not its archive: it would only be known after building it
        (["sdist"], STATIC, "sdist"),
        (["py2-none-any", "cp312-cp312-musllinux_1_2_x86_64"], MUSL, None),
    ],
)
def test_choice(tags: Sequence[str], target: Target, expected: Optional[str]) -> None:
    assert tag_of(choose(release(tags), target)) == expected
    assert tag_of(choose(release(tags[::-1]), target)) == expected


def test_only_what_the_lock_file_allows() -> None:
    assert tag_of(choose(release(NUMPY, [NUMPY[4], "sdist"]), MUSL)) == NUMPY[4]
    assert tag_of(choose(release(NUMPY, [NUMPY[2], "sdist"]), MUSL)) == "sdist"
    assert choose(release(NUMPY, [NUMPY[2]]), MUSL) is None


def test_hashes_are_asked_of_fitting_files_alone() -> None:
    asked = []

    def hash_of(file: ProjectFile) -> str:
        asked.append(file.filename)
        return str(file.sha256)

    found = choose(release(NUMPY, [NUMPY[4]]), MUSL, hash_of=hash_of)
    assert found is not None
    assert asked == [found.file.filename]


def test_rules_of_the_resolve() -> None:
    no_binary = Rules(no_binary=frozenset({"some-thing"}))
    only_binary = Rules(only_binary=frozenset({":all:"}))
    assert tag_of(choose(release(NUMPY), MUSL, no_binary)) == "sdist"
    assert choose(release(PSUTIL), MUSL, only_binary) is None


def test_another_python() -> None:
    assert choose(release(BOTH, requires_python=">=3.14"), MUSL) is None


def test_the_highest_build_number() -> None:
    names = ["2", "10", "9_x"]
    files = [
        parse_file(
            ProjectFile(f"some_thing-1.0-{name}-py3-none-any.whl", "https://index.example/x"),
            "some-thing",
        )
        for name in names
    ]
    one = Release("some-thing", Version("1.0"), tuple(file for file in files if file))
    found = choose(one, MUSL)
    assert found is not None
    assert found.file.filename == "some_thing-1.0-10-py3-none-any.whl"


@pytest.mark.parametrize(
    ("filename", "project", "version"),
    [
        ("zope.interface-5.0.tar.gz", "zope-interface", "5.0"),
        ("a-b-1.0.zip", "a-b", "1.0"),
        ("a-b-1.0.zip", "a", None),
        ("a_b-1.0rc1.tar.bz2", "a-b", "1.0rc1"),
        ("a-1.0-py3-none-any.whl", "a", "1.0"),
        ("a-1.0-py3-none-any.whl", "b", None),
        ("a-1.0-py3.whl", "a", None),
        ("a-1.0.exe", "a", None),
        ("a-latest.tar.gz", "a", None),
    ],
)
def test_names_of_files(filename: str, project: str, version: Optional[str]) -> None:
    parsed = parse_file(ProjectFile(filename, f"https://index.example/{filename}"), project)
    assert (parsed and str(parsed.version)) == version
