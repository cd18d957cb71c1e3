"""The facts of a wheel, which all executables share that contain it
(sandbox/parts/wheel_facts.py)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Iterable, List, Optional, Tuple

from pants.util.frozendict import FrozenDict
from pants.util.logging import LogLevel

from oxidize_rules.compat import (
    collect_rules,
    concurrently,
    implicitly,
    rule,
)
from oxidize_rules.util_rules import facts
from oxidize_rules.util_rules.facts import Facts, FactsRequest, find_facts
from oxidize_rules.util_rules.wheels import Sdist, Wheel

_WHEEL = "__wheel"
_SOURCE = "__source"


@dataclass(frozen=True)
class WheelFactsRequest:
    """`component` is the wheel's in the image. `source`: the archive that it was built from.

    `first_party`: the address of the `python_distribution` that it is, else None.
    `include_stdlib`: of a wheel that is a file of the standard library, the globs of that field
    which bring it; `component` is the standard library's then.
    `linked`: of a wheel that was built here, names and versions of libraries that the toolchain
    links into its modules.
    `id_name`: what the ids of its parts have for the project's name, where another wheel has that.
    """

    where: str
    wheel: Wheel
    component: str
    python_version: str
    target_triple: str
    source: Optional[Sdist] = None
    first_party: Optional[str] = None
    include_stdlib: Tuple[str, ...] = ()
    id_name: Optional[str] = None
    linked: Tuple[Tuple[str, str], ...] = ()


@dataclass(frozen=True)
class WheelsFactsRequest:
    requests: Tuple[WheelFactsRequest, ...]


@dataclass(frozen=True)
class WheelsFacts:
    """In the requests' order."""

    facts: Tuple[Facts, ...]


@rule(desc="Find out what a wheel consists of", level=LogLevel.DEBUG)
async def find_wheel_facts(request: WheelFactsRequest) -> Facts:
    inputs = {_WHEEL: request.wheel.digest}
    args: List[str] = []
    if request.first_party:
        args = [f"--first-party={request.first_party}"]
    elif request.source:
        inputs[_SOURCE] = request.source.digest
        args = [f"--source={_SOURCE}/{request.source.filename}"]
    args += [f"--include-stdlib={glob}" for glob in request.include_stdlib]
    if request.id_name:
        args += [f"--id-name={request.id_name}"]
    args += [f"--linked={name}={version}" for name, version in request.linked]
    # What only the minor version decides is the same for all of its patch releases.
    minor = ".".join(request.python_version.split(".")[:2])
    return await find_facts(
        FactsRequest(
            "parts.wheel_facts",
            f"{_WHEEL}/{request.wheel.filename}",
            (
                f"--component={request.component}",
                f"--python-version={minor}",
                f"--machine={request.target_triple.split('-')[0]}",
                *args,
            ),
            FrozenDict(inputs),
            where=request.where,
            finding=f"what {request.wheel.filename} consists of",
        ),
        **implicitly(),
    )


@rule(desc="Find out what wheels consist of", level=LogLevel.DEBUG)
async def find_facts_of_wheels(request: WheelsFactsRequest) -> WheelsFacts:
    found = await concurrently(find_wheel_facts(one, **implicitly()) for one in request.requests)
    return WheelsFacts(tuple(found))


def rules() -> Iterable[Any]:
    return [*collect_rules(), *facts.rules()]
