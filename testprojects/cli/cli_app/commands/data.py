"""`cities`: a table from a data file, drawn by rich."""

from __future__ import annotations

import click
from rich.console import Console
from rich.table import Table

from cli_app import resources


@click.command()
def cities() -> None:
    """Shows the cities of the package's data file."""
    table = Table("City", "Country", "Population")
    for name, city in sorted(resources.cities().items()):
        table.add_row(name, city["country"], str(city["population"]))
    Console(width=60).print(table)
