from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any, Dict, List, Mapping, Optional, Sequence

import pytest
from license_expression import get_spdx_licensing

from oxidize_rules import texts
from oxidize_rules.sandbox.distribution.testing_archives import (
    named_files,
    python_json,
    static_link,
    variant,
)
from oxidize_rules.sandbox.errors import UserError
from oxidize_rules.sandbox.parts import distribution_facts, known_libraries, vendored_code
from oxidize_rules.sandbox.parts.facts import TEXT_ALONE
from oxidize_rules.sandbox.parts.licenses import is_copyleft

OUR_TEXTS = str(Path(texts.__file__ or "").parent)
OPENSSL_3 = b"\0OpenSSL 3.5.7 9 Jun 2026\0"
OPENSSL_1 = b"\0OpenSSL 1.1.1w 11 Sep 2023\0"


@pytest.fixture
def facts(tmp_path: Path) -> Any:
    """The parts, by id, of a distribution: its PYTHON.json, what its files contain, and further
    files."""

    def run(
        metadata: Mapping[str, Any],
        contents: Optional[Mapping[str, bytes]] = None,
    ) -> Dict[str, Dict[str, Any]]:
        root, output = tmp_path / "python", tmp_path / "facts"
        files = {name: name.encode() for name in named_files(metadata)}
        for name, content in {**files, **(contents or {})}.items():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_bytes(content)
        (root / "PYTHON.json").write_text(json.dumps(metadata))
        distribution_facts.main([str(root), str(output), "--texts", OUR_TEXTS])
        written = json.loads((output / "facts.json").read_text())
        assert written["format"] == 1
        assert [one["id"] for one in written["parts"]] == sorted(
            one["id"] for one in written["parts"]
        )
        for one in written["parts"]:
            for name in (*(text for _, text in one["texts"]), *one["extracted"].values()):
                content = (output / "texts" / f"{name}.txt").read_bytes()
                assert hashlib.sha256(content).hexdigest() == name
        return {one["id"]: one for one in written["parts"]}

    return run


def with_extensions(**extensions: List[Dict[str, Any]]) -> Dict[str, Any]:
    return python_json(build_info={"extensions": extensions})


def text_of(tmp_path: Path, part: Mapping[str, Any]) -> str:
    (named,) = part["texts"]
    return (tmp_path / "facts" / "texts" / f"{named[1]}.txt").read_text()


def test_both_openssl_licences_are_corrected_by_the_linked_version(facts: Any) -> None:
    found = facts(python_json(), {"build/lib/libcrypto.a": OPENSSL_3})["library:openssl"]
    assert (found["version"], found["license"]) == ("3.5.7", "Apache-2.0")
    assert found["license_from"].startswith("corrected: ")
    assert "add_licenses_to_extension_entry" in found["license_from"]
    assert found["archives"] == ["build/lib/libcrypto.a", "build/lib/libssl.a"]
    assert found["purl"] == "pkg:generic/openssl@3.5.7"


def test_openssl_1_has_its_own_licence_and_text(facts: Any, tmp_path: Path) -> None:
    found = facts(python_json(), {"build/lib/libcrypto.a": OPENSSL_1})["library:openssl"]
    assert (found["version"], found["license"]) == ("1.1.1w", "OpenSSL")
    assert text_of(tmp_path, found) == "licenses/LICENSE.openssl-1.1.txt"


def test_a_licence_that_is_told_rightly_is_not_called_corrected(facts: Any) -> None:
    found = facts(
        with_extensions(zlib=variant("zlib", [static_link("z")], licenses=["Zlib"])),
        {"build/lib/libz.a": b" deflate 1.3.1 Copyright 1995-2024 Jean-loup Gailly"},
    )["library:zlib"]
    assert (found["version"], found["license"]) == ("1.3.1", "Zlib")
    assert not found["license_from"].startswith("corrected")


@pytest.mark.parametrize("claims", [["GPL-3.0-only"], [], ["BSD-3-Clause"]])
def test_gnu_readline_is_copyleft_whatever_the_metadata_says(
    facts: Any, claims: Sequence[str], tmp_path: Path
) -> None:
    parts = facts(
        with_extensions(readline=variant("readline", [static_link("readline")], licenses=claims))
    )
    found = parts["library:readline"]
    assert found["license"] == "GPL-3.0-or-later"
    assert is_copyleft([found["license"]]) is True
    assert "GNU GENERAL PUBLIC LICENSE" in text_of(tmp_path, found)
    assert "libedit" in found["drop"]
    # What is claimed beyond that is not lost.
    assert ("vendored:readline" in parts) == (claims != [])


