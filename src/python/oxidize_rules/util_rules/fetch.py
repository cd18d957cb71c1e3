"""Downloads pinned files, through `sandbox/fetch.py`: several places, resume, proxies."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Iterable, Optional, Tuple

from pants.engine.fs import Digest
from pants.util.logging import LogLevel

from oxidize_rules.compat import collect_rules, execute_process, implicitly, rule
from oxidize_rules.util_rules.sandbox_program import raise_on_failure
from oxidize_rules.util_rules.tools_pex import prepare_tool_process, sandbox_tool


@dataclass(frozen=True)
class FetchRequest:
    """`where`: the address of the target that names the file. `size` in bytes.

    `debian_path`: where Debian's archive has it (`pool/main/...`), asked after the URLs.
    """

    where: str
    filename: str
    urls: Tuple[str, ...]
    debian_path: Optional[str]
    sha256: str
    size: Optional[int]


@dataclass(frozen=True)
class FetchedFile:
    digest: Digest
    path: str


@rule(desc="Download a pinned file", level=LogLevel.DEBUG)
async def fetch_file(request: FetchRequest) -> FetchedFile:
    args = [f"--url={url}" for url in request.urls]
    if request.debian_path:
        args.append(f"--debian-path={request.debian_path}")
    if request.size is not None:
        args.append(f"--size={request.size}")
    size = f" ({request.size / 1e6:.1f} MB)" if request.size is not None else ""
    process = await prepare_tool_process(
        sandbox_tool(
            "fetch",
            *args,
            f"--sha256={request.sha256}",
            f"--output={request.filename}",
            description=f"Download {request.filename}{size} for {request.where}",
            output_files=(request.filename,),
            network=True,
        ),
        **implicitly(),
    )
    result = await execute_process(process, **implicitly())
    raise_on_failure(result, where=request.where, doing=f"download {request.filename}")
    return FetchedFile(result.output_digest, request.filename)


def rules() -> Iterable[Any]:
    return collect_rules()
