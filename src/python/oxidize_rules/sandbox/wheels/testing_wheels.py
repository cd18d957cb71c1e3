"""Releases for tests: files as real projects had them, of which the tags are written down here."""

from __future__ import annotations

from typing import List, Sequence

from packaging.version import Version

from oxidize_rules.sandbox.wheels.index_page import ProjectFile
from oxidize_rules.sandbox.wheels.wheel_choice import Parsed, Release, Target, parse_file

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
