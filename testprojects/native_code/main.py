"""Uses each of the native modules; prints one line for each."""

import sys

import shapes


def main() -> int:
    areas = [shapes.rectangle(2, 3), shapes.rectangle(0.5, 0.5)]
    print("C:", areas)
    print("C++:", shapes.describe(4, areas[0]))
    try:
        shapes.describe(17, 0)
    except LookupError as error:
        print("C++ exception:", error)
    print("C++ unwound:", shapes.unwound())
    print("Cython:", shapes.total(areas))
    print("from:", shapes.__file__, shapes._area.__file__)
    return 0


if __name__ == "__main__":
    sys.exit(main())
