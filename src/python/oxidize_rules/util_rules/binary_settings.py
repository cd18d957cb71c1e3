"""What a binary's fields come to with its distribution: the image's settings, the glibc floor."""

from __future__ import annotations

from typing import Dict, Optional, Tuple

from pants.backend.python.target_types import EntryPoint
from pants.engine.target import InvalidFieldException

from oxidize_rules.binary_targets import OxidizedBinaryFieldSet, OxidizedBinaryTarget
from oxidize_rules.executable_fields import BinaryDistributionField
from oxidize_rules.field_errors import invalid_field
from oxidize_rules.interpreter_fields import ConfigValue
from oxidize_rules.sandbox.errors import UserError
from oxidize_rules.sandbox.images.interpreter_config import check_version
from oxidize_rules.sandbox.images.settings import config_settings
from oxidize_rules.util_rules.component import APP_DIR, site_packages_dir, stdlib_dir
from oxidize_rules.util_rules.distribution import PythonDistribution


def check_distribution(fields: OxidizedBinaryFieldSet, distribution: PythonDistribution) -> None:
    """Raises InvalidFieldException where the binary wants what its distribution is not."""
    if distribution.target_triple != fields.target_triple.value:
        raise invalid_field(
            fields.address,
            fields.target_triple.alias,
            found=f"`{fields.target_triple.value}`",
            expected=(
                f"its distribution {distribution.address} is for `{distribution.target_triple}`"
            ),
            remedy=(
                f"set the `{BinaryDistributionField.alias}` field to a distribution for "
                f"`{fields.target_triple.value}`"
            ),
        )
    wanted, lowest = binary_glibc_floor(fields, distribution), distribution.glibc_floor
    if wanted and lowest and _version(wanted) < _version(lowest):
        raise invalid_field(
            fields.address,
            fields.glibc_floor.alias,
            found=f"`{wanted}`",
            expected=f"its distribution {distribution.address} needs glibc {lowest} or newer",
            remedy=f"set the field to `{lowest}` or higher, or use another distribution",
        )


def binary_glibc_floor(
    fields: OxidizedBinaryFieldSet, distribution: PythonDistribution
) -> Optional[str]:
    """None on musl, whatever the field says: a target for several triples has one value of it."""
    if distribution.glibc_floor is None:
        return None
    return fields.glibc_floor.value or distribution.glibc_floor


def _version(text: str) -> Tuple[int, ...]:
    return tuple(int(part) for part in text.split("."))


def binary_config(fields: OxidizedBinaryFieldSet, python_version: str) -> Dict[str, ConfigValue]:
    """The `interpreter_config` with the level of the bytecode, without what is run.

    Raises InvalidFieldException where it contradicts another field or the distribution.
    """
    config: Dict[str, ConfigValue] = dict(fields.interpreter_config.value or {})
    config.pop("run_module", None)
    try:
        check_version(config, python_version)
    except UserError as error:
        raise InvalidFieldException(
            f"The `{OxidizedBinaryTarget.alias}` target {fields.address}: {error}"
        ) from None
    level = fields.bytecode_optimization.value or 0
    if config.setdefault("optimization_level", level) != level:
        raise invalid_field(
            fields.address,
            fields.interpreter_config.alias,
            found=f"a dict with `optimization_level` = `{config['optimization_level']}`",
            expected=f"`{fields.bytecode_optimization.alias}` is `{level}`",
            remedy=f"set `{fields.bytecode_optimization.alias}` alone",
        )
    return config


def what_runs(
    fields: OxidizedBinaryFieldSet, entry_point: Optional[EntryPoint]
) -> Optional[EntryPoint]:
    """The resolved `entry_point`, or what `interpreter_config` has as `run_module`."""
    config = fields.interpreter_config.value
    if entry_point is None and config and "run_module" in config:
        return EntryPoint(module=str(config["run_module"]))
    return entry_point


def binary_settings(
    fields: OxidizedBinaryFieldSet,
    entry_point: Optional[EntryPoint],
    python_version: str,
    *,
    has_app: bool,
) -> Tuple[Tuple[str, str], ...]:
    """The image's settings, as `sandbox/images/settings.py` knows them.

    Raises InvalidFieldException where two fields contradict each other.
    """
    if entry_point is None:
        settings = [("entry.kind", "interpreter")]
    elif entry_point.function is None:
        settings = [("entry.kind", "module"), ("entry.module", entry_point.module)]
    else:
        settings = [
            ("entry.kind", "function"),
            ("entry.module", entry_point.module),
            ("entry.function", entry_point.function),
        ]
    if has_app:
        settings.append(("path", APP_DIR))
    settings += [
        ("path", stdlib_dir(python_version)),
        ("path", site_packages_dir(python_version)),
        ("stdlib", stdlib_dir(python_version)),
        ("python.version", ".".join(python_version.split(".")[:2])),
        ("allocator", fields.allocator.value or "default"),
    ]
    settings += config_settings(binary_config(fields, python_version))
    settings += [(f"env.{name}", value) for name, value in sorted((fields.env.value or {}).items())]
    settings += [("argv", argument) for argument in fields.argv.value or ()]
    return tuple(settings)
