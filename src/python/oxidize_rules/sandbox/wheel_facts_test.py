from __future__ import annotations

import hashlib
import io
import json
import time
import zipfile
from pathlib import Path
from typing import Any, Dict, Mapping, Optional, Sequence, Union

import pytest

from oxidize_rules.sandbox import wheel_facts
from oxidize_rules.sandbox.errors import UserError
from oxidize_rules.sandbox.license_texts import recognize
from oxidize_rules.sandbox.testing_licenses import (
    APACHE_2_HEADER,
    BSD_3,
    GPL_3,
    LGPL_3,
    MIT,
    OWN,
)

Content = Union[str, bytes]
ELF = b"\x7fELF" + bytes(60)
INFO = "Some_Thing-1.0.dist-info"
TEXTS = Path(__file__).resolve().parents[1] / "texts"
LIBRARIES = "some_thing.libs"


def archive(files: Mapping[str, Content]) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as made:
        for name, content in files.items():
            made.writestr(name, content)
    return stream.getvalue()


def wheel(headers: Sequence[str] = (), files: Mapping[str, Content] = {}) -> Dict[str, Content]:
    lines = ["Metadata-Version: 2.4", "Name: Some.Thing", "Version: 1.0", *headers]
    return {
        f"{INFO}/METADATA": "\n".join(lines) + "\n\nLicense: of the description\n",
        f"{INFO}/WHEEL": "Wheel-Version: 1.0\nTag: py3-none-any\n",
        "some_thing/__init__.py": "",
        **files,
    }


class Found:
    def __init__(self, folder: Path) -> None:
        content = json.loads((folder / "facts.json").read_bytes())
        assert content["format"] == 1
        self.parts: Dict[str, Dict[str, Any]] = {part["id"]: part for part in content["parts"]}
        assert list(self.parts) == sorted(self.parts)
        self.texts = {
            path.name[: -len(".txt")]: path.read_text() for path in (folder / "texts").iterdir()
        }

    @property
    def own(self) -> Dict[str, Any]:
        return self.parts["wheel:some-thing"]

    @property
    def bundled(self) -> Dict[str, Dict[str, Any]]:
        start = "bundled:some-thing/"
        return {
            one[len(start) :]: part for one, part in self.parts.items() if one.startswith(start)
        }

    def shipped(self, part: Mapping[str, Any]) -> Dict[str, str]:
        return {name: self.texts[digest] for name, digest in part["texts"]}


def facts(tmp_path: Path, files: Mapping[str, Content], *options: str) -> Found:
    path = tmp_path / "Some_Thing-1.0-py3-none-any.whl"
    path.write_bytes(archive(files))
    output = tmp_path / "facts"
    wheel_facts.main(
        [
            *(str(path), str(output), "--component=wheel:Some_Thing-1.0"),
            *("--python-version=3.13", "--machine=x86_64", f"--texts={TEXTS}", *options),
        ]
    )
    return Found(output)


def cyclonedx(*components: Mapping[str, Any]) -> str:
    return json.dumps({"bomFormat": "CycloneDX", "specVersion": "1.6", "components": components})


def library(name: str, version: Optional[str] = None, **more: Any) -> Dict[str, Any]:
    return {"type": "library", "name": name, **({"version": version} if version else {}), **more}


def licensed(expression: str) -> Dict[str, Any]:
    return {"licenses": [{"expression": expression}]}


