"""What the tests beside it test, and coverage measures."""

from __future__ import annotations


def total(numbers: list[int]) -> int:
    """The sum.

    >>> total([1, 2])
    3
    """
    result = 0
    for number in numbers:
        result += number
    return result


def sign(number: int) -> str:
    if number < 0:
        return "negative"  # no test comes here
    return "positive"


if __name__ == "__main__":
    print(total([1, 2, 3]), sign(1))
