"""What the wheel's entry points name."""


class One:
    """A plug-in."""
