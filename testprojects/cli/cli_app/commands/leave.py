"""`leave`: ends the program in the ways that programs end."""

from __future__ import annotations

import sys

import click


@click.command()
@click.argument("code", type=click.IntRange(0, 255), default=0)
@click.option("--how", type=click.Choice(["exit", "message", "error"]), default="exit")
def leave(code: int, how: str) -> None:
    """Exits with CODE, or as Python does after a message or an exception."""
    if how == "exit":
        sys.exit(code)
    if how == "message":
        sys.exit("left with a message")
    raise RuntimeError("left with an error")