def test_the_wheel_itself(tmp_path: Path) -> None:
    found = facts(
        tmp_path,
        wheel(
            [
                "License-Expression: MIT or Apache-2.0",
                "License-File: LICENSE",
                "License-File: legal/terms",
                "Author-email: Ann Author <ann@example.org>, bob@example.org",
                "Project-URL: Docs, https://example.org/docs",
                "Project-URL: Home Page, https://example.org",
                "Requires-Dist: Zope.Interface>=5",
                'Requires-Dist: colorama; sys_platform == "win32"',
                'Requires-Dist: tomli; python_version < "3.11"',
                'Requires-Dist: later; python_version >= "3.13" and platform_machine == "x86_64"',
                'Requires-Dist: socks; extra == "proxy"',
                "Requires-Dist: !!!",
            ],
            {
                f"{INFO}/licenses/LICENSE": MIT,
                f"{INFO}/licenses/legal/terms": APACHE_2_HEADER,
                f"{INFO}/AUTHORS": "Ann",
                "some_thing/data/LICENSE.unicode": OWN,
                "some_thing/license.py": "no licence",
                "some_thing/licenses.json": "{}",
                "some_thing/licensing_guide.txt": "no licence",
            },
        ),
    )
    own = found.own
    assert (own["name"], own["version"], own["kind"]) == ("Some.Thing", "1.0", "wheel")
    assert own["license"] == "Apache-2.0 OR MIT"
    assert own["license_from"] == "License-Expression of its metadata"
    assert own["purl"] == "pkg:pypi/some-thing@1.0"
    assert own["component"] == "wheel:Some_Thing-1.0"
    assert own["supplier"] == "Ann Author"
    assert own["homepage"] == "https://example.org"
    assert own["depends_on"] == ["wheel:later", "wheel:zope-interface"]
    assert found.shipped(own) == {
        "AUTHORS": "Ann",
        "LICENSE": MIT,
        "legal/terms": APACHE_2_HEADER,
        "some_thing/data/LICENSE.unicode": OWN,
    }
    content = (tmp_path / "Some_Thing-1.0-py3-none-any.whl").read_bytes()
    assert own["hashes"] == {"sha256": hashlib.sha256(content).hexdigest()}
    assert set(found.parts) == {own["id"]}


def test_a_wheel_that_says_nothing(tmp_path: Path) -> None:
    own = facts(tmp_path, wheel()).own
    assert (own["license"], own["license_from"], own["texts"]) == (None, None, [])
    assert (own["supplier"], own["homepage"]) == (None, None)


def test_unknown_texts_are_kept(tmp_path: Path) -> None:
    found = facts(tmp_path, wheel([], {f"{INFO}/COPYING": OWN}))
    ((ref, digest),) = found.own["extracted"].items()
    assert found.own["license"] == ref
    assert found.texts[digest] == OWN
    assert ref.startswith("LicenseRef-Some.Thing-")


def test_licence_files_beside_the_code_count_where_there_are_no_others(tmp_path: Path) -> None:
    beside = {"some_thing/LICENSE": MIT, "some_thing/deep/inside/LICENSE": GPL_3}
    found = facts(tmp_path, wheel([], beside))
    assert found.own["license"] == "MIT"
    assert set(found.shipped(found.own)) == set(beside)


def test_metadata_in_other_alphabets_and_none(tmp_path: Path) -> None:
    files = wheel(["Author: Ånn Äuthor", "License: MIT"])
    assert facts(tmp_path, files).own["supplier"] == "Ånn Äuthor"
    files[f"{INFO}/METADATA"] = b"Name: Some.Thing\nLicense: caf\xe9\n"
    own = facts(tmp_path, files).own
    assert own["version"] is None
    assert own["purl"] == "pkg:pypi/some-thing"
    assert own["license"].startswith("LicenseRef-")


def test_names_as_mail_writes_them(tmp_path: Path) -> None:
    files = wheel(["Author-email: =?utf-8?q?Sebasti=C3=A1n?= <s@example.org>"])
    assert facts(tmp_path, files).own["supplier"] == "Sebastián"
    assert facts(tmp_path, wheel(["Author: =?nonsense?q?x?="])).own["supplier"]


def test_first_party_and_built_wheels(tmp_path: Path) -> None:
    source = tmp_path / "source.tar"
    source.write_bytes(b"source")
    files = wheel(["License: MIT"])
    built = facts(tmp_path, files, f"--source={source}")
    assert built.own["hashes"] == {"sha256": hashlib.sha256(b"source").hexdigest()}
    found = facts(tmp_path, files, "--first-party=lib:dist")
    ((identifier, part),) = found.parts.items()
    assert (identifier, part["kind"]) == ("first-party:lib:dist", "first-party")
    assert (part["purl"], part["hashes"], part["license"]) == (None, {}, "MIT")


