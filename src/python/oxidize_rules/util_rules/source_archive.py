"""Downloads the archive of a `source_archive` target."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Iterable

from pants.engine.addresses import Address
from pants.engine.target import WrappedTargetRequest
from pants.util.logging import LogLevel

from oxidize_rules.compat import collect_rules, implicitly, resolve_target, rule
from oxidize_rules.native_targets import (
    SourceArchiveTarget,
    SourceDebianPathField,
    SourceSha256Field,
    SourceSizeField,
    SourceUrlsField,
)
from oxidize_rules.util_rules.fetch import FetchedFile, FetchRequest, fetch_file
from oxidize_rules.util_rules.sandbox_program import OxidizeError


@dataclass(frozen=True)
class SourceArchiveRequest:
    address: Address


@rule(desc="Download a source archive", level=LogLevel.DEBUG)
async def fetch_source_archive(request: SourceArchiveRequest) -> FetchedFile:
    wrapped = await resolve_target(
        WrappedTargetRequest(request.address, description_of_origin="a `source` field"),
        **implicitly(),
    )
    target = wrapped.target
    if not target.has_field(SourceSha256Field) or not target.has_field(SourceUrlsField):
        raise OxidizeError(
            f"{request.address} is a `{target.alias}` target, but a `source` field needs a "
            f"`{SourceArchiveTarget.alias}` target."
        )
    urls = target[SourceUrlsField].value or ()
    debian_path = target[SourceDebianPathField].value
    if not urls and not debian_path:
        raise OxidizeError(
            f"{request.address}: neither `{SourceUrlsField.alias}` nor "
            f"`{SourceDebianPathField.alias}` says where the archive is. To fix, give one of them."
        )
    place = urls[0] if urls else str(debian_path)
    fetched: FetchedFile = await fetch_file(
        FetchRequest(
            where=str(request.address),
            filename=place.partition("?")[0].rpartition("/")[2] or "source.tar",
            urls=tuple(urls),
            debian_path=debian_path,
            sha256=target[SourceSha256Field].value,
            size=target[SourceSizeField].value,
        ),
        **implicitly(),
    )
    return fetched


def rules() -> Iterable[Any]:
    return collect_rules()
