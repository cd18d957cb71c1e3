"""The checks: one function for each package, which uses it in earnest."""

from checks import columns, data, network, numeric, pictures, security, system, text, values
from checks.registry import CHECKS, NATIVE_PART, command

MODULES = (columns, data, network, numeric, pictures, security, system, text, values)
__all__ = ["CHECKS", "MODULES", "NATIVE_PART", "command"]
