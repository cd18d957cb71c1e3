"""What an `interpreter_config` has done: runs the expressions that it is given, as JSON."""

from __future__ import annotations

import json
import os
import sys
import warnings


def seeded() -> int:
    return hash("the same each time")


def show(expression: str) -> object:
    names = {"json": json, "os": os, "sys": sys, "warnings": warnings, "seeded": seeded}
    try:
        return eval(expression, names)
    except Exception as error:
        return f"{type(error).__name__}: {error}"


if __name__ == "__main__":
    sys.stdout.buffer.write(json.dumps([show(text) for text in sys.argv[1:]]).encode() + b"\n")
