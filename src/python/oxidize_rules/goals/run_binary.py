"""`run` for `oxidized_binary` targets: the very executable that `package` writes."""

from __future__ import annotations

from typing import Iterable

from pants.core.goals.run import RunRequest

from oxidize_rules.binary_targets import OxidizedBinaryFieldSet
from oxidize_rules.compat import collect_rules, implicitly, rule
from oxidize_rules.goals.package_binary import package_oxidized_binary


@rule
async def run_oxidized_binary(field_set: OxidizedBinaryFieldSet) -> RunRequest:
    built = await package_oxidized_binary(**implicitly({field_set: OxidizedBinaryFieldSet}))
    relpath = built.artifacts[0].relpath
    assert relpath is not None
    return RunRequest(digest=built.digest, args=(f"{{chroot}}/{relpath}",))


def rules() -> Iterable[object]:
    return [*collect_rules(), *OxidizedBinaryFieldSet.rules()]
