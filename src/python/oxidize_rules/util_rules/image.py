"""The image's index of a binary: its components' manifests and its settings, merged.

The index is small. Payloads stay in the components' own objects, which the linker puts together.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Iterable, Tuple

from pants.engine.addresses import Address
from pants.engine.fs import (
    AddPrefix,
    CreateDigest,
    Digest,
    DigestSubset,
    FileContent,
    MergeDigests,
    PathGlobs,
)
from pants.engine.process import Process
from pants.util.frozendict import FrozenDict
from pants.util.logging import LogLevel

from oxidize_rules.compat import (
    add_prefix,
    collect_rules,
    concurrently,
    create_digest,
    digest_subset_to_digest,
    execute_process,
    get_digest_contents,
    implicitly,
    merge_digests,
    rule,
)
from oxidize_rules.util_rules.component import Component
from oxidize_rules.util_rules.host_python import HostPythonRequest, find_host_python
from oxidize_rules.util_rules.sandbox_program import (
    PROGRAMS_DIR,
    SandboxProgramRequest,
    prepare_sandbox_program,
    raise_on_failure,
)

# Modules of `oxidize_rules.sandbox` that make up the image program.
_PROGRAM = ("component", "elf_object", "image", "interpreter_config", "options", "settings", "tree")
_SETTINGS = "settings.json"
_MANIFESTS = "manifests.txt"
_BUILTIN = "builtin.txt"
IMAGE_OBJECT = "image.o"
_REPORT = "image.json"


@dataclass(frozen=True)
class ImageRequest:
    """`settings` are keys and values in order, `builtin` the extension modules linked in.

    `components` come in the order of precedence where two bring the same file.
    """

    address: Address
    distribution: Address
    components: Tuple[Component, ...]
    settings: Tuple[Tuple[str, str], ...]
    builtin: Tuple[str, ...]
    target_triple: str


@dataclass(frozen=True)
class Image:
    """`digest` holds the object `image.o`. `report`: what the image consists of, as JSON."""

    digest: Digest
    report: str


@rule(desc="Merge an image's index", level=LogLevel.DEBUG)
async def merge_image(request: ImageRequest) -> Image:
    program, python = await concurrently(
        prepare_sandbox_program(SandboxProgramRequest(_PROGRAM), **implicitly()),
        find_host_python(HostPythonRequest(request.distribution), **implicitly()),
    )
    folders = [f"manifests/{component.symbol_id}" for component in request.components]
    manifests = await concurrently(
        add_prefix(AddPrefix(component.manifest, folder))
        for component, folder in zip(request.components, folders)
    )
    lists = await create_digest(
        CreateDigest(
            [
                FileContent(_SETTINGS, json.dumps(request.settings).encode()),
                FileContent(
                    _MANIFESTS,
                    "".join(f"{folder}/manifest.json\n" for folder in folders).encode(),
                ),
                FileContent(_BUILTIN, "".join(f"{name}\n" for name in request.builtin).encode()),
            ]
        )
    )
    result = await execute_process(
        Process(
            argv=(
                *python.argv("image"),
                *("--manifest", f"@{_MANIFESTS}"),
                *("--settings", _SETTINGS),
                *("--builtin", f"@{_BUILTIN}"),
                *("--machine", python.target_machine),
                *("--triple", request.target_triple),
                *("--output", IMAGE_OBJECT),
                *("--report", _REPORT),
            ),
            env=python.env,
            input_digest=await merge_digests(MergeDigests([*manifests, lists])),
            immutable_input_digests=FrozenDict(
                {**python.immutable_input_digests, PROGRAMS_DIR: program.digest}
            ),
            output_files=(IMAGE_OBJECT, _REPORT),
            description=f"Merge the image of {request.address}",
            level=LogLevel.DEBUG,
        ),
        **implicitly(),
    )
    raise_on_failure(result, where=str(request.address), doing="merge its image")
    image, report = await concurrently(
        digest_subset_to_digest(DigestSubset(result.output_digest, PathGlobs([file])))
        for file in (IMAGE_OBJECT, _REPORT)
    )
    contents = await get_digest_contents(report)
    return Image(image, contents[0].content.decode())


def rules() -> Iterable[object]:
    return collect_rules()
