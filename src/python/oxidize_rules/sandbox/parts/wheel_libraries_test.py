from __future__ import annotations

from pathlib import Path
from typing import Dict

from oxidize_rules.sandbox.parts.testing_wheel_facts import (
    ELF,
    INFO,
    LIBRARIES,
    Content,
    cyclonedx,
    facts,
    library,
    licensed,
    wheel,
)


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
    # Of a wheel that was built here the toolchain tells.
    assert part["version"] is None
    built = facts(tmp_path, wheel(files=files), "--linked=libc++=22.1.8", "--linked=x=1")
    assert built.bundled["libc++"]["version"] == "22.1.8"
    assert built.bundled["libother"]["version"] is None


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
