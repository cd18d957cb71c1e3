"""Kinds of objects that have a source."""

import functools
import warnings


def decorated(function):
    @functools.wraps(function)
    def wrapper(*arguments):
        return function(*arguments)

    return wrapper


@decorated
def area(width: int, height: int) -> int:
    """Product of both."""
    return width * height


class Square:
    """A class with a class inside."""

    class Corner:
        """Inner class."""

        number = 4

    side = 1

    def area(self) -> int:
        return area(self.side, self.side)


def make():
    def local(value):
        # a comment inside
        return value + 1

    return local


twice = lambda value: value * 2  # noqa: E731


async def later():
    return 1


def warn() -> None:
    warnings.warn("shapes are old", DeprecationWarning, stacklevel=1)


def fail() -> None:
    raise LookupError("no such shape")
