"""Which wheels a binary can take: the one list of tags, and the target's environment markers.

Both are handed to pex as a "complete platform", whose format is the output of
`pex3 interpreter inspect --markers --tags`. Tags follow PEP 425, markers PEP 508.
"""

from __future__ import annotations

from typing import Dict, List


def compatible_tags(python_version: str, target_triple: str) -> List[str]:
    """Tags of fitting wheels, best first.

    `python_version` is "3.13" or "3.13.5". Only wheels without native code fit so far, whatever
    the triple: extension modules cannot be loaded from the executable yet.
    """
    major, minor = (int(part) for part in python_version.split(".")[:2])
    versions = [f"py{major}{minor}", f"py{major}"]
    versions += [f"py{major}{older}" for older in range(minor - 1, -1, -1)]
    return [f"cp{major}{minor}-none-any", *(f"{version}-none-any" for version in versions)]


def marker_environment(python_version: str, target_triple: str) -> Dict[str, str]:
    """The values of environment markers inside a binary of `python_version` ("3.13.5")."""
    return {
        "implementation_name": "cpython",
        "implementation_version": python_version,
        "os_name": "posix",
        "platform_machine": target_triple.split("-")[0],
        "platform_python_implementation": "CPython",
        "platform_release": "",
        "platform_system": "Linux",
        "platform_version": "",
        "python_full_version": python_version,
        "python_version": ".".join(python_version.split(".")[:2]),
        "sys_platform": "linux",
    }


def complete_platform(python_version: str, target_triple: str) -> Dict[str, object]:
    return {
        "compatible_tags": compatible_tags(python_version, target_triple),
        "marker_environment": marker_environment(python_version, target_triple),
    }
