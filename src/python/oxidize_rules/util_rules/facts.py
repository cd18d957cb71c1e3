"""Facts about the parts of executables, as steps hand them on, and the programs that find them."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.resources import contents, read_binary
from typing import Any, Iterable, Tuple

from pants.engine.fs import CreateDigest, Digest, FileContent, RemovePrefix
from pants.util.frozendict import FrozenDict
from pants.util.logging import LogLevel

from oxidize_rules import texts
from oxidize_rules.compat import (
    collect_rules,
    create_digest,
    execute_process,
    implicitly,
    remove_prefix,
    rule,
)
from oxidize_rules.util_rules.sandbox_program import raise_on_failure
from oxidize_rules.util_rules.tools_pex import REPORTS, prepare_tool_process, sandbox_tool

# Where the folder of our texts stands in a sandbox.
_OUR_TEXTS_DIR = "__texts"
_OUTPUT = "facts"


@dataclass(frozen=True)
class Facts:
    """`digest` holds `facts.json` and `texts/`, as sandbox/parts/facts.py describes them."""

    digest: Digest


@dataclass(frozen=True)
class OurTextsRequest:
    pass


@dataclass(frozen=True)
class OurTexts:
    """The files of `oxidize_rules.texts`."""

    digest: Digest


@rule
async def prepare_our_texts(request: OurTextsRequest) -> OurTexts:
    digest = await create_digest(
        CreateDigest(
            FileContent(name, read_binary(texts, name))
            for name in sorted(contents(texts))
            if name.endswith(".txt")
        )
    )
    return OurTexts(digest)


@dataclass(frozen=True)
class FactsRequest:
    """Runs `oxidize_rules.sandbox.<program>` with `subject` (what the facts are about, "" if that
    needs no name), the folder that it writes, `options`, and `--texts`.

    `inputs`: digests by their folder.

    `where` is whom a failure concerns, `finding` what is found out ("what it consists of").
    """

    program: str
    subject: str
    options: Tuple[str, ...]
    inputs: FrozenDict[str, Digest]
    where: str
    finding: str


@rule(level=LogLevel.DEBUG)
async def find_facts(request: FactsRequest) -> Facts:
    our_texts = await prepare_our_texts(OurTextsRequest(), **implicitly())
    process = await prepare_tool_process(
        sandbox_tool(
            request.program,
            *([request.subject] if request.subject else []),
            _OUTPUT,
            *request.options,
            f"--texts={_OUR_TEXTS_DIR}",
            environment=REPORTS,
            description=f"Find out {request.finding}",
            immutable_input_digests=FrozenDict(
                {**request.inputs, _OUR_TEXTS_DIR: our_texts.digest}
            ),
            output_directories=(_OUTPUT,),
            level=LogLevel.DEBUG,
        ),
        **implicitly(),
    )
    result = await execute_process(process, **implicitly())
    raise_on_failure(result, where=request.where, doing=f"find out {request.finding}")
    return Facts(await remove_prefix(RemovePrefix(result.output_digest, _OUTPUT)))


def rules() -> Iterable[Any]:
    return collect_rules()
