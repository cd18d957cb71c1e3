"""The image's index of a binary: its components' manifests and its settings, merged.

The index is small. Payloads stay in the components' own objects, which the linker puts together.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Iterable, Tuple

from pants.engine.addresses import Address
from pants.engine.fs import Digest, DigestSubset, FileContent, PathGlobs
from pants.util.logging import LogLevel

from oxidize_rules.compat import (
    collect_rules,
    concurrently,
    digest_subset_to_digest,
    get_digest_contents,
    implicitly,
    rule,
)
from oxidize_rules.util_rules import component_program
from oxidize_rules.util_rules.component import MANIFEST, Component
from oxidize_rules.util_rules.component_program import (
    ComponentProgramRequest,
    ToldFiles,
    run_component_program,
)
from oxidize_rules.util_rules.host_python import HostPythonRequest, find_host_python

_SETTINGS = "settings.json"
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
    python = await find_host_python(HostPythonRequest(request.distribution), **implicitly())
    result = await run_component_program(
        ComponentProgramRequest(
            address=request.address,
            distribution=request.distribution,
            program="images.image",
            told=ToldFiles(
                "--manifest",
                "manifests",
                MANIFEST,
                tuple((one.symbol_id, one.manifest) for one in request.components),
            ),
            files=(
                FileContent(_SETTINGS, json.dumps(request.settings).encode()),
                FileContent(_BUILTIN, "".join(f"{name}\n" for name in request.builtin).encode()),
            ),
            arguments=(
                *("--settings", _SETTINGS),
                *("--builtin", f"@{_BUILTIN}"),
                *("--machine", python.target_machine),
                *("--triple", request.target_triple),
                *("--output", IMAGE_OBJECT),
                *("--report", _REPORT),
            ),
            outputs=(IMAGE_OBJECT, _REPORT),
            description=f"Merge the image of {request.address}",
            doing="merge its image",
        ),
        **implicitly(),
    )
    image, report = await concurrently(
        digest_subset_to_digest(DigestSubset(result.digest, PathGlobs([file])))
        for file in (IMAGE_OBJECT, _REPORT)
    )
    contents = await get_digest_contents(report)
    return Image(image, contents[0].content.decode())


def rules() -> Iterable[object]:
    return [*collect_rules(), *component_program.rules()]
