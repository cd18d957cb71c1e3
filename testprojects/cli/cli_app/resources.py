"""The package's data files, read in the two ways that applications use."""

from __future__ import annotations

import json
from importlib import resources
from pathlib import Path
from typing import Any


def cities() -> dict[str, dict[str, Any]]:
    """By importlib.resources."""
    text = resources.files("cli_app").joinpath("data/cities.json").read_text("utf-8")
    loaded: dict[str, dict[str, Any]] = json.loads(text)
    return loaded


def schema() -> str:
    """By a path relative to `__file__`."""
    with open(Path(__file__).parent / "data" / "schema.sql", encoding="utf-8") as file:
        return file.read()