@pytest.mark.parametrize(
    ("version", "license"), [("6.0.19", "Sleepycat"), ("6.0.20", "AGPL-3.0-only")]
)
def test_berkeley_db_is_copyleft(facts: Any, version: str, license: str) -> None:
    found = facts(
        with_extensions(_dbm=variant("_dbm", [static_link("db")], licenses=["Sleepycat"])),
        {"build/lib/libdb.a": f"Berkeley DB {version}: (February 10, 2014)".encode()},
    )["library:berkeley-db"]
    assert (found["version"], found["license"]) == (version, license)
    assert is_copyleft([found["license"]]) is True
    assert found["license_from"].startswith("corrected") == (version == "6.0.20")


def test_gdbm_is_copyleft_without_any_claim(facts: Any) -> None:
    found = facts(with_extensions(_gdbm=variant("_gdbm", [static_link("gdbm")])))["library:gdbm"]
    assert is_copyleft([found["license"]]) is True


def test_liblzma_before_5_6_is_not_0bsd(facts: Any) -> None:
    metadata = with_extensions(_lzma=variant("_lzma", [static_link("lzma")], licenses=["0BSD"]))
    text = {"licenses/LICENSE.liblzma.txt": b"The public domain.\n"}
    old = facts(metadata, {"build/lib/liblzma.a": b"\x005.4.1\x00", **text})["library:xz"]
    digest = hashlib.sha256(b"The public domain.\n").hexdigest()
    assert old["license"] == f"LicenseRef-xz-{digest[:8]}"
    assert old["extracted"] == {old["license"]: digest}
    assert old["license_from"].startswith("corrected: liblzma before 5.6.0")
    new = facts(metadata, {"build/lib/liblzma.a": b"\x005.8.1\x00clang version 5.0.1\x00", **text})
    assert (new["library:xz"]["version"], new["library:xz"]["license"]) == ("5.8.1", "0BSD")


def test_a_missing_text_of_zstd_is_ours(facts: Any, tmp_path: Path) -> None:
    found = facts(
        with_extensions(
            _zstd=variant(
                "_zstd",
                [static_link("zstd")],
                licenses=["BSD-3-Clause"],
                license_paths=["licenses/LICENSE.zstd.txt"],
            )
        )
    )["library:zstd"]
    assert found["license"] == "BSD-3-Clause OR GPL-2.0-only"
    assert "For Zstandard software" in text_of(tmp_path, found)


def test_an_unknown_library_has_what_its_modules_claim(facts: Any, tmp_path: Path) -> None:
    found = facts(
        with_extensions(
            _one=variant(
                "_one",
                [static_link("strange"), static_link("z")],
                licenses=["Zlib", "mit", "Tuesdays only"],
                license_paths=["licenses/LICENSE.strange.txt"],
            ),
            _two=variant("_two", [static_link("strange")], licenses=["GPL-2.0-or-later OR MIT"]),
        ),
        {"licenses/LICENSE.strange.txt": b"strange"},
    )["library:strange"]
    reference = f"LicenseRef-strange-{hashlib.sha256(b'Tuesdays only').hexdigest()[:8]}"
    assert found["license"] == f"MIT AND {reference} AND (GPL-2.0-or-later OR MIT)"
    assert list(found["extracted"]) == [reference]
    assert text_of(tmp_path, found) == "strange"


def test_an_unknown_library_without_claims_is_unknown(facts: Any) -> None:
    found = facts(with_extensions(_x=variant("_x", [static_link("mystery")])))["library:mystery"]
    assert (found["license"], found["license_from"], found["texts"]) == (None, None, [])


