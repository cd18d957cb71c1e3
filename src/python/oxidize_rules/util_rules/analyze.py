"""Analyses ELF files in a cached process: see `sandbox/analysis/analyze.py`."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Dict, Iterable, List, Tuple

from pants.engine.fs import CreateDigest, Digest, FileContent, MergeDigests
from pants.util.logging import LogLevel

from oxidize_rules.compat import (
    collect_rules,
    create_digest,
    execute_process,
    get_digest_contents,
    implicitly,
    merge_digests,
    rule,
)
from oxidize_rules.util_rules.sandbox_program import raise_on_failure
from oxidize_rules.util_rules.tools_pex import REPORTS, prepare_tool_process, sandbox_tool

_FILES, _REPORTS = "__files.txt", "__reports.json"


@dataclass(frozen=True)
class AnalyzeRequest:
    """`paths` of files in `digest`; `what` names them in the process's description."""

    digest: Digest
    paths: Tuple[str, ...]
    what: str


@dataclass(frozen=True)
class Analyzed:
    """`content` is the JSON that the program writes."""

    content: str

    def reports(self) -> List[Dict[str, Any]]:
        """In the order of the request's paths; of a file that is no ELF file, with `not_elf`."""
        files: List[Dict[str, Any]] = json.loads(self.content)["files"]
        return files


@rule(desc="Analyze files", level=LogLevel.DEBUG)
async def analyze_files(request: AnalyzeRequest) -> Analyzed:
    names = "".join(f"{path}\n" for path in request.paths)
    written = await create_digest(CreateDigest([FileContent(_FILES, names.encode())]))
    digest = await merge_digests(MergeDigests([request.digest, written]))
    process = await prepare_tool_process(
        sandbox_tool(
            "analysis.analyze",
            *("--files-from", _FILES),
            *("--output", _REPORTS),
            input_digest=digest,
            output_files=(_REPORTS,),
            description=f"Analyze {request.what}",
            environment=REPORTS,
        ),
        **implicitly(),
    )
    result = await execute_process(process, **implicitly())
    raise_on_failure(result, where=request.what, doing="analyze it")
    (file,) = await get_digest_contents(result.output_digest)
    return Analyzed(file.content.decode())


def rules() -> Iterable[object]:
    return collect_rules()
