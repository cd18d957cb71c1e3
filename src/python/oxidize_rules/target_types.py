"""Every target type of the plugin, wherever it is defined."""

from __future__ import annotations

from oxidize_rules.binary_targets import OxidizedBinaryTarget as OxidizedBinaryTarget
from oxidize_rules.distribution_targets import (
    PythonDistributionArchiveTarget as PythonDistributionArchiveTarget,
)
from oxidize_rules.native_targets import (
    PythonDistributionBuildTarget as PythonDistributionBuildTarget,
)
from oxidize_rules.native_targets import SourceArchiveTarget as SourceArchiveTarget
from oxidize_rules.native_targets import StaticLibraryTarget as StaticLibraryTarget
