"""A module without its source."""


def area(width: int, height: int) -> int:
    """Product of both."""
    if width < 0:
        raise ValueError("negative width")
    return width * height
