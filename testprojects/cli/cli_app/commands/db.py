"""`db`: a round trip through a sqlite database on disk, with full-text search."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import click

from cli_app import resources

NOTES = (
    ("Harbour", "The ferry leaves at seven."),
    ("Market", "Bread, olives and a ferry ticket."),
    ("Garden", "Water the beans."),
)


@click.command()
@click.argument("path", type=click.Path(dir_okay=False))
@click.option("--find", default="ferry", show_default=True, help="The word to look for.")
def db(path: str, find: str) -> None:
    """Writes notes into a new database at PATH and searches them."""
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(resources.schema())
        with connection:
            connection.executemany("INSERT INTO note (title, body) VALUES (?, ?)", NOTES)
            connection.execute("INSERT INTO note_index (note_index) VALUES ('rebuild')")
    # A second connection reads what the first has written.
    with closing(sqlite3.connect(path)) as connection:
        rows = connection.execute(
            "SELECT title FROM note_index WHERE note_index MATCH ? ORDER BY title", (find,)
        ).fetchall()
    if not rows:
        raise click.ClickException(f"no note has the word {find!r}")
    for (title,) in rows:
        click.echo(title)
