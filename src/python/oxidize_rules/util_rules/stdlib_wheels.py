"""Wheels of other projects that lie in the standard library as files, such as ensurepip's pip."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Dict, Iterable, List, Sequence, Tuple

from packaging.utils import canonicalize_name
from pants.engine.addresses import Address
from pants.engine.fs import Digest, DigestSubset, MergeDigests, PathGlobs, RemovePrefix
from pants.util.logging import LogLevel

from oxidize_rules.compat import (
    collect_rules,
    concurrently,
    digest_subset_to_digest,
    get_digest_contents,
    implicitly,
    merge_digests,
    remove_prefix,
    rule,
)
from oxidize_rules.sandbox.images import content
from oxidize_rules.util_rules.component import STDLIB_EXTRA, Component, stdlib_dir
from oxidize_rules.util_rules.distribution import (
    PythonDistributionRequest,
    load_python_distribution,
)
from oxidize_rules.util_rules.wheel_facts import WheelFactsRequest
from oxidize_rules.util_rules.wheels import Wheel

# Below the standard library. Wheels elsewhere were made by CPython, as data for its tests. Until
# 3.12 those of setuptools and wheel lay beside the tests.
FOLDERS = ("ensurepip/_bundled", "test/wheeldata", "test")


@dataclass(frozen=True)
class StdlibWheelsRequest:
    """`components` are those of the executable, `installed` its wheels. `include_stdlib`: the globs
    of that field which name something."""

    where: str
    distribution: Address
    components: Tuple[Component, ...]
    installed: Tuple[Wheel, ...]
    include_stdlib: Tuple[str, ...]


@dataclass(frozen=True)
class StdlibWheels:
    """What to ask for the facts of each that is in the executable."""

    requests: Tuple[WheelFactsRequest, ...]


def wheels_among(paths: Iterable[str], stdlib: str) -> List[str]:
    """Those of a component's files, which are relative to the image's root, in its folder `stdlib`;
    as paths in that, sorted."""
    inner = [path[len(stdlib) + 1 :] for path in paths if path.startswith(f"{stdlib}/")]
    return sorted(
        path for path in inner if path.endswith(".whl") and path.rpartition("/")[0] in FOLDERS
    )


def names_for_ids(wheels: Sequence[str], installed: Iterable[str]) -> Dict[str, str]:
    """What the ids of each wheel's parts have as its name: its project's, or with the version where
    another wheel has that. All are names of wheels, `pip-25.1.1`."""
    taken = {_project(one) for one in installed}
    names = {}
    for wheel in wheels:
        version = wheel.partition("-")[2]
        choices = (_project(wheel), f"{_project(wheel)}@{version}")
        names[wheel] = next((one for one in choices if one not in taken), choices[-1])
        taken.add(names[wheel])
    return names


def _project(wheel: str) -> str:
    return str(canonicalize_name(wheel.partition("-")[0]))


def bringing(include_stdlib: Iterable[str], path: str) -> Tuple[str, ...]:
    """The globs that mean the file at `path` in the standard library."""
    place = content.place(path)
    return tuple(glob for glob in include_stdlib if content.module_matcher([glob])(place))


@dataclass(frozen=True)
class FileOfStdlib:
    """`digest` has the file at `path`."""

    digest: Digest
    path: str


@rule
async def take_wheel(file: FileOfStdlib) -> Wheel:
    subset = await digest_subset_to_digest(DigestSubset(file.digest, PathGlobs([file.path])))
    folder, _, name = file.path.rpartition("/")
    return Wheel(name, await remove_prefix(RemovePrefix(subset, folder)))


@rule(desc="Find wheels in the standard library", level=LogLevel.DEBUG)
async def find_stdlib_wheels(request: StdlibWheelsRequest) -> StdlibWheels:
    # Where they lie is left out of every standard library, unless the field names it.
    component = next((one for one in request.components if one.name == STDLIB_EXTRA), None)
    if component is None:
        return StdlibWheels(())
    distribution = await load_python_distribution(
        PythonDistributionRequest(request.distribution), **implicitly()
    )
    (manifest,) = await get_digest_contents(component.manifest)
    paths = wheels_among(
        (row[0] for row in json.loads(manifest.content)["files"]),
        stdlib_dir(distribution.python_version),
    )
    everything = await merge_digests(MergeDigests((distribution.stdlib, distribution.tests)))
    wheels = await concurrently(
        take_wheel(FileOfStdlib(everything, f"{distribution.stdlib_path}/{path}"), **implicitly())
        for path in paths
    )
    id_names = names_for_ids([one.name for one in wheels], [one.name for one in request.installed])
    return StdlibWheels(
        tuple(
            WheelFactsRequest(
                where=request.where,
                wheel=wheel,
                component=STDLIB_EXTRA,
                python_version=distribution.python_version,
                target_triple=distribution.target_triple,
                id_name=id_names[wheel.name],
                include_stdlib=bringing(request.include_stdlib, path),
            )
            for path, wheel in zip(paths, wheels)
        )
    )


def rules() -> Iterable[Any]:
    return collect_rules()
