"""Requirements of packages (PEP 508), as they mean something to one binary."""

from __future__ import annotations

import re
from typing import FrozenSet, Mapping

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from oxidize_rules.sandbox.errors import UserError

# Names of extras are compared in their normal form (PEP 685), which old metadata do not have.
_EXTRA = re.compile(r"""(\bextra\s*==\s*)(["'])([^"']*)\2""")


def parse_requirement(text: str, origin: str) -> Requirement:
    """`origin`: whose requirement it is, for the message. Raises UserError."""
    try:
        return Requirement(_EXTRA.sub(_normal_extra, text))
    except InvalidRequirement as error:
        raise UserError(
            f"{origin} requires `{text}`, which is no requirement: {error}. To fix, correct it, or "
            "use another version."
        ) from None


def _normal_extra(match: re.Match[str]) -> str:
    return f"{match[1]}{match[2]}{canonicalize_name(match[3])}{match[2]}"


def holds(requirement: Requirement, environment: Mapping[str, str], extra: str = "") -> bool:
    """Whether its marker is true, with the values of `marker_environment` and one extra."""
    marker = requirement.marker
    return marker is None or bool(marker.evaluate({**environment, "extra": extra}))


def extras_of(requirement: Requirement) -> FrozenSet[str]:
    """The extras that it asks for, normalized."""
    return frozenset(canonicalize_name(extra) for extra in requirement.extras)