def test_libraries_by_their_names(tmp_path: Path) -> None:
    found = facts(
        tmp_path,
        wheel(
            ["License: MIT"],
            {
                f"{LIBRARIES}/libscipy_openblas64_-4b78795a.so": ELF,
                f"{LIBRARIES}/libgfortran-040039e1-0352e75f.so.5.0.0": ELF,
                f"{LIBRARIES}/libgfortran-83c28eba.so.5.0.0": ELF,
                f"{LIBRARIES}/libcom_err-2abe824b.so.2.1": ELF,
                f"{LIBRARIES}/libcom_err-55c5739a.so.3.0": ELF,
                f"{LIBRARIES}/libcrypto-3a0647ea.so.3": ELF + b"OpenSSL 3.5.7 9 Jun 2026\0",
                f"{LIBRARIES}/libssl-0a0647ea.so.3": ELF,
                f"{LIBRARIES}/liblzma-de26b416.so.5.8.4": ELF,
                f"{LIBRARIES}/liblzma-00000000.so.5.2.2": ELF,
                f"{LIBRARIES}/libfrobnicate-de26b416.so.1": ELF,
                f"{LIBRARIES}/libz-de26b416.so.1.3.1": "no ELF file",
                "some_thing/libgomp.so.1": ELF,
                "some_thing/libown.so": ELF,
                "some_thing/ext.cpython-313-x86_64-linux-gnu.so": ELF,
            },
        ),
    )
    gcc = "GPL-3.0-or-later WITH GCC-exception-3.1"
    assert {name: (part["version"], part["license"]) for name, part in found.bundled.items()} == {
        "libscipy_openblas64_": (None, "BSD-3-Clause"),
        "libgfortran": (None, gcc),
        "libcom_err.so.2": (None, "MIT"),
        "libcom_err.so.3": (None, "MIT"),
        "libcrypto": ("3.5.7", "Apache-2.0"),
        "libssl": ("3.5.7", "Apache-2.0"),
        "liblzma.so.5.8.4": ("5.8.4", "0BSD"),
        "liblzma.so.5.2.2": ("5.2.2", None),
        "libfrobnicate": (None, None),
        "libgomp": (None, gcc),
    }
    assert found.own["depends_on"] == sorted(f"bundled:some-thing/{one}" for one in found.bundled)
    assert found.bundled["libcrypto"]["name"] == "openssl"
    assert found.bundled["libfrobnicate"]["name"] == "libfrobnicate"
    assert len(found.bundled["libgfortran"]["files"]) == 2
    assert found.bundled["libgomp"]["component"] == "wheel:Some_Thing-1.0"


def test_libraries_that_are_linked_in(tmp_path: Path) -> None:
    files: Dict[str, Content] = {
        "some_thing/fast.abi3.so": ELF + b"\0libc++abi: terminating",
        "some_thing/about.txt": "libc++abi: ",
        f"{LIBRARIES}/libother-1a2b3c4d.so.1": ELF + b"\0libc++abi: terminating",
    }
    found = facts(tmp_path, wheel(files=files))
    part = found.bundled["libc++"]
    assert part["license"] == "Apache-2.0 WITH LLVM-exception"
    assert part["files"] == ["some_thing/fast.abi3.so"]
    assert list(found.shipped(part)) == ["Apache-2.0.txt", "LLVM-exception.txt"]
    assert part["id"] in found.own["depends_on"]
    assert "libc++" not in facts(tmp_path, wheel(files={"some_thing/x.so": ELF})).bundled


