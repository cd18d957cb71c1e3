"""`package` for `license_report` targets: the reports on an executable, if its parts may be so."""

from __future__ import annotations

import json
import os.path
from dataclasses import dataclass
from typing import Any, Dict, Iterable

from pants.core.goals.package import BuiltPackage, BuiltPackageArtifact, PackageFieldSet
from pants.engine.addresses import UnparsedAddressInputs
from pants.engine.fs import (
    AddPrefix,
    CreateDigest,
    FileContent,
    MergeDigests,
    RemovePrefix,
)
from pants.engine.target import WrappedTargetRequest
from pants.engine.unions import UnionRule
from pants.util.logging import LogLevel

from oxidize_rules.binary_targets import OxidizedBinaryFieldSet, OxidizedBinaryTarget
from oxidize_rules.compat import (
    add_prefix,
    collect_rules,
    create_digest,
    digest_to_snapshot,
    execute_process,
    implicitly,
    merge_digests,
    remove_prefix,
    resolve_target,
    resolve_unparsed_address_inputs,
    rule,
)
from oxidize_rules.goals.package_binary import executable_path
from oxidize_rules.license_targets import (
    AllowField,
    DenyField,
    FailOnUnknownField,
    FirstPartyLicenseField,
    OverridesField,
    ReportBinaryField,
    ReportFormatsField,
    ReportOutputPathField,
    invalid_report_field,
)
from oxidize_rules.util_rules.executable import ExecutableRequest, build_executable
from oxidize_rules.util_rules.sandbox_program import raise_on_failure
from oxidize_rules.util_rules.tools_pex import REPORTS, prepare_tool_process, sandbox_tool

INVENTORY_DIR = "inventory"
POLICY_FILE = "policy.json"
REPORTS_DIR = "reports"


@dataclass(frozen=True)
class PackageLicenseReportFieldSet(PackageFieldSet):
    required_fields = (ReportBinaryField,)

    binary: ReportBinaryField
    formats: ReportFormatsField
    allow: AllowField
    deny: DenyField
    overrides: OverridesField
    fail_on_unknown: FailOnUnknownField
    first_party_license: FirstPartyLicenseField
    output_path: ReportOutputPathField


def policy(fields: PackageLicenseReportFieldSet, binary: str) -> Dict[str, Any]:
    """What sandbox/reports/license_report.py takes as the policy on the executable of that
    address."""
    allow, deny = list(fields.allow.value or ()), list(fields.deny.value or ())
    fail = fields.fail_on_unknown.value
    return {
        "binary": binary,
        "allow": allow,
        "deny": deny,
        "overrides": {
            name: dict(override) for name, override in (fields.overrides.value or {}).items()
        },
        "fail_on_unknown": bool(allow or deny) if fail is None else fail,
        "first_party_license": fields.first_party_license.value,
    }


@rule(desc="Package a `license_report` target", level=LogLevel.DEBUG)
async def package_license_report(field_set: PackageLicenseReportFieldSet) -> BuiltPackage:
    where, field = field_set.address, field_set.binary
    folder = os.path.normpath(field_set.output_path.value_or_default(file_ending=None))
    if os.path.isabs(folder) or folder.startswith("..") or folder == ".":
        raise invalid_report_field(
            where,
            field_set.output_path.alias,
            found=f"`{folder}`",
            expected="it must be a folder's path below `dist/`",
            remedy="write a relative path without `..`",
        )
    origin = f"the `{field.alias}` field of the target {where}"
    addresses = await resolve_unparsed_address_inputs(
        UnparsedAddressInputs(
            [str(field.value)], owning_address=where, description_of_origin=origin
        ),
        **implicitly(),
    )
    wrapped = await resolve_target(
        WrappedTargetRequest(addresses[0], description_of_origin=origin), **implicitly()
    )
    if not OxidizedBinaryFieldSet.is_applicable(wrapped.target):
        raise invalid_report_field(
            where,
            field.alias,
            found=f"`{field.value}`, a `{wrapped.target.alias}` target",
            expected=f"it must name a target of the type `{OxidizedBinaryTarget.alias}`",
            remedy="give the address of such a target",
        )
    binary = OxidizedBinaryFieldSet.create(wrapped.target)
    executable = await build_executable(
        ExecutableRequest(binary, os.path.basename(executable_path(binary))), **implicitly()
    )
    told = policy(field_set, str(binary.address))
    inventory = await add_prefix(AddPrefix(executable.inventory, INVENTORY_DIR))
    policy_file = await create_digest(
        CreateDigest([FileContent(POLICY_FILE, json.dumps(told, sort_keys=True).encode())])
    )
    process = await prepare_tool_process(
        sandbox_tool(
            "reports.license_report",
            *("--inventory", INVENTORY_DIR, "--policy", POLICY_FILE, "--output", REPORTS_DIR),
            *("--formats", *(field_set.formats.value or ())),
            environment=REPORTS,
            description=f"Write the licence reports {where}",
            input_digest=await merge_digests(MergeDigests([inventory, policy_file])),
            output_directories=(REPORTS_DIR,),
        ),
        **implicitly(),
    )
    result = await execute_process(process, **implicitly())
    raise_on_failure(result, where=str(where), doing="write the licence reports")
    digest = await add_prefix(
        AddPrefix(await remove_prefix(RemovePrefix(result.output_digest, REPORTS_DIR)), folder)
    )
    written = await digest_to_snapshot(digest)
    warnings = [f"  warning: {line}" for line in result.stdout.decode().splitlines()]
    return BuiltPackage(
        digest,
        tuple(
            BuiltPackageArtifact(path, extra_log_lines=tuple(warnings if index == 0 else ()))
            for index, path in enumerate(written.files)
        ),
    )


def rules() -> Iterable[object]:
    return [*collect_rules(), UnionRule(PackageFieldSet, PackageLicenseReportFieldSet)]
