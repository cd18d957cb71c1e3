from __future__ import annotations

from pathlib import Path

from oxidize_rules.sandbox.parts.license_texts import recognize
from oxidize_rules.sandbox.parts.standard_texts import STANDARD_TEXTS
from oxidize_rules.sandbox.parts.testing_licenses import LGPL_3
from oxidize_rules.sandbox.parts.testing_wheel_facts import (
    ELF,
    INFO,
    LIBRARIES,
    TEXTS,
    facts,
    wheel,
)


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
    for name, file in STANDARD_TEXTS.items():
        if not name.endswith(("-exception-3.1", "-exception")):
            ((identifier, *_),) = recognize((TEXTS / file).read_text()).licenses
            assert identifier.startswith(name)
