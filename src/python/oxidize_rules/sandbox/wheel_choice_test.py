"""Choices among files as real projects released them, of which the tags are written down here."""

from __future__ import annotations

from typing import List, Optional, Sequence

import pytest
from packaging.version import Version

from oxidize_rules.sandbox.wheel_choice import (
    Parsed,
    Release,
    Rules,
    Target,
    choose,
    explain,
    lowest_floor,
    parse_file,
)
from oxidize_rules.sandbox.wheel_index import ProjectFile

MUSL = Target("3.13.5", "x86_64-unknown-linux-musl", None)
STATIC = Target("3.13.5", "x86_64-unknown-linux-musl", None, native=False)
GNU_217 = Target("3.13.5", "x86_64-unknown-linux-gnu", "2.17")
GNU_228 = Target("3.13.5", "x86_64-unknown-linux-gnu", "2.28")

# Tags for Linux on x86_64 and Python 3.13, with some of other systems; `sdist` for an archive.
TORCH = ["cp313-cp313-manylinux_2_28_x86_64", "cp313-cp313t-manylinux_2_28_x86_64"]
SCIKIT_LEARN = [
    "cp313-cp313-manylinux2014_x86_64.manylinux_2_17_x86_64",
    "cp313-cp313t-manylinux2014_x86_64.manylinux_2_17_x86_64",
    "cp313-cp313-macosx_10_13_x86_64",
    "sdist",
]
OPENCV = [
    "cp37-abi3-manylinux2014_x86_64.manylinux_2_17_x86_64",
    "cp37-abi3-macosx_13_0_x86_64",
    "sdist",
]
ONNXRUNTIME = [
    "cp313-cp313-manylinux_2_27_x86_64.manylinux_2_28_x86_64",
    "cp313-cp313t-manylinux_2_27_x86_64.manylinux_2_28_x86_64",
]
NUMBA = [
    "cp312-cp312-manylinux2014_x86_64.manylinux_2_17_x86_64",
    "cp313-cp313-manylinux2014_x86_64.manylinux_2_17_x86_64",
    "cp313-cp313-manylinux_2_27_aarch64.manylinux_2_28_aarch64",
]
NUMPY = [
    "cp312-cp312-musllinux_1_2_x86_64",
    "cp313-cp313-macosx_14_0_x86_64",
    "cp313-cp313-manylinux_2_27_x86_64.manylinux_2_28_x86_64",
    "cp313-cp313-musllinux_1_2_aarch64",
    "cp313-cp313-musllinux_1_2_x86_64",
    "cp313-cp313t-musllinux_1_2_x86_64",
    "sdist",
]
CRYPTOGRAPHY = [
    "cp311-abi3-manylinux2014_x86_64.manylinux_2_17_x86_64",
    "cp311-abi3-manylinux_2_28_x86_64",
    "cp311-abi3-manylinux_2_34_x86_64",
    "cp311-abi3-musllinux_1_2_x86_64",
    "cp38-abi3-manylinux2014_x86_64.manylinux_2_17_x86_64",
    "cp38-abi3-manylinux_2_28_x86_64",
    "cp38-abi3-musllinux_1_2_x86_64",
    "sdist",
]
PSUTIL = [
    "cp313-cp313t-manylinux2010_x86_64.manylinux_2_12_x86_64.manylinux_2_28_x86_64",
    "cp36-abi3-manylinux2010_x86_64.manylinux_2_12_x86_64.manylinux_2_28_x86_64",
    "sdist",
]
BOTH = ["cp313-cp313-musllinux_1_2_x86_64", "py3-none-any", "sdist"]


def hash_for(tag: str) -> str:
    return tag.encode().hex().ljust(64, "0")[:64]


def release(tags: Sequence[str], hashes: Sequence[str] = (), requires_python: str = "") -> Release:
    files: List[Parsed] = []
    for tag in tags:
        name = "some_thing-1.0.tar.gz" if tag == "sdist" else f"some_thing-1.0-{tag}.whl"
        file = ProjectFile(name, f"https://index.example/{name}", hash_for(tag), requires_python)
        parsed = parse_file(file, "some-thing")
        assert parsed is not None
        files.append(parsed)
    return Release("some-thing", Version("1.0"), tuple(files), frozenset(map(hash_for, hashes)))


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
    way = explain(release(PSUTIL), MUSL, rules=only_binary).ways[-1]
    assert "resolves_to_only_binary" in way


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
    assert choose(release(BOTH, requires_python=">=3.14"), MUSL) is None
