"""`info`: what a program can learn about itself."""

from __future__ import annotations

import importlib.metadata
import inspect
import json
import sys
import traceback
from pathlib import Path

import certifi
import click

from cli_app import resources


def _fail() -> None:
    raise LookupError("raised to see its traceback")  # this line is looked for


def _traceback() -> str:
    try:
        _fail()
    except LookupError:
        return traceback.format_exc()
    return ""


@click.command()
def info() -> None:
    """Prints facts about the program as JSON."""
    certificates = Path(certifi.where())
    facts = {
        "python": ".".join(map(str, sys.version_info[:3])),
        "executable": sys.executable,
        "prefix": sys.prefix,
        "file": resources.__file__,
        "requests": importlib.metadata.version("requests"),
        "requires": sorted(importlib.metadata.requires("requests") or []),
        "certificates": str(certificates),
        "certificates_count": certificates.read_text("utf-8").count("BEGIN CERTIFICATE"),
        "traceback": _traceback(),
        "source": inspect.getsource(_fail),
    }
    click.echo(json.dumps(facts, indent=2))
