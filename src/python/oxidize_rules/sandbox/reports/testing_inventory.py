"""For tests: a small inventory with every case that a report has to tell, and its texts.

The shape is that of `inventory.json`; the parts are like real ones, with few of each kind.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any


def sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


MIT = "Permission is hereby granted, free of charge, …\n"
MIT_MUSL = "musl as a whole is licensed under the standard MIT license:\n"
APACHE = "Apache License\nVersion 2.0, January 2004\n"
NOTICE = "This product includes <software> & more.\x0c\n</text>\nLine 4\n"
PSF = "PYTHON SOFTWARE FOUNDATION LICENSE VERSION 2\n"
GPL = "GNU GENERAL PUBLIC LICENSE\nVersion 3, 29 June 2007\n"
ODD = "You may use this on Tuesdays.\r\n\r\n  Not on others.\n"
TEXTS = (MIT, MIT_MUSL, APACHE, NOTICE, PSF, GPL, ODD)

ODD_REF = f"LicenseRef-odd-{sha256(ODD)[:8]}"


def part(
    identifier: str, version: str | None, license: str | None, **fields: Any
) -> dict[str, Any]:
    """A part with all keys; what is not given is absent."""
    kind, _, name = identifier.partition(":")
    return {
        "id": identifier,
        "kind": kind,
        "name": name.rpartition("/")[2],
        "version": version,
        "license": license,
        "license_from": "its own statement" if license else None,
        "texts": [],
        "extracted": {},
        "copyright": [],
        "purl": None,
        "supplier": None,
        "homepage": None,
        "download": None,
        "hashes": {},
        "depends_on": [],
        "why": [],
        "size": None,
        "drop": None,
        **fields,
    }


def inventory() -> dict[str, Any]:
    parts = [
        part(
            "bundled:numeric/libgfortran",
            None,
            "GPL-3.0-or-later WITH GCC-exception-3.1",
            why=["app:bin", "numeric", "libgfortran-040039e1.so.5.0.0"],
            depends_on=[],
            size=2_800_000,
        ),
        part(
            "compiler-runtime:compiler-rt", "22.1.8", "Apache-2.0 WITH LLVM-exception", size=9_000
        ),
        part(
            "first-party:app:bin",
            None,
            None,
            name="app",
            why=["app:bin"],
            depends_on=["interpreter:cpython", "wheel:numeric", "wheel:odd", "wheel:silent"],
            size=4_321,
        ),
        part(
            "interpreter:cpython",
            "3.13.17",
            "PSF-2.0",
            texts=[["LICENSE", sha256(PSF)]],
            copyright=["Copyright (c) 2001 Python Software Foundation"],
            purl="pkg:generic/cpython@3.13.17",
            supplier="Python Software Foundation",
            homepage="https://www.python.org/",
            download="https://www.python.org/ftp/python/3.13.17/Python-3.13.17.tar.xz",
            hashes={"sha256": "ab" * 32},
            depends_on=["libc:musl", "library:openssl", "library:readline", "vendored:hacl-star"],
            why=["app:bin"],
            size=7_000_000,
        ),
        part(
            "libc:musl",
            "1.2.5",
            "MIT",
            texts=[["COPYRIGHT", sha256(MIT_MUSL)]],
            depends_on=["compiler-runtime:compiler-rt"],
            size=400_000,
        ),
        part(
            "library:openssl",
            "3.5.7",
            "Apache-2.0",
            texts=[["LICENSE.txt", sha256(APACHE)], ["NOTICE", sha256(NOTICE)]],
            purl="pkg:generic/openssl@3.5.7",
            supplier="The OpenSSL Project (OpenSSL)",
            why=["app:bin", "extension `_ssl`", "libssl.a"],
            size=4_000_000,
        ),
        part(
            "library:readline",
            "8.2",
            "GPL-3.0-or-later",
            texts=[["COPYING", sha256(GPL)]],
            why=["app:bin", "extension `readline`", "libreadline.a"],
            drop="name `readline` in `exclude_extensions`",
            size=300_000,
        ),
        part(
            "runtime:oxidize_rules",
            "1.0",
            "MIT",
            texts=[["LICENSE", sha256(MIT)]],
            supplier="The oxidize_rules authors",
            size=60_000,
        ),
        part(
            "vendored:hacl-star",
            None,
            "MIT OR Apache-2.0",
            license_from="corrected: the distribution says nothing of it",
            why=["app:bin", "extension `_sha2`"],
            size=90_000,
        ),
        part(
            "wheel:numeric",
            "2.5.5",
            "BSD-3-Clause AND (MIT OR GPL-2.0-only)",
            license_from="License-Expression of its metadata",
            texts=[
                ["LICENSE.txt", sha256(MIT)],
                ["licenses/NOTICE", sha256(NOTICE)],
            ],
            purl="pkg:pypi/numeric@2.5.5",
            supplier="Ann Author <ann@example.org>, Bob",
            homepage="https://example.org/numeric?a=1&b=<2>",
            hashes={"sha256": "cd" * 32},
            depends_on=["bundled:numeric/libgfortran", "interpreter:cpython"],
            why=["app:bin", "requirement `numeric`"],
            drop="take `numeric` out of the dependencies of app:bin",
            size=9_000_000,
        ),
        part(
            "wheel:odd",
            "0.1",
            f"{ODD_REF} AND MIT",
            license_from="its licence file, which is none of SPDX's",
            texts=[["LICENCE", sha256(ODD)]],
            extracted={ODD_REF: sha256(ODD)},
            purl="pkg:pypi/odd@0.1",
            depends_on=["interpreter:cpython", "wheel:silent"],
            why=["app:bin", "requirement `odd`"],
            size=1_000,
        ),
        part(
            "wheel:silent",
            "1.0+local",
            None,
            name='silent<script>"x"',
            purl="pkg:pypi/silent@1.0%2Blocal",
            # Two wheels that need each other: a circle that nothing else leads to.
            depends_on=["wheel:odd"],
            why=["app:bin", "odd", "silent"],
        ),
    ]
    return {
        "format": 1,
        "subject": {
            "name": "bin",
            "address": "app:bin@target_triple=musl",
            "version": None,
            "target_triple": "x86_64-unknown-linux-musl",
            "python_version": "3.13.17",
            "filename": "bin@target_triple=musl",
        },
        "extensions": {"_ssl": ["library:openssl"], "readline": ["library:readline"]},
        "parts": parts,
    }


def texts() -> dict[str, str]:
    """The texts by their hash."""
    return {sha256(text): text for text in TEXTS}


def write(folder: Path, changed: dict[str, Any] | None = None) -> None:
    """Writes `inventory.json` and `texts/`, as the link step leaves them."""
    (folder / "texts").mkdir(parents=True, exist_ok=True)
    (folder / "inventory.json").write_text(json.dumps(changed or inventory()))
    for name, text in texts().items():
        (folder / "texts" / f"{name}.txt").write_bytes(text.encode())
