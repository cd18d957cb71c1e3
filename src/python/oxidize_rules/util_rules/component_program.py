"""Runs a sandbox program over what each component of a binary tells of itself.

The program gets a list of files, one of each component, as `--option @list`. It runs under the
Python of the distribution's steps. What it reads beside that are small files and arguments.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Iterable, Tuple

from pants.engine.addresses import Address
from pants.engine.fs import AddPrefix, CreateDigest, Digest, FileContent, MergeDigests

from oxidize_rules.compat import (
    add_prefix,
    collect_rules,
    concurrently,
    create_digest,
    execute_process,
    implicitly,
    merge_digests,
    rule,
)
from oxidize_rules.util_rules.host_program import HostProgramRequest, prepare_host_process
from oxidize_rules.util_rules.sandbox_program import raise_on_failure


@dataclass(frozen=True)
class ToldFiles:
    """`file` is in each of the digests, which come with the components' `symbol_id`s.

    `option` is the one that takes the list, `folder` names the place and the list.
    """

    option: str
    folder: str
    file: str
    digests: Tuple[Tuple[str, Digest], ...]


@dataclass(frozen=True)
class ComponentProgramRequest:
    """`program`: a module of `oxidize_rules.sandbox`.

    `doing` names the step, for errors and for the user ("check the imports").
    """

    address: Address
    distribution: Address
    program: str
    told: ToldFiles
    files: Tuple[FileContent, ...]
    arguments: Tuple[str, ...]
    outputs: Tuple[str, ...]
    description: str
    doing: str


@dataclass(frozen=True)
class ComponentProgramResult:
    """`digest` has the outputs."""

    digest: Digest


@rule
async def run_component_program(request: ComponentProgramRequest) -> ComponentProgramResult:
    told = request.told
    told_by_each = await concurrently(
        add_prefix(AddPrefix(digest, f"{told.folder}/{symbol_id}"))
        for symbol_id, digest in told.digests
    )
    listed = f"{told.folder}.txt"
    paths = "".join(f"{told.folder}/{symbol_id}/{told.file}\n" for symbol_id, _ in told.digests)
    files = await create_digest(CreateDigest([FileContent(listed, paths.encode()), *request.files]))
    process = await prepare_host_process(
        HostProgramRequest(
            request.distribution,
            request.program,
            (told.option, f"@{listed}", *request.arguments),
            request.description,
            input_digest=await merge_digests(MergeDigests([*told_by_each, files])),
            output_files=request.outputs,
        ),
        **implicitly(),
    )
    result = await execute_process(process, **implicitly())
    raise_on_failure(result, where=str(request.address), doing=request.doing)
    return ComponentProgramResult(result.output_digest)


def rules() -> Iterable[object]:
    return collect_rules()
