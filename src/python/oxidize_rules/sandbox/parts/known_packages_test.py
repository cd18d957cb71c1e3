from __future__ import annotations

from oxidize_rules.sandbox.parts.known_packages import LICENSES, known_license
from oxidize_rules.sandbox.parts.license_expressions import normalize


def test_licences_are_expressions() -> None:
    assert {name: normalize(license) for name, license in LICENSES.items()} == LICENSES


def test_known_licences() -> None:
    assert known_license("CacheControl", "0.14.2") == "Apache-2.0"
    assert known_license("typing_extensions", "4.13.2") == "PSF-2.0"
    assert known_license("nobody", "1") is None
    # It was written anew.
    assert known_license("chardet", "5.1.0") == "LGPL-2.1-or-later"
    assert known_license("chardet", "7.6.0") is None
    assert known_license("chardet", "unknown") is None
