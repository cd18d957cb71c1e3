"""What a user is told where a resolution fails."""

from __future__ import annotations

from typing import TYPE_CHECKING, Iterable, Optional, Sequence

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from oxidize_rules.sandbox.wheels.resolve_provider import Candidate
from oxidize_rules.sandbox.wheels.resolve_request import Request
from oxidize_rules.sandbox.wheels.wheel_choice import Release
from oxidize_rules.sandbox.wheels.wheel_finder import Finder
from oxidize_rules.sandbox.wheels.wheel_tags import platform_tags
from oxidize_rules.sandbox.wheels.wheel_unfit import Unfit, explain

if TYPE_CHECKING:
    from resolvelib.structs import RequirementInformation


def complaint(finder: Finder, candidate: Candidate) -> Optional[Unfit]:
    """What is wrong with what a resolution came to, None if nothing is."""
    release, request = candidate.release, finder.request
    if release is None:
        if request.lock is not None:
            return Unfit(
                candidate.project,
                f"{request.lock} does not have it for this target",
                ("write the lock file anew, with this package",),
            )
        return Unfit(candidate.project, "no file of it in the indexes and find-links")
    chosen = candidate.chosen
    rust = finder.metadata.rust(chosen.file) if chosen and not chosen.is_wheel else None
    if chosen and rust is None:
        return None
    return explain_unfit(finder, release, rust)


def explain_unfit(finder: Finder, release: Release, rust: Optional[str] = None) -> Unfit:
    """Why it has no fitting wheel, with all that the resolution knows."""
    return explain(
        release,
        finder.target,
        lock=finder.request.lock,
        rules=finder.request.rules,
        rust=rust,
        fitting_versions=finder.other_fitting_versions(release),
        hash_of=finder.metadata.hash_of,
    )


def no_fitting_file(request: Request, unfit: Sequence[Unfit]) -> str:
    """The message for all packages that cannot be had."""
    target = request.target
    lines = []
    for one in unfit:
        lines.append(f"  * {one.package}: {one.found}.")
        lines += [f"      - {way}" for way in one.ways]
    minor = ".".join(target.python_version.split(".")[:2])
    platforms = platform_tags(target.triple, target.glibc_floor) if target.native else []
    best_and_last = f"`{platforms[0]}` to `{platforms[-2]}`, or `any`" if platforms else "`any`"
    return (
        f"some requirements have no wheel that fits `{target.triple}`"
        + (f" with glibc {target.glibc_floor}" if target.glibc_floor else "")
        + f" and Python {minor}, and no source archive that can be built:\n"
        + "\n".join(lines)
        + f"\nExpected for each: a wheel for Python {minor} and the platform {best_and_last}; or a "
        "source archive, of which Rust is not compiled.\nTo fix, lock another version, or do what "
        "is said after the package, or build a wheel elsewhere and name its folder in "
        "`[python-repos].find_links`, or do without the package (`!!` before its address in the "
        "`dependencies` field)."
    )


def conflict(
    finder: Finder,
    causes: Iterable[RequirementInformation[Requirement, Candidate]],
) -> str:
    """The message for requirements that no versions meet."""
    lines, names = set(), set()
    for cause in causes:
        names.add(canonicalize_name(cause.requirement.name))
        by = cause.parent
        lines.add(
            f"  * `{cause.requirement}`, wanted by "
            + (f"{by.project} {by.version}" if by is not None else "the binary")
        )
    there = [
        f"{project}: {', '.join(str(one.version) for one in finder.releases(project)[:5])}"
        for project in sorted(names)
    ]
    lock = finder.request.lock
    return (
        "no versions fit together:\n"
        + "\n".join(sorted(lines))
        + f"\n{lock or 'The indexes and find-links'} has "
        + "; ".join(there)
        + ".\n"
        + (
            "To fix, write the lock file anew."
            if lock
            else "To fix, change the requirements so that one version fits all."
        )
    )
