"""`pool`: the same work in each start method of multiprocessing."""

from __future__ import annotations

import multiprocessing

import click

METHODS = ("fork", "spawn", "forkserver")


def square(number: int) -> int:
    return number * number


@click.command()
@click.option("--method", type=click.Choice(METHODS), multiple=True, default=METHODS)
@click.option("--count", type=int, default=10, show_default=True, help="How many numbers.")
def pool(method: tuple[str, ...], count: int) -> None:
    """Adds squares in worker processes."""
    for name in method:
        context = multiprocessing.get_context(name)
        with context.Pool(2) as workers:
            total = sum(workers.map(square, range(count)))
        click.echo(f"{name}: {total}")
