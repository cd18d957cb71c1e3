"""The command line: what a team's real application looks like, in small."""

from __future__ import annotations

import click
from cli_app.commands.children import children
from cli_app.commands.data import cities
from cli_app.commands.db import db
from cli_app.commands.get import get
from cli_app.commands.info import info
from cli_app.commands.leave import leave
from cli_app.commands.pool import pool


@click.group()
def main() -> None:
    """A tour of what an application does: the network, a database, processes, data files."""


for command in (children, cities, db, get, info, leave, pool):
    main.add_command(command)


if __name__ == "__main__":
    main()
