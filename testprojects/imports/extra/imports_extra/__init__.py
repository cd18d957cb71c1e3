"""A package of a wheel."""


def main() -> int:
    print("extra")
    return 0
