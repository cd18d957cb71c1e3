"""The report about distributions: what each key and each line tells."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Dict, List, Optional

import pytest

from oxidize_rules.sandbox.errors import UserError
from oxidize_rules.sandbox.parts.facts import new_part
from oxidize_rules.sandbox.reports import distribution_report


def extension(name: str, *archives: str, **fields: Any) -> Dict[str, Any]:
    return {
        "name": name,
        "objects": [f"build/Modules/{name}.o"],
        "static_libraries": list(archives),
        "system_libraries": [],
        "required": False,
        "in_core": False,
        **fields,
    }


OPENSSL = ("build/lib/libssl.a", "build/lib/libcrypto.a")
EXTENSIONS = (
    extension("_ssl", *OPENSSL),
    extension("_hashlib", OPENSSL[1]),
    extension("_io", required=True),
    extension("sys", in_core=True, objects=[]),
    extension("_dbm", "build/lib/libdb.a"),
    extension("_odd", "build/lib/libodd.a", system_libraries=["m"]),
    extension("_sha2", objects=["build/Modules/sha2module.o", "build/Modules/_hacl/SHA2.o"]),
)
PARTS = (
    new_part("interpreter:cpython", "CPython", version="3.13.5", license="Python-2.0"),
    new_part("library:bdb", "Berkeley DB", license="Sleepycat", archives=["build/lib/libdb.a"]),
    new_part(
        "library:openssl", "OpenSSL", version="3.5.5", license="Apache-2.0", archives=list(OPENSSL)
    ),
    new_part(
        "vendored:hacl-star",
        "HACL*",
        license="MIT OR Apache-2.0",
        objects=["build/Modules/_hacl/*.o"],
    ),
    new_part("vendored:dtoa", "dtoa", license="dtoa", objects=["build/Python/dtoa.o"]),
)
ADVISORY = {
    "id": "CVE-2026-1",
    "aliases": ["GHSA-x"],
    "summary": "It burns.",
    "affected": [
        {
            "package": {"ecosystem": "OSS-Fuzz", "name": "openssl"},
            "ranges": [{"type": "SEMVER", "events": [{"introduced": "3.5.0"}, {"fixed": "3.5.6"}]}],
        }
    ],
}
OF_BDB = {**ADVISORY, "id": "CVE-2026-2", "aliases": [], "affected": [{"package": {"name": "bdb"}}]}


def distribution(folder: Path, name: str = "musl", **metadata: Any) -> Dict[str, Any]:
    (folder / f"{name}.json").write_text(json.dumps({"format": 1, "parts": PARTS}))
    gnu = name == "gnu"
    return {
        "address": f"//x:{name}",
        "facts": str(folder / f"{name}.json"),
        "left_out": {"_dbm": "left out by default"},
        "metadata": {
            "python_version": "3.13.5",
            "target_triple": f"x86_64-unknown-linux-{name}",
            "build_options": "noopt" if gnu else "noopt+static",
            "bytecode_magic": "f30d0d0a",
            "glibc_floor": "2.17" if gnu else None,
            "object_file_format": "elf",
            "needs_musl": False,
            "extensions": list(EXTENSIONS),
            **metadata,
        },
    }


def report(
    folder: Path,
    distributions: List[Dict[str, Any]],
    *advisories: Any,
    content: Optional[bytes] = None,
) -> Any:
    given = {"extension_filter": "all", "distributions": distributions}
    (folder / "input.json").write_text(json.dumps(given))
    options = []
    if advisories or content is not None:
        (folder / "osv.json").write_bytes(content or json.dumps(advisories).encode())
        options = [f"--advisories={folder / 'osv.json'}"]
    distribution_report.main([str(folder / "input.json"), str(folder / "out"), *options])
    return json.loads((folder / "out/report.json").read_text())


def text(folder: Path) -> List[str]:
    return (folder / "out/report.txt").read_text().splitlines()


def test_one_distribution(tmp_path: Path) -> None:
    found = report(tmp_path, [distribution(tmp_path)])
    assert (found["format"], found["extension_filter"], found["advisories"]) == (1, "all", None)
    (one,) = found["distributions"]
    assert (one["address"], one["python_version"]) == ("//x:musl", "3.13.5")
    assert one["portability"] == {
        "libc": "musl",
        "glibc_floor": None,
        "objects": "elf",
        "llvm": None,
        "needs_musl": False,
    }
    components = {row["id"]: row for row in one["components"]}
    assert list(components) == sorted(part["id"] for part in PARTS)
    assert components["library:openssl"] == {
        "id": "library:openssl",
        "name": "OpenSSL",
        "version": "3.5.5",
        "license": "Apache-2.0",
        "license_from": None,
        "extensions": ["_hashlib", "_ssl"],
        "kept": True,
    }
    # Its one extension module is left out, and so is it; what is in the core is not.
    assert {name: row["kept"] for name, row in components.items()} == {
        "interpreter:cpython": True,
        "library:bdb": False,
        "library:openssl": True,
        "vendored:dtoa": True,
        "vendored:hacl-star": True,
    }
    extensions = {row["name"]: row for row in one["extensions"]}
    assert [row["kind"] for row in (extensions["_io"], extensions["sys"], extensions["_ssl"])] == [
        "required",
        "core",
        "optional",
    ]
    assert extensions["_dbm"]["why"] == "left out by default"
    assert extensions["_odd"]["libraries"] == ["m", "odd"]
    assert extensions["_sha2"]["components"] == ["vendored:hacl-star"]
    assert text(tmp_path) == [
        "                        //x:musl",
        "Python                  3.13.5",
        "target triple           x86_64-unknown-linux-musl",
        "build options           noopt+static",
        "objects                 ELF",
        "executables need        nothing (musl, static)",
        "its interpreter needs   nothing else",
        "extension modules kept  6 of 7",
        "",
        "component            version             licence",
        "interpreter:cpython  3.13.5              Python-2.0",
        "library:bdb          unknown (left out)  Sleepycat",
        "library:openssl      3.5.5               Apache-2.0",
        "vendored:dtoa        unknown             dtoa",
        "vendored:hacl-star   unknown             MIT OR Apache-2.0",
        "",
        'extension modules, with extension_filter="all"',
        "                      links      licence beside CPython's",
        "  _dbm      left out  bdb        Sleepycat                 left out by default",
        "  _hashlib  kept      openssl    Apache-2.0",
        "  _io       required  -          -",
        "  _odd      kept      m, odd     -",
        "  _sha2     kept      hacl-star  MIT OR Apache-2.0",
        "  _ssl      kept      openssl    Apache-2.0",
        "  sys       core      -          -",
    ]


def test_several_side_by_side(tmp_path: Path) -> None:
    gnu = distribution(
        tmp_path,
        "gnu",
        object_file_format="llvm-bitcode:22.1.3",
        python_version="3.14.1",
        extensions=[*EXTENSIONS[:-1], extension("_zstd", "build/lib/libzstd.a")],
    )
    gnu["left_out"] = {"_ssl": "it links crypto, ssl", "_hashlib": "it links crypto"}
    musl = distribution(tmp_path)
    parts = [{**part, "version": "3.5.7"} if part["name"] == "OpenSSL" else part for part in PARTS]
    (tmp_path / "musl.json").write_text(json.dumps({"format": 1, "parts": parts[:-1]}))
    report(tmp_path, [gnu, musl])
    lines = [" ".join(line.split()) for line in text(tmp_path)]
    assert lines[1:3] == [
        "Python 3.14.1 3.13.5",
        "target triple x86_64-unknown-linux-gnu x86_64-unknown-linux-musl",
    ]
    assert "objects LLVM bitcode, for LLVM 22 or newer ELF" in lines
    assert "executables need glibc 2.17 or newer nothing (musl, static)" in lines
    assert "library:openssl 3.5.5 (left out) 3.5.7 Apache-2.0" in lines
    assert "vendored:dtoa unknown - dtoa" in lines
    start = lines.index('extension modules, with extension_filter="all"')
    assert lines[start + 1 :] == [
        "//x:gnu //x:musl",
        "_dbm kept (bdb) left out (bdb)",
        "_hashlib left out (openssl) kept (openssl)",
        "_sha2 - kept (hacl-star)",
        "_ssl left out (openssl) kept (openssl)",
        "_zstd kept (zstd) -",
        "3 are the same in all",
    ]


def test_advisories(tmp_path: Path) -> None:
    found = report(tmp_path, [distribution(tmp_path)], ADVISORY, OF_BDB, ADVISORY)
    (one,) = found["distributions"]
    assert found["advisories"] == 2
    assert [(row["advisory"], row["part"], row["state"]) for row in one["findings"]] == [
        ("CVE-2026-2", "library:bdb", "unknown"),
        ("CVE-2026-1", "library:openssl", "affected"),
    ]
    assert [" ".join(line.split()) for line in text(tmp_path)[-4:]] == [
        "advisories read: 2",
        "//x:musl: 1 known vulnerability, 1 that cannot be told",
        "library:openssl 3.5.5 CVE-2026-1, GHSA-x affected, fixed in 3.5.6 It burns.",
        "library:bdb unknown CVE-2026-2 cannot be told: the part's version is not known It burns.",
    ]


def test_no_advisory_is_about_it(tmp_path: Path) -> None:
    report(tmp_path, [distribution(tmp_path)], {"id": "A", "affected": []})
    assert text(tmp_path)[-2:] == ["advisories read: 1", "//x:musl: 0 known vulnerabilities"]


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"<html>", "osv.json is not JSON: "),
        (b'{"id": "A", "affected": [3]}', "a file has an advisory A that is not in OSV's format"),
    ],
)
def test_bad_advisories(tmp_path: Path, content: bytes, why: str) -> None:
    with pytest.raises(UserError, match=r"^`--advisories`: ") as raised:
        report(tmp_path, [distribution(tmp_path)], content=content)
    assert why in str(raised.value)
    assert not (tmp_path / "out").exists()


def test_the_same_bytes_again(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        report(tmp_path / name, [distribution(tmp_path)], ADVISORY)
    for name in ("report.json", "report.txt"):
        assert (tmp_path / "one/out" / name).read_bytes() == (
            (tmp_path / "two/out" / name).read_bytes()
        )
