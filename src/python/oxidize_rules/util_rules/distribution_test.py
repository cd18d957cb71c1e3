"""What can be checked of `python_distribution_archive` targets without fetching anything."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Dict, List

import pytest
from pants.engine.addresses import Address
from pants.engine.fs import (
    CreateDigest,
    Digest,
    DigestSubset,
    FileContent,
    PathGlobs,
    Snapshot,
)
from pants.engine.target import InvalidTargetException
from pants.testutil.rule_runner import QueryRule, RuleRunner

from oxidize_rules.distribution_targets import (
    SUPPORTED_TRIPLES,
    ArchiveSha256Field,
    ArchiveSizeField,
    ArchiveTargetTripleField,
    ArchiveUrlField,
    PythonDistributionArchiveTarget,
)
from oxidize_rules.sandbox.distribution.distribution_metadata import normalize
from oxidize_rules.sandbox.distribution.testing_archives import STDLIB, named_files, python_json
from oxidize_rules.util_rules.distribution import (
    check_object_format,
    download_name,
    globs_of_tests,
    interpreter_globs,
    names_a_target,
    stdlib_globs,
)
from oxidize_rules.util_rules.sandbox_program import OxidizeError

REPOSITORY = Path(__file__).resolve().parents[4]
URL = "https://example.org/cpython-full.tar.zst"
SHA256 = "0123456789abcdef" * 4


def target(**fields: Any) -> PythonDistributionArchiveTarget:
    made = PythonDistributionArchiveTarget(fields, Address("dists", target_name="python"))
    made.validate()
    return made


def test_whole_targets() -> None:
    assert target(url=URL, sha256=SHA256, size=5)[ArchiveSizeField].value == 5
    assert target(url="http://localhost:80/x", sha256=SHA256)[ArchiveSizeField].value is None
    for source in ("a.tar.zst", "sub/a.tar.zst", ":built", "//dists:built", "../other:built"):
        target(source=source)
        target(source=source, sha256=SHA256, target_triple=SUPPORTED_TRIPLES[0])


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({}, "sets neither of `url` and `source`, but exactly one is expected.*set one of them"),
        (
            {"url": URL, "sha256": SHA256, "source": "a"},
            "sets both of `url` and `source`.*remove one of them",
        ),
        ({"url": URL}, "has a `url` but no `sha256`: a download must be pinned.*SHA256SUMS"),
    ],
)
def test_fields_together(fields: Dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidTargetException) as caught:
        target(**fields)
    text = " ".join(str(caught.value).split())
    assert "`python_distribution_archive` target dists:python" in text
    assert re.search(message, text)


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("url", "ftp://example.org/x", "begins with `https://` or `http://` is expected"),
        ("url", "dists/cpython.tar.zst", "in the repository use the `source` field"),
        ("url", "https://example.org", "give the whole URL"),
        ("sha256", SHA256.upper(), "but 64 lower-case hexadecimal digits are expected"),
        ("sha256", SHA256[1:], "but 64 lower-case hexadecimal digits are expected"),
        ("sha256", f"sha256:{SHA256}", "but 64 lower-case hexadecimal digits are expected"),
        ("size", 0, "but a number of bytes above 0 is expected"),
        ("size", -5, "but a number of bytes above 0 is expected"),
        ("size", "5", "must be an integer"),
        ("source", "/a.tar.zst", "beside the BUILD file or below it is expected"),
        ("source", "../a.tar.zst", "name the address of a `file` target"),
        ("source", "..", "beside the BUILD file"),
        ("source", "./", "beside the BUILD file"),
        ("target_triple", "riscv64-unknown-linux-gnu", "x86_64-unknown-linux-musl"),
    ],
)
def test_fields(field: str, value: Any, message: str) -> None:
    with pytest.raises(InvalidTargetException) as caught:
        target(**{field: value})
    text = " ".join(str(caught.value).split())
    assert "dists:python" in text
    assert f"`{field}`" in text or f"'{field}'" in text
    assert str(value) in text
    assert message in text


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("cpython.tar.zst", False),
        ("folder/cpython.tar.zst", False),
        (":built", True),
        ("folder:built", True),
        ("//folder:built", True),
        ("//folder", True),
    ],
)
def test_names_a_target(source: str, expected: bool) -> None:
    assert names_a_target(source) is expected


@pytest.mark.parametrize(
    ("url", "name"),
    [
        (f"{URL}?token=/a/b#c", "cpython-full.tar.zst"),
        (
            "https://h/cpython-3.13.15%2B20260901-full.tar.zst",
            "cpython-3.13.15+20260901-full.tar.zst",
        ),
        ("https://h/x%2Fy/a b", "a_b"),
        ("https://h/x/", "x"),
        ("https://h/..", "distribution.tar.zst"),
        ("https://h/-rf", "rf"),
    ],
)
def test_download_names(url: str, name: str) -> None:
    assert download_name(url) == name


@pytest.mark.parametrize(
    ("object_format", "llvm"),
    [("elf", "1.0"), ("llvm-bitcode:22.1.3", "22.1.0"), ("llvm-bitcode:9.0.1", "22.1.8")],
)
def test_objects_that_the_toolchain_reads(object_format: str, llvm: str) -> None:
    check_object_format("//dists:python", object_format, llvm)


def test_bitcode_of_a_newer_llvm() -> None:
    with pytest.raises(OxidizeError) as caught:
        check_object_format("//dists:python", "llvm-bitcode:23.1.0", "22.1.8")
    assert str(caught.value) == (
        "//dists:python: its objects are bitcode of LLVM 23.1.0, found a toolchain with LLVM "
        "22.1.8, expected LLVM 23 or newer. To fix, use an archive with ELF objects (build option "
        "`noopt+static`), or a newer `[oxidize-zig].version`."
    )


@pytest.fixture(scope="module")
def runner() -> RuleRunner:
    return RuleRunner(
        rules=[QueryRule(Snapshot, [DigestSubset])],
        target_types=[PythonDistributionArchiveTarget],
    )


def test_parts_of_a_distribution(runner: RuleRunner) -> None:
    content = python_json()
    files = [
        *named_files(content),
        f"{STDLIB}/__pycache__/os.cpython-313.pyc",
        f"{STDLIB}/encodings/__pycache__/x.cpython-313.pyc",
        f"{STDLIB}/lib-dynload/.empty",
    ]
    digest = runner.request(Digest, [CreateDigest([FileContent(name, b"") for name in files])])

    def chosen(globs: PathGlobs) -> List[str]:
        return list(runner.request(Snapshot, [DigestSubset(digest, globs)]).files)

    metadata = normalize(content, files)
    modules = [f"{STDLIB}/encodings/__init__.py", f"{STDLIB}/os.py"]
    assert chosen(interpreter_globs(metadata)) == ["install/bin/python3.13", *modules]
    assert chosen(stdlib_globs(metadata)) == modules
    assert chosen(PathGlobs(globs_of_tests(metadata))) == [f"{STDLIB}/test/__init__.py"]


def test_pinned_releases(runner: RuleRunner) -> None:
    """The BUILD file's targets are valid, for each machine and C library, and their URLs name what
    their other fields say."""
    build = (REPOSITORY / "toolchains/releases/BUILD").read_text()
    runner.write_files({"releases/BUILD": build})
    names = re.findall(r'^    name="(.*)",$', build, re.MULTILINE)
    assert len(names) == len(set(names)) >= 8
    triples, hashes = set(), set()
    for name in names:
        made = runner.get_target(Address("releases", target_name=name))
        url, triple = made[ArchiveUrlField].value, made[ArchiveTargetTripleField].value
        match = re.fullmatch(
            r"https://github\.com/astral-sh/python-build-standalone/releases/download/(\d{8})/"
            r"cpython-(3\.\d+)\.\d+%2B(\d{8})-([\w-]+?)-((?:noopt|lto|pgo)(?:%2B\w+)*)-full\.tar\.zst",
            url or "",
        )
        assert match, url
        assert match[1] == match[3]
        assert name.startswith(f"python{match[2]}-")
        assert match[4] == triple
        assert (match[5] == "pgo%2Blto") == str(triple).endswith("-gnu")
        triples.add(triple)
        hashes.add(made[ArchiveSha256Field].value)
    assert triples == set(SUPPORTED_TRIPLES)
    assert len(hashes) == len(names)