def test_vendored_code_is_found_by_its_objects(facts: Any, tmp_path: Path) -> None:
    parts = facts(
        python_json(),
        {
            "build/lib/libcrypto.a": OPENSSL_3,
            "build/Modules/expat/xmlparse.o": b"\0expat_2.7.1\0",
            "build/Modules/_decimal/libmpdec/mpdecimal.o": b"\x002.5.1\0clang version 22.1.8\0",
            "build/Objects/obmalloc.o": b"",
            "build/Python/pyhash.o": b"",
        },
    )
    vendored = {name for name in parts if name.startswith("vendored:")}
    assert vendored == {
        f"vendored:{name}" for name in ("expat", "hacl-star", "libmpdec", "mimalloc", "siphash")
    }
    assert parts["interpreter:cpython"]["depends_on"] == sorted(vendored)
    assert parts["vendored:expat"]["version"] == "2.7.1"
    assert parts["vendored:libmpdec"]["version"] == "2.5.1"
    assert "Majkowski" in text_of(tmp_path, parts["vendored:siphash"])
    assert "INRIA" in text_of(tmp_path, parts["vendored:hacl-star"])


def test_mimalloc_is_there_only_if_it_was_built(facts: Any) -> None:
    parts = facts(
        python_json(python_config_vars={"WITH_MIMALLOC": "0"}), {"build/Objects/obmalloc.o": b""}
    )
    assert "vendored:mimalloc" not in parts


def test_the_archives_own_list_of_incorporated_software_comes_first(
    facts: Any, tmp_path: Path
) -> None:
    text = b"Head\n====\n\nSipHash24\n---------\n\nTheir own.\n\nOther\n-----\n\nNot this.\n"
    parts = facts(
        python_json(),
        {
            "build/Python/pyhash.o": b"",
            "licenses/LICENSE.cpython-incorporated-software.txt": text,
        },
    )
    assert text_of(tmp_path, parts["vendored:siphash"]) == "SipHash24\n---------\n\nTheir own.\n"


def test_a_version_that_is_there_twice_is_not_known() -> None:
    pattern = rb"v(\d)"
    assert distribution_facts.find_version(pattern, [b"v1", b"v1"]) == "1"
    assert distribution_facts.find_version(pattern, [b"v1", b"v2"]) is None
    assert distribution_facts.find_version(None, [b"v1"]) is None


def test_broken_metadata_is_told(facts: Any) -> None:
    metadata = with_extensions(_x=variant("_x", licenses=5))
    with pytest.raises(UserError, match=r"PYTHON\.json does not have the shape"):
        facts(metadata)


def test_the_tables_licences_are_spdx() -> None:
    licensing = get_spdx_licensing()
    rows: List[Any] = [*known_libraries.LIBRARIES, *vendored_code.VENDORED]
    for row in rows:
        named = [row.license]
        named += [
            one[1] for one in (getattr(row, "older", None), getattr(row, "newer", None)) if one
        ]
        for license in named:
            if license != TEXT_ALONE:
                parsed = licensing.parse(license, validate=True, strict=True)
                assert str(parsed) == license, row.name
            assert row.source


def test_our_texts_are_there_for_every_section_that_the_table_names() -> None:
    incorporated = (Path(OUR_TEXTS) / "cpython-incorporated-software.txt").read_text()
    for row in vendored_code.VENDORED:
        named = [row.text] if row.text else []
        assert all((Path(OUR_TEXTS) / name).is_file() for name in named)
        if not row.text and row.name != "zstd-bindings":  # of 3.14; ours is 3.13's
            assert f"\n{row.section}\n" in incorporated, row.name


@pytest.mark.parametrize(
    ("written", "version"),
    [
        (b"prefix=/install\nName: libffi\nVersion: 3.4.8\nLibs: -lffi\n", "3.4.8"),
        (b"Version:20250104-3.1 \n", "20250104-3.1"),
        (b"Name: libffi\n", None),
        (b"\xff\0Version", None),
        (None, None),
    ],
)
def test_a_version_of_pkg_config(facts: Any, written: Optional[bytes], version: str) -> None:
    """Libraries whose archives do not tell it; what an archive tells itself goes first."""
    beside = {"build/lib/pkgconfig/zlib.pc": b"Version: 9.9\n"}
    if written is not None:
        beside["build/lib/pkgconfig/libffi.pc"] = written
    found = facts(
        with_extensions(_ctypes=variant("_ctypes", [static_link("ffi"), static_link("z")])),
        beside,
    )
    assert found["library:libffi"]["version"] == version
    assert found["library:libffi"]["purl"] == "pkg:generic/libffi" + (
        f"@{version}" if version else ""
    )
    assert found["library:zlib"]["version"] is None