def test_sboms_tell_of_libraries(tmp_path: Path) -> None:
    # As in pillow: what is optional is there only if a file is.
    purl = "pkg:pypi/some_thing@1.0"
    sboms = cyclonedx(
        library("some_thing", "1.0", purl=f"{purl}?file_name=some_thing.whl"),
        library("some_thing.ext", "1.0", purl=f"{purl}#ext", **licensed("MIT")),
        library("raqm", "0.11", purl=f"{purl}#raqm", **licensed("ISC")),
        library("FreeType", "2.14.3", scope="optional", licenses=[{"license": {"id": "FTL"}}]),
        library("FriBiDi", "1.0", scope="optional", **licensed("LGPL-2.1-or-later")),
        library("pybind11", "3", scope="excluded", **licensed("BSD-3-Clause")),
        library("libXau", "1.0.9-3.el8", purl="pkg:rpm/almalinux/libXau@1.0.9-3.el8"),
        library(
            "libjpeg / libjpeg-turbo",
            "3.2",
            licenses=[{"license": {"id": "IJG"}}, {"license": {"name": "3-Clause BSD"}}],
            supplier={"name": "The Group"},
            externalReferences=[
                {"type": "website", "url": "https://example.org/jpeg"},
                {"type": "distribution", "url": "https://example.org/jpeg.tar"},
            ],
            hashes=[{"alg": "SHA-256", "content": "AB" * 32}],
        ),
        {"type": "file", "name": "some_thing/LICENSE"},
    )
    libraries = ("libfreetype-57f805ba.so.6.20.6", "libXau-154567c4.so.6.0.0", "libjpeg.so.62.4.0")
    found = facts(
        tmp_path,
        wheel(
            ["License: MIT"],
            {
                f"{INFO}/sboms/a.cdx.json": sboms,
                f"{INFO}/sboms/broken.cdx.json": "{",
                f"{INFO}/sboms/list.json": "[1]",
                f"{INFO}/sboms/odd.json": cyclonedx(library("", "1"), {"name": 3}),
                **{f"{LIBRARIES}/{one}": ELF for one in libraries},
            },
        ),
    )
    assert {name: (part["version"], part["license"]) for name, part in found.bundled.items()} == {
        "raqm": ("0.11", "ISC"),
        "libfreetype": ("2.14.3", "FTL"),
        "libXau": ("1.0.9-3.el8", "MIT-open-group"),
        "libjpeg": ("3.2", "BSD-3-Clause AND IJG"),
    }
    jpeg = found.bundled["libjpeg"]
    assert jpeg["supplier"] == "The Group"
    assert jpeg["homepage"] == "https://example.org/jpeg"
    assert jpeg["download"] == "https://example.org/jpeg.tar"
    assert jpeg["hashes"] == {"sha256": "ab" * 32}
    assert jpeg["license_from"] == "the SBOM `a.cdx.json` in its wheel"
    assert found.bundled["libXau"]["purl"] == "pkg:rpm/almalinux/libXau@1.0.9-3.el8"
    assert found.bundled["libXau"]["license_from"] == "COPYING of libXau"


def test_sboms_tell_of_crates_and_requirements(tmp_path: Path) -> None:
    sboms = cyclonedx(
        library(
            "hashbrown", "0.14", purl="pkg:cargo/hashbrown@0.14", **licensed("MIT OR Apache-2.0")
        ),
        library("hashbrown", "0.17", purl="pkg:cargo/hashbrown@0.17", **licensed("MIT/Apache-2.0")),
        library("own-crate", "1", purl="pkg:cargo/own@1?download_url=file:///home/runner/own"),
        library("odd", "1", **licensed("Something Odd")),
        library("openssl", "3.0.7", purl="pkg:generic/openssl@3.0.7"),
        library("needed", purl="pkg:pypi/needed"),
        library("other", "2", purl="pkg:pypi/other@2", **licensed("ISC")),
    )
    found = facts(
        tmp_path,
        wheel(["License: MIT", "Requires-Dist: needed"], {f"{INFO}/sboms/rust.json": sboms}),
    )
    bundled = found.bundled
    odd = bundled.pop("odd")
    assert {name: (part["license"], part["purl"]) for name, part in bundled.items()} == {
        "hashbrown@0.14": ("Apache-2.0 OR MIT", "pkg:cargo/hashbrown@0.14"),
        "hashbrown@0.17": ("Apache-2.0 AND MIT", "pkg:cargo/hashbrown@0.17"),
        "own-crate": (None, "pkg:cargo/own@1"),
        "openssl": ("Apache-2.0", "pkg:generic/openssl@3.0.7"),
        "other": ("ISC", "pkg:pypi/other@2"),
    }
    ((ref, digest),) = odd["extracted"].items()
    assert odd["license"] == ref
    assert found.texts[digest] == "License-Expression: Something Odd"
    assert bundled["own-crate"]["license_from"] == (
        "the SBOM `rust.json` in its wheel, which tells no licence"
    )


