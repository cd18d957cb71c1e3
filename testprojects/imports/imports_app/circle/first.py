"""Needs `second`, which needs this one while it is not done yet."""

from imports_app.circle import second

EARLY = second.seen_early
VALUE = "first"


def both() -> str:
    return VALUE + second.VALUE
