"""`get`: one https request."""

from __future__ import annotations

from typing import Optional

import click
import requests


@click.command()
@click.argument("url")
@click.option("--cacert", type=click.Path(exists=True), help="Certificates to trust (PEM).")
@click.option("--timeout", type=float, default=30.0, show_default=True, help="In seconds.")
def get(url: str, cacert: Optional[str], timeout: float) -> None:
    """Prints what URL answers."""
    try:
        answer = requests.get(url, verify=cacert or True, timeout=timeout)
        answer.raise_for_status()
    except requests.RequestException as error:
        raise click.ClickException(str(error)) from error
    click.echo(answer.text, nl=False)
