"""The facts of a Python distribution, which all of its executables share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Iterable

from pants.engine.addresses import Address
from pants.engine.fs import DigestSubset, MergeDigests, PathGlobs, RemovePrefix
from pants.util.frozendict import FrozenDict
from pants.util.logging import LogLevel

from oxidize_rules.compat import (
    collect_rules,
    concurrently,
    digest_subset_to_digest,
    execute_process,
    implicitly,
    merge_digests,
    remove_prefix,
    rule,
)
from oxidize_rules.util_rules import facts
from oxidize_rules.util_rules.distribution import (
    PythonDistributionRequest,
    UnpackedArchiveRequest,
    load_python_distribution,
    unpack_archive,
)
from oxidize_rules.util_rules.facts import (
    OUR_TEXTS_DIR,
    Facts,
    OurTextsRequest,
    prepare_our_texts,
)
from oxidize_rules.util_rules.sandbox_program import raise_on_failure
from oxidize_rules.util_rules.tools_pex import REPORTS, prepare_tool_process, sandbox_tool

# Modules of `oxidize_rules.sandbox` that make up the program, beside its own.
_PROGRAM = ("distribution_metadata", "facts", "known_libraries", "licenses", "vendored_code")
_ROOT = "__distribution"
_OUTPUT = "facts"
# What is said of the distribution, and of its libraries by pkg-config's files.
_METADATA = PathGlobs(["PYTHON.json", "build/lib/pkgconfig/*.pc"])


@dataclass(frozen=True)
class DistributionFactsRequest:
    distribution: Address


@rule(desc="Find out what a Python distribution consists of", level=LogLevel.DEBUG)
async def find_distribution_facts(request: DistributionFactsRequest) -> Facts:
    where = str(request.distribution)
    # Loading checks the metadata first.
    distribution, unpacked, texts = await concurrently(
        load_python_distribution(PythonDistributionRequest(request.distribution), **implicitly()),
        unpack_archive(UnpackedArchiveRequest(request.distribution), **implicitly()),
        prepare_our_texts(OurTextsRequest(), **implicitly()),
    )
    metadata = await digest_subset_to_digest(DigestSubset(unpacked.digest, _METADATA))
    root = await merge_digests(
        MergeDigests((metadata, distribution.objects, distribution.licenses))
    )
    process = await prepare_tool_process(
        sandbox_tool(
            "distribution_facts",
            _ROOT,
            _OUTPUT,
            f"--texts={OUR_TEXTS_DIR}",
            programs=_PROGRAM,
            environment=REPORTS,
            description=f"Find out what {where} consists of",
            immutable_input_digests=FrozenDict({_ROOT: root, OUR_TEXTS_DIR: texts.digest}),
            output_directories=(_OUTPUT,),
            level=LogLevel.DEBUG,
        ),
        **implicitly(),
    )
    result = await execute_process(process, **implicitly())
    raise_on_failure(result, where=where, doing="find out what it consists of")
    return Facts(await remove_prefix(RemovePrefix(result.output_digest, _OUTPUT)))


def rules() -> Iterable[Any]:
    return [*collect_rules(), *facts.rules()]
