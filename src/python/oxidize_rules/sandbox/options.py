"""Command lines of the sandbox programs whose start-up time counts (argparse takes 10 ms to load).

Options are long and take values: `--name value`, or several values for a list option, up to the
next option. In a list, `@file` stands for the lines of that file.
"""

from __future__ import annotations

from oxidize_rules.sandbox.errors import UserError

TYPE_CHECKING = False
if TYPE_CHECKING:  # `typing` itself is not imported: it takes 5 ms
    from collections.abc import Mapping, Sequence


class Options:
    """`one` maps an option's name (without dashes) to its value, `many` to its values."""

    def __init__(self, one: dict[str, str], many: dict[str, list[str]]) -> None:
        self.one = one
        self.many = many

    def choice(self, name: str, allowed: Sequence[str]) -> str:
        """The value of an option that must be one of `allowed`."""
        value = self.one[name]
        if value not in allowed:
            raise UserError(f"--{name} is `{value}`; expected one of {', '.join(allowed)}.")
        return value


def parse_options(
    argv: Sequence[str],
    *,
    required: Sequence[str] = (),
    defaults: Mapping[str, str] | None = None,
    flags: Sequence[str] = (),
    lists: Sequence[str] = (),
) -> Options:
    """Reads `argv`. A flag given has the value "yes", otherwise "". Raises UserError."""
    one: dict[str, str] = dict(defaults or {})
    one.update(dict.fromkeys(flags, ""))
    known = {*required, *one}
    many: dict[str, list[str]] = {name: [] for name in lists}
    rest = list(reversed(argv))
    while rest:
        argument = rest.pop()
        name = argument[2:]
        if argument.startswith("--") and name in flags:
            one[name] = "yes"
        elif argument.startswith("--") and name in many:
            while rest and not rest[-1].startswith("--"):
                many[name].extend(_expand(rest.pop()))
        elif argument.startswith("--") and name in known:
            if not rest:
                raise UserError(f"{argument} needs a value.")
            one[name] = rest.pop()
        else:
            options = ", ".join(f"--{option}" for option in sorted([*known, *many]))
            raise UserError(f"unknown argument `{argument}`; known options: {options}.")
    missing = [f"--{name}" for name in required if name not in one]
    if missing:
        raise UserError(f"missing {', '.join(missing)}.")
    return Options(one, many)


def _expand(value: str) -> list[str]:
    if not value.startswith("@"):
        return [value]
    try:
        with open(value[1:], encoding="utf-8") as lines:
            return [line for line in lines.read().splitlines() if line]
    except OSError as error:
        raise UserError(f"cannot read the list `{value}`: {error.strerror}.") from error
