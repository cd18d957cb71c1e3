"""`package` for `oxidized_binary` targets."""

from __future__ import annotations

import os.path
from typing import Iterable

from pants.core.goals.package import BuiltPackage, BuiltPackageArtifact, PackageFieldSet
from pants.engine.fs import AddPrefix, MergeDigests
from pants.engine.unions import UnionRule
from pants.util.logging import LogLevel

from oxidize_rules.binary_targets import OxidizedBinaryFieldSet
from oxidize_rules.compat import add_prefix, collect_rules, implicitly, merge_digests, rule
from oxidize_rules.field_errors import invalid_field
from oxidize_rules.util_rules.executable import ExecutableRequest, build_executable
from oxidize_rules.util_rules.link import debug_filename


def executable_path(field_set: OxidizedBinaryFieldSet) -> str:
    """Where the executable is written, relative to `dist/`. Raises InvalidFieldException."""
    output_path = field_set.output_path.value_or_default(file_ending=None)
    normal = os.path.normpath(output_path)
    if os.path.isabs(normal) or normal.startswith("..") or normal == ".":
        raise invalid_field(
            field_set.address,
            field_set.output_path.alias,
            found=f"`{output_path}`",
            expected="it must be a file's path below `dist/`",
            remedy="write a relative path without `..`",
        )
    return normal


@rule(desc="Package an `oxidized_binary` target", level=LogLevel.DEBUG)
async def package_oxidized_binary(field_set: OxidizedBinaryFieldSet) -> BuiltPackage:
    normal = executable_path(field_set)
    folder, filename = os.path.split(normal)
    executable = await build_executable(ExecutableRequest(field_set, filename), **implicitly())
    files = [executable.digest, *([executable.debug] if executable.debug else [])]
    artifacts = [
        BuiltPackageArtifact(
            normal, extra_log_lines=tuple(f"  {line}" for line in executable.summary)
        )
    ]
    if executable.debug:
        artifacts.append(
            BuiltPackageArtifact(
                debug_filename(normal), extra_log_lines=("  its symbols, for debuggers",)
            )
        )
    digest = await add_prefix(AddPrefix(await merge_digests(MergeDigests(files)), folder))
    return BuiltPackage(digest, tuple(artifacts))


def rules() -> Iterable[object]:
    return [*collect_rules(), UnionRule(PackageFieldSet, OxidizedBinaryFieldSet)]
