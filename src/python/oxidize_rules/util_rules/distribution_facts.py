"""The facts of a Python distribution, which all of its executables share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Iterable

from pants.engine.addresses import Address
from pants.engine.fs import DigestSubset, MergeDigests, PathGlobs
from pants.util.frozendict import FrozenDict
from pants.util.logging import LogLevel

from oxidize_rules.compat import (
    collect_rules,
    concurrently,
    digest_subset_to_digest,
    implicitly,
    merge_digests,
    rule,
)
from oxidize_rules.util_rules import facts
from oxidize_rules.util_rules.distribution import (
    PythonDistributionRequest,
    UnpackedArchiveRequest,
    load_python_distribution,
    unpack_archive,
)
from oxidize_rules.util_rules.facts import Facts, FactsRequest, find_facts

_ROOT = "__distribution"
# What is said of the distribution, and of its libraries by pkg-config's files.
_METADATA = PathGlobs(["PYTHON.json", "build/lib/pkgconfig/*.pc"])


@dataclass(frozen=True)
class DistributionFactsRequest:
    distribution: Address


@rule(desc="Find out what a Python distribution consists of", level=LogLevel.DEBUG)
async def find_distribution_facts(request: DistributionFactsRequest) -> Facts:
    # Loading checks the metadata first.
    distribution, unpacked = await concurrently(
        load_python_distribution(PythonDistributionRequest(request.distribution), **implicitly()),
        unpack_archive(UnpackedArchiveRequest(request.distribution), **implicitly()),
    )
    metadata = await digest_subset_to_digest(DigestSubset(unpacked.digest, _METADATA))
    root = await merge_digests(
        MergeDigests((metadata, distribution.objects, distribution.licenses))
    )
    return await find_facts(
        FactsRequest(
            "parts.distribution_facts",
            _ROOT,
            (),
            FrozenDict({_ROOT: root}),
            where=str(request.distribution),
            finding=f"what {request.distribution} consists of",
        ),
        **implicitly(),
    )


def rules() -> Iterable[Any]:
    return [*collect_rules(), *facts.rules()]
