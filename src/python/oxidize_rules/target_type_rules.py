"""The entry point of a binary: which module it means, and the dependency that follows from it."""

from __future__ import annotations

import dataclasses
import os.path
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import PurePath
from typing import Iterable, Optional

from pants.backend.python.dependency_inference.module_mapper import PythonModuleOwnersRequest
from pants.backend.python.dependency_inference.subsystem import (
    AmbiguityResolution,
    PythonInferSubsystem,
)
from pants.backend.python.subsystems.setup import PythonSetup
from pants.backend.python.target_types import EntryPoint
from pants.engine.fs import PathGlobs
from pants.engine.target import (
    DependenciesRequest,
    FieldSet,
    InferDependenciesRequest,
    InferredDependencies,
)
from pants.engine.unions import UnionRule
from pants.source.source_root import SourceRootRequest
from pants.util.strutil import softwrap

from oxidize_rules.binary_targets import (
    BinaryDependenciesField,
    BinaryEntryPointField,
    BinaryResolveField,
)
from oxidize_rules.compat import (
    collect_rules,
    concurrently,
    determine_explicitly_provided_dependencies,
    get_source_root,
    implicitly,
    map_module_to_address,
    path_globs_to_paths,
    rule,
)
from oxidize_rules.field_errors import invalid_field


@dataclass(frozen=True)
class ResolveEntryPointRequest:
    field: BinaryEntryPointField


@dataclass(frozen=True)
class ResolvedEntryPoint:
    """`value` names a module, never a file; None for an interpreter-only binary.

    `file` is the path of the file within the repository, if the field names one.
    """

    value: Optional[EntryPoint]
    file: Optional[str]


@rule(desc="Determine the entry point of an `oxidized_binary` target")
async def resolve_entry_point(request: ResolveEntryPointRequest) -> ResolvedEntryPoint:
    field = request.field
    entry_point = field.value
    if entry_point is None or not entry_point.module.endswith(".py"):
        return ResolvedEntryPoint(entry_point, None)

    folder = field.address.spec_path
    file = os.path.join(folder, entry_point.module)
    if any(character in entry_point.module for character in "*?[]{}!"):
        raise invalid_field(
            field.address,
            field.alias,
            found=f"`{entry_point.spec}`",
            expected="it must name one file, not a pattern",
            remedy="write the file's name",
        )
    paths = await path_globs_to_paths(PathGlobs([file]))
    if not paths.files:
        beside = await path_globs_to_paths(PathGlobs([os.path.join(folder, "**", "*.py")]))
        names = sorted(os.path.relpath(path, folder or ".") for path in beside.files)
        close = get_close_matches(entry_point.module, names, n=3)
        raise invalid_field(
            field.address,
            field.alias,
            found=f"`{entry_point.spec}`",
            expected=f"there is no file `{file}`",
            remedy=(
                "correct the name"
                + (f" (near it: {', '.join(f'`{name}`' for name in close)})" if close else "")
                + f", which is relative to the folder of the BUILD file, `{folder or '.'}`"
            ),
        )
    root = await get_source_root(SourceRootRequest(PurePath(file).parent))
    stripped = os.path.relpath(file, root.path)
    module = os.path.splitext(stripped)[0].replace(os.path.sep, ".")
    return ResolvedEntryPoint(dataclasses.replace(entry_point, module=module), file)


@dataclass(frozen=True)
class BinaryEntryPointInferenceFieldSet(FieldSet):
    required_fields = (BinaryDependenciesField, BinaryEntryPointField, BinaryResolveField)

    dependencies: BinaryDependenciesField
    entry_point: BinaryEntryPointField
    resolve: BinaryResolveField


class InferBinaryEntryPointDependency(InferDependenciesRequest[BinaryEntryPointInferenceFieldSet]):
    infer_from = BinaryEntryPointInferenceFieldSet


@rule(desc="Infer the dependency of an `oxidized_binary` target on its entry point")
async def infer_binary_entry_point_dependency(
    request: InferBinaryEntryPointDependency,
    python_infer: PythonInferSubsystem,
    python_setup: PythonSetup,
) -> InferredDependencies:
    fields = request.field_set
    if not python_infer.entry_points or fields.entry_point.value is None:
        return InferredDependencies([])
    explicit, entry_point = await concurrently(
        determine_explicitly_provided_dependencies(
            DependenciesRequest(fields.dependencies), **implicitly()
        ),
        resolve_entry_point(ResolveEntryPointRequest(fields.entry_point), **implicitly()),
    )
    assert entry_point.value is not None

    locality = None
    if python_infer.ambiguity_resolution == AmbiguityResolution.by_source_root:
        root = await get_source_root(SourceRootRequest.for_address(fields.address))
        locality = root.path
    owners = await map_module_to_address(
        PythonModuleOwnersRequest(
            entry_point.value.module,
            resolve=fields.resolve.normalized_value(python_setup),
            locality=locality,
        ),
        **implicitly(),
    )
    by_file = entry_point.file is not None
    explicit.maybe_warn_of_ambiguous_dependency_inference(
        owners.ambiguous,
        fields.address,
        owners_must_be_ancestors=by_file,
        import_reference="module",
        context=softwrap(
            f"""
            The `oxidized_binary` target {fields.address} has the entry point
            `{fields.entry_point.value.spec}`, which means the module `{entry_point.value.module}`
            """
        ),
    )
    chosen = explicit.disambiguated(owners.ambiguous, owners_must_be_ancestors=by_file)
    return InferredDependencies(owners.unambiguous or ((chosen,) if chosen else ()))


def rules() -> Iterable[object]:
    return [
        *collect_rules(),
        UnionRule(InferDependenciesRequest, InferBinaryEntryPointDependency),
    ]
