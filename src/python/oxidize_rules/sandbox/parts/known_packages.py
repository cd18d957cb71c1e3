"""Licences of packages that pip brings along: its wheels up to 25.1 have none of their texts.

The licences are those of the packages' own files in wheels of pip that have them, and of their own
wheels. A package that is not here has no known licence.
"""

from __future__ import annotations

import re

from packaging.utils import canonicalize_name

_APACHE = ("cachecontrol", "distro", "msgpack", "requests", "tenacity")
_MIT = (
    *("dependency-groups", "html5lib", "pep517", "platformdirs", "pyparsing", "pyproject-hooks"),
    *("rich", "setuptools", "six", "tomli", "tomli-w", "truststore", "urllib3"),
)
LICENSES = {
    **dict.fromkeys(_APACHE, "Apache-2.0"),
    **dict.fromkeys(_MIT, "MIT"),
    "certifi": "MPL-2.0",
    "chardet": "LGPL-2.1-or-later",
    "colorama": "BSD-3-Clause",
    "distlib": "Python-2.0",
    "idna": "BSD-3-Clause",
    "packaging": "Apache-2.0 OR BSD-2-Clause",
    "progress": "ISC",
    "pygments": "BSD-2-Clause",
    "resolvelib": "ISC",
    "typing-extensions": "PSF-2.0",
    "webencodings": "BSD-3-Clause",
}
# The first release under another licence.
_UNTIL = {"chardet": 6}


def known_license(name: str, version: str) -> str | None:
    """SPDX; None if it is not known."""
    project = canonicalize_name(name)
    until = _UNTIL.get(project)
    if until is not None:
        major = re.match("[0-9]+", version)
        if major is None or int(major[0]) >= until:
            return None
    return LICENSES.get(project)
