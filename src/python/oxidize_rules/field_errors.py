"""The errors of fields: where it is, what stands there, what may stand there, what to do."""

from __future__ import annotations

from difflib import get_close_matches
from typing import Tuple

from pants.engine.addresses import Address
from pants.engine.target import InvalidFieldException
from pants.util.strutil import softwrap

# The alias of the target whose fields most of these are.
BINARY = "oxidized_binary"


def invalid_field(
    address: Address, alias: str, *, found: str, expected: str, remedy: str, target: str = BINARY
) -> InvalidFieldException:
    """`target`: the alias of its type; `expected` goes on after "but"; `remedy` after "To fix,"."""
    return InvalidFieldException(
        softwrap(
            f"""
            The `{alias}` field of the `{target}` target {address} is {found},
            but {expected}.

            To fix, {remedy}.
            """
        )
    )


def one_of(values: Tuple[str, ...]) -> str:
    return ", ".join(f"`{value}`" for value in values)


def nearest(found: str, values: Tuple[str, ...]) -> str:
    """The value most like `found`, else the first: something that a message can propose."""
    return (*get_close_matches(found, values, n=1, cutoff=0.4), *values)[0]
