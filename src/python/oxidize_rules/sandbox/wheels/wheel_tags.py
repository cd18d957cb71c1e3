"""Which wheels a binary can take: the one list of tags, and the target's environment markers.

Tags follow PEP 425, 600 (manylinux) and 656 (musllinux) in the order that pip and `packaging.tags`
prefer them; markers follow PEP 508.
"""

from __future__ import annotations

from typing import Dict, List, Optional, Tuple

# musllinux_X_Y: built against musl X.Y or older. Executables have musl 1.2.5 inside.
_MUSL = (1, 2)
# What a glibc executable runs with where nothing else is said, and what any machine's first glibc
# in a manylinux tag was.
DEFAULT_GLIBC_FLOOR = "2.17"
_FIRST_GLIBC_MINOR = {"x86_64": 5}
_FIRST_GLIBC_MINOR_ELSEWHERE = 17
# PEP 600's names for what earlier PEPs called by years.
MANYLINUX_ALIASES = {17: "manylinux2014", 12: "manylinux2010", 5: "manylinux1"}
# The first Python with a stable ABI.
_FIRST_ABI3_MINOR = 2


def is_musl(target_triple: str) -> bool:
    return target_triple.endswith("-musl")


def platform_tags(target_triple: str, glibc_floor: Optional[str] = None) -> List[str]:
    """The target's platforms, best first: newest C library first, as built for the target.

    `linux_x86_64` comes last: nothing is known of such a wheel's C library, no public index takes
    it, and it was built by the team itself (the link step checks what it needs).
    """
    machine = target_triple.split("-")[0]
    if is_musl(target_triple):
        major, newest = _MUSL
        libc = [f"musllinux_{major}_{minor}_{machine}" for minor in range(newest, -1, -1)]
    else:
        floor = int((glibc_floor or DEFAULT_GLIBC_FLOOR).split(".")[1])
        first = _FIRST_GLIBC_MINOR.get(machine, _FIRST_GLIBC_MINOR_ELSEWHERE)
        libc = []
        for minor in range(floor, first - 1, -1):
            libc.append(f"manylinux_2_{minor}_{machine}")
            if minor in MANYLINUX_ALIASES:
                libc.append(f"{MANYLINUX_ALIASES[minor]}_{machine}")
    return [*libc, f"linux_{machine}"]


def compatible_tags(
    python_version: str,
    target_triple: str,
    glibc_floor: Optional[str] = None,
    *,
    native: bool = True,
) -> List[str]:
    """Tags of fitting wheels, best first.

    `python_version` is "3.13" or "3.13.5", `glibc_floor` the oldest glibc that the binary runs
    with. Without `native` only wheels without native code fit: nothing can be loaded.
    """
    major, minor = _python(python_version)
    this = f"cp{major}{minor}"
    versions = [f"py{major}{minor}", f"py{major}"]
    versions += [f"py{major}{older}" for older in range(minor - 1, -1, -1)]
    tags: List[str] = []
    if native:
        platforms = platform_tags(target_triple, glibc_floor)
        abis = [f"{this}-{this}", f"{this}-abi3", f"{this}-none"]
        abis += [f"cp{major}{old}-abi3" for old in range(minor - 1, _FIRST_ABI3_MINOR - 1, -1)]
        abis += [f"{version}-none" for version in versions]
        tags = [f"{abi}-{platform}" for abi in abis for platform in platforms]
    return [*tags, f"{this}-none-any", *(f"{version}-none-any" for version in versions)]


def _python(version: str) -> Tuple[int, int]:
    major, minor = (int(part) for part in version.split(".")[:2])
    return major, minor


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
