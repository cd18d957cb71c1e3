"""Files with advisories, as the goals' option `--advisories` names them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Iterable, Tuple

from pants.engine.fs import Digest, GlobMatchErrorBehavior, PathGlobs

from oxidize_rules.compat import (
    collect_rules,
    digest_to_snapshot,
    path_globs_to_digest,
    rule,
)
from oxidize_rules.util_rules.sandbox_program import OxidizeError


@dataclass(frozen=True)
class AdvisoriesRequest:
    """`globs` below the build root; `goal` is who asks."""

    globs: Tuple[str, ...]
    goal: str


@dataclass(frozen=True)
class Advisories:
    digest: Digest
    paths: Tuple[str, ...]


@rule
async def find_advisories(request: AdvisoriesRequest) -> Advisories:
    for glob in request.globs:
        if glob.startswith("/") or ".." in glob.split("/"):
            raise OxidizeError(
                f"{request.goal}: `--advisories` is `{glob}`, expected a path below the build "
                "root. To fix, put the file there, and name it relative to `pants.toml`."
            )
    digest = await path_globs_to_digest(
        PathGlobs(
            request.globs,
            glob_match_error_behavior=GlobMatchErrorBehavior.error,
            description_of_origin=f"the option `--advisories` of {request.goal}",
        )
    )
    snapshot = await digest_to_snapshot(digest)
    return Advisories(digest, snapshot.files)


def rules() -> Iterable[object]:
    return collect_rules()
