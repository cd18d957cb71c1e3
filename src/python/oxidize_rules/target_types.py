"""Every target type of the plugin, wherever it is defined."""

from __future__ import annotations

from oxidize_rules.binary_targets import OxidizedBinaryTarget as OxidizedBinaryTarget
