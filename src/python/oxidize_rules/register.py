"""What the plugin offers to Pants, and nothing else."""

from __future__ import annotations

from typing import Iterable, Type

from pants.engine.target import Target
from pants.version import PANTS_SEMVER, VERSION

# The oldest Pants whose rules API `compat.py` knows.
_OLDEST = (2, 17)

if (PANTS_SEMVER.major, PANTS_SEMVER.minor) < _OLDEST:
    raise RuntimeError(
        f"oxidize_rules needs Pants {_OLDEST[0]}.{_OLDEST[1]} or newer; this is Pants {VERSION}. "
        "Raise `[GLOBAL].pants_version` in pants.toml, or take `oxidize_rules` out of "
        "`[GLOBAL].backend_packages`."
    )

from oxidize_rules import (  # noqa: E402 - the check above must come first
    binary_targets,
    distribution_targets,
    license_targets,
    native_targets,
    subsystem,
    target_type_rules,
)
from oxidize_rules.goals import (  # noqa: E402
    analyze_files,
    describe_distribution,
    find_component,
    package_binary,
    package_distribution,
    package_license_report,
    run_binary,
    trace_binary,
    update_distributions,
)
from oxidize_rules.util_rules import (  # noqa: E402
    advisories,
    analyze,
    component,
    cxx_library,
    distribution,
    distribution_build,
    distribution_facts,
    executable,
    fetch,
    first_party,
    first_party_wheels,
    gcc_libraries,
    goal_report,
    host_program,
    host_python,
    image,
    inittab,
    link,
    package_facts,
    runtime,
    runtime_facts,
    sandbox_program,
    sdist,
    source_archive,
    static_library,
    stdlib_wheels,
    sysroot,
    tools_pex,
    wheel_facts,
    wheels,
    zig,
)

_RULES = (
    advisories,
    analyze,
    analyze_files,
    component,
    cxx_library,
    describe_distribution,
    distribution,
    distribution_build,
    distribution_facts,
    executable,
    fetch,
    find_component,
    first_party,
    first_party_wheels,
    gcc_libraries,
    goal_report,
    host_program,
    host_python,
    image,
    inittab,
    link,
    package_binary,
    package_distribution,
    package_facts,
    package_license_report,
    run_binary,
    runtime,
    runtime_facts,
    sandbox_program,
    sdist,
    source_archive,
    static_library,
    stdlib_wheels,
    subsystem,
    sysroot,
    target_type_rules,
    tools_pex,
    trace_binary,
    update_distributions,
    wheel_facts,
    wheels,
    zig,
)


def rules() -> Iterable[object]:
    return [rule for module in _RULES for rule in module.rules()]


def target_types() -> Iterable[Type[Target]]:
    return [
        *binary_targets.target_types(),
        *distribution_targets.target_types(),
        *license_targets.target_types(),
        *native_targets.target_types(),
    ]
