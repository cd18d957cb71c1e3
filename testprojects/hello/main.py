"""The smallest application."""

import sys


def main() -> None:
    print(f"Hello from Python {sys.version_info.major}.{sys.version_info.minor}")


if __name__ == "__main__":
    main()