def test_sboms_in_spdx(tmp_path: Path) -> None:
    document = {
        "spdxVersion": "SPDX-2.3",
        "packages": [
            {
                "name": "zlib",
                "versionInfo": "1.3.1",
                "licenseConcluded": "NOASSERTION",
                "licenseDeclared": "Zlib",
                "supplier": "Person: Mark (mark@example.org)",
                "downloadLocation": "https://example.org/zlib.tar.gz",
                "externalRefs": [
                    {"referenceType": "purl", "referenceLocator": "pkg:generic/zlib@1.3.1"}
                ],
                "checksums": [{"algorithm": "SHA256", "checksumValue": "cd" * 32}],
            }
        ],
    }
    sbom = {f"{INFO}/sboms/x.spdx.json": json.dumps(document)}
    part = facts(tmp_path, wheel(["License: MIT"], sbom)).bundled["zlib"]
    assert (part["version"], part["license"], part["supplier"]) == ("1.3.1", "Zlib", "Mark")
    assert part["purl"] == "pkg:generic/zlib@1.3.1"
    assert part["download"] == "https://example.org/zlib.tar.gz"
    assert part["hashes"] == {"sha256": "cd" * 32}


def test_packages_of_others(tmp_path: Path) -> None:
    inner = archive(
        {
            "pip-26.dist-info/METADATA": "Name: pip\nVersion: 26\nLicense-Expression: MIT\n",
            "pip-26.dist-info/licenses/LICENSE": MIT,
            "pip/_vendor/idna/LICENSE": BSD_3,
        }
    )
    vendor = "some_thing/_vendor"
    found = facts(
        tmp_path,
        wheel(
            ["License: MIT"],
            {
                f"{INFO}/licenses/LICENSE": MIT,
                # As in setuptools: what is vendored has another licence.
                f"{vendor}/autocommand-2.dist-info/METADATA": (
                    "Name: autocommand\nVersion: 2\nLicense: LGPLv3\nAuthor: Nathan\n"
                ),
                f"{vendor}/autocommand-2.dist-info/LICENSE": GPL_3,
                # As in pip: a licence file for a folder, and one for a module.
                f"{vendor}/six/LICENSE": MIT,
                f"{INFO}/licenses/{vendor}/six/LICENSE": MIT,
                f"{vendor}/distro.LICENSE.txt": APACHE_2_HEADER,
                f"{vendor}/LICENSE": BSD_3,
                f"{vendor}/vendor.txt": "CacheControl==1 # http\n  Six==1.17.0\n\ttomli\n",
                "some_thing/embed/pip-26-py3-none-any.whl": inner,
                "some_thing/embed/broken.whl": inner[: len(inner) // 2],
            },
        ),
    )
    assert {name: (part["version"], part["license"]) for name, part in found.bundled.items()} == {
        "autocommand": ("2", "LGPL-3.0-only"),
        "six": ("1.17.0", "MIT"),
        "distro": (None, "Apache-2.0"),
        "pip": ("26", "MIT"),
        "idna": (None, "BSD-3-Clause"),
    }
    assert set(found.shipped(found.own)) == {"LICENSE", f"{vendor}/LICENSE"}
    assert found.shipped(found.bundled["autocommand"]) == {"LICENSE": GPL_3}
    assert found.bundled["autocommand"]["purl"] == "pkg:pypi/autocommand@2"
    assert found.bundled["autocommand"]["supplier"] == "Nathan"
    assert found.bundled["six"]["purl"] == "pkg:pypi/six@1.17.0"
    assert found.bundled["distro"]["purl"] is None
    assert found.shipped(found.bundled["six"]) == {"LICENSE": MIT}
    assert found.bundled["six"]["license_from"] == "recognised from its licence file `LICENSE`"


def test_long_and_deep_input_takes_no_time(tmp_path: Path) -> None:
    nested: Dict[str, Any] = library("deepest", "1")
    for number in range(300):
        nested = library(f"level{number}", "1", components=[nested])
    sboms = {
        f"{INFO}/sboms/deep.json": cyclonedx(nested),
        f"{INFO}/sboms/deeper.json": '{"bomFormat": "CycloneDX", "components": ' + "[" * 90_000,
        f"{INFO}/sboms/long.json": cyclonedx(
            library("long", "1", author="(" + "@" * 50_000, **licensed("(" * 50_000))
        ),
        f"{INFO}/LICENSE": "under the terms of the gnu " * 20_000,
    }
    headers = [f"Author-email: {'a ' * 100_000}", f"License: {'MIT or ' * 20}", "Name: again"]
    start = time.monotonic()
    found = facts(tmp_path, wheel(headers, sboms))
    assert time.monotonic() - start < 20
    assert "level299" in found.bundled
    assert "deepest" not in found.bundled
    assert str(found.bundled["long"]["license"]).startswith("LicenseRef-long-")


def test_texts_that_are_the_same_for_everybody(tmp_path: Path) -> None:
    libraries = ("libgomp.so.1", "libcrypto.so.3", "libz.so.1.3.1", "libgeos.so.3.14.1")
    files = {f"{LIBRARIES}/{name}": ELF for name in libraries}
    found = facts(tmp_path, wheel(["License: LGPLv3"], files))
    texts = {name: list(found.shipped(part)) for name, part in found.bundled.items()}
    assert texts == {
        "libgomp": ["GCC-exception-3.1.txt", "GPL-3.0.txt"],
        "libcrypto": ["Apache-2.0.txt"],
        # That text would need the names of its authors.
        "libz": [],
        "libgeos": ["LGPL-2.1.txt"],
    }
    assert list(found.shipped(found.own)) == ["GPL-3.0.txt", "LGPL-3.0.txt"]
    with_own = facts(tmp_path, wheel(["License: LGPLv3"], {f"{INFO}/COPYING": LGPL_3}))
    assert with_own.shipped(with_own.own) == {"COPYING": LGPL_3}


def test_standard_texts_are_what_they_are_called() -> None:
    for name, file in wheel_facts._STANDARD_TEXTS.items():
        if not name.endswith(("-exception-3.1", "-exception")):
            ((identifier, *_),) = recognize((TEXTS / file).read_text()).licenses
            assert identifier.startswith(name)


def test_same_input_same_bytes(tmp_path: Path) -> None:
    files = wheel(["License: MIT"], {f"{INFO}/LICENSE": MIT, f"{LIBRARIES}/libz.so.1": ELF})
    facts(tmp_path, files)
    first = (tmp_path / "facts/facts.json").read_bytes()
    facts(tmp_path, dict(reversed(list(files.items()))), "--first-party=a:b")
    assert (tmp_path / "facts/facts.json").read_bytes() != first
    facts(tmp_path, files)
    assert (tmp_path / "facts/facts.json").read_bytes() == first


def test_what_is_no_wheel(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no \.dist-info folder"):
        facts(tmp_path, {"a.py": ""})
    assert not (tmp_path / "facts").exists()


def test_the_table_of_libraries() -> None:
    from oxidize_rules.sandbox.bundled_libraries import ROWS, bundled_file
    from oxidize_rules.sandbox.license_expressions import normalize

    for row in ROWS:
        assert normalize(row.license) == row.license, row.name
        assert row.source
        if row.older and row.older[1]:
            assert normalize(row.older[1]) == row.older[1]
    file = bundled_file("x.libs/libstdc++-1a2b3c4d.so.6.0.30")
    assert file is not None
    assert file.row is not None
    assert (file.stem, file.numbers, file.row.name) == ("libstdc++", "6.0.30", "gcc")
    assert bundled_file("x/libstdc++.txt") is None
    assert bundled_file("x/ext.cpython-313-x86_64-linux-gnu.so") is None


def test_licences_by_the_numbers_of_a_file() -> None:
    from oxidize_rules.sandbox.bundled_libraries import bundled_file

    found = {}
    for name in ("libssl.so.1.1", "libssl.so.3", "libssl.so", "libpng16.so.16.58.0"):
        file = bundled_file(f"x.libs/{name}")
        assert file is not None
        assert file.row is not None
        found[name] = file.row.license_of(file.numbers)
    assert found == {
        "libssl.so.1.1": "OpenSSL",
        "libssl.so.3": "Apache-2.0",
        "libssl.so": None,
        "libpng16.so.16.58.0": "libpng-2.0",
    }
