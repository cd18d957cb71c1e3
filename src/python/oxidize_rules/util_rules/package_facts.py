"""The facts of all packages in an executable: its wheels, and those in its standard library."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Iterable, Optional, Tuple

from pants.engine.addresses import Address
from pants.util.logging import LogLevel

from oxidize_rules.compat import collect_rules, concurrently, implicitly, rule
from oxidize_rules.sandbox.parts.linked_libraries import LIBCXX
from oxidize_rules.util_rules.component import Component
from oxidize_rules.util_rules.cxx_library import CxxVersionRequest, find_cxx_version
from oxidize_rules.util_rules.distribution import (
    PythonDistribution,
    PythonDistributionRequest,
    load_python_distribution,
)
from oxidize_rules.util_rules.stdlib_wheels import StdlibWheelsRequest, find_stdlib_wheels
from oxidize_rules.util_rules.wheel_facts import (
    WheelFactsRequest,
    WheelsFacts,
    WheelsFactsRequest,
    find_facts_of_wheels,
)
from oxidize_rules.util_rules.wheels import Sdist, Wheel


@dataclass(frozen=True)
class PackageFactsRequest:
    """`where`: the binary's address. `components` are those of the executable.

    `installed`: its wheels, each with the archive that it was built from, if it was built here;
    `first_party`: those of these archives that are the team's own. `include_stdlib`: the globs of
    that field which name something.
    """

    where: str
    distribution: Address
    installed: Tuple[Tuple[Wheel, Optional[Sdist]], ...]
    first_party: Tuple[Sdist, ...]
    components: Tuple[Component, ...]
    include_stdlib: Tuple[str, ...]


def facts_of_installed(
    request: PackageFactsRequest,
    distribution: PythonDistribution,
    wheel: Wheel,
    source: Optional[Sdist],
    libcxx: Optional[str],
) -> WheelFactsRequest:
    """`libcxx`: the version of the toolchain's libc++, if it is known."""
    own = source is not None and source in request.first_party
    return WheelFactsRequest(
        where=request.where,
        wheel=wheel,
        component=f"wheel:{wheel.name}",
        python_version=distribution.python_version,
        target_triple=distribution.target_triple,
        source=None if own else source,
        first_party=source.project if source is not None and own else None,
        linked=((LIBCXX, libcxx),) if source is not None and libcxx else (),
    )


@rule(desc="Find out what an executable's packages consist of", level=LogLevel.DEBUG)
async def find_package_facts(request: PackageFactsRequest) -> WheelsFacts:
    distribution, cxx, in_stdlib = await concurrently(
        load_python_distribution(PythonDistributionRequest(request.distribution), **implicitly()),
        find_cxx_version(CxxVersionRequest(), **implicitly()),
        find_stdlib_wheels(
            StdlibWheelsRequest(
                request.where,
                request.distribution,
                request.components,
                tuple(wheel for wheel, _ in request.installed),
                request.include_stdlib,
            ),
            **implicitly(),
        ),
    )
    installed = (
        facts_of_installed(request, distribution, wheel, source, cxx.version)
        for wheel, source in request.installed
    )
    return await find_facts_of_wheels(
        WheelsFactsRequest((*installed, *in_stdlib.requests)), **implicitly()
    )


def rules() -> Iterable[Any]:
    return collect_rules()
