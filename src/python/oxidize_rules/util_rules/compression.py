"""Whether sources are stored compressed in an executable, and what decompresses them."""

from __future__ import annotations

import posixpath
from typing import Optional

from oxidize_rules.binary_targets import OxidizedBinaryFieldSet
from oxidize_rules.util_rules.distribution import PythonDistribution

_ARCHIVE = "libz.a"


def zlib_archive(distribution: PythonDistribution) -> Optional[str]:
    """zlib as a static library, as a path in the distribution's objects; None: it has none.

    It is what the extension module `zlib` is linked with, whether a binary has that module or not.
    """
    paths = (path for one in distribution.extensions for path in one.static_libraries)
    return next((path for path in paths if posixpath.basename(path) == _ARCHIVE), None)


def archive_to_decompress(
    fields: OxidizedBinaryFieldSet, distribution: PythonDistribution
) -> Optional[str]:
    """zlib for an executable with compressed sources; None: all is stored as it is."""
    wanted = fields.compress.value and fields.include_sources.value
    return zlib_archive(distribution) if wanted else None
