"""Facts about the parts of executables, as steps hand them on; our own licence texts."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.resources import contents, read_binary
from typing import Any, Iterable

from pants.engine.fs import CreateDigest, Digest, FileContent

from oxidize_rules import texts
from oxidize_rules.compat import collect_rules, create_digest, rule

# Where the folder of our texts stands in a sandbox.
OUR_TEXTS_DIR = "__texts"


@dataclass(frozen=True)
class Facts:
    """`digest` holds `facts.json` and `texts/`, as sandbox/facts.py describes them."""

    digest: Digest


@dataclass(frozen=True)
class OurTextsRequest:
    pass


@dataclass(frozen=True)
class OurTexts:
    """The files of `oxidize_rules.texts`, for `OUR_TEXTS_DIR`."""

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


def rules() -> Iterable[Any]:
    return collect_rules()
