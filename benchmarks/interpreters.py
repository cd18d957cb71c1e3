"""How fast two interpreters of one Python version are: what a compiler or one of its flags does.

    benchmarks/run interpreters OLD NEW [--runs=9]

OLD and NEW are programs, such as `install/bin/python3.13` of an unpacked distribution. Each kind of
work runs in both in turn; printed are the medians of CPU time in ms and the ratio of NEW to OLD.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from typing import Callable

LEAST_OF = 3  # in one process; the processes' medians are compared


def work() -> dict[str, float]:
    """Seconds of CPU for each kind of work, in this interpreter."""
    import decimal
    import difflib
    import hashlib
    import pickle
    import re
    import sqlite3
    import zlib
    from pathlib import Path

    text = Path(difflib.__file__).read_text(encoding="utf-8")
    rows = [{"a": number, "b": str(number) * 3, "c": [number] * 4} for number in range(3000)]
    document = json.dumps(rows)

    class Point:
        def __init__(self, x: int) -> None:
            self.x = x

        def next(self) -> int:
            return self.x + 1

    def fibonacci(number: int) -> int:
        return number if number < 2 else fibonacci(number - 1) + fibonacci(number - 2)

    def division() -> None:
        value = decimal.Decimal(1)
        for divisor in range(1, 3000):
            value = value / divisor + 1

    def database() -> None:
        with sqlite3.connect(":memory:") as connection:
            connection.execute("create table t(a, b)")
            pairs = ((number, str(number)) for number in range(10000))
            connection.executemany("insert into t values(?, ?)", pairs)
            connection.execute("select sum(a), max(b) from t where b like '%7%'").fetchall()

    kinds: dict[str, Callable[[], object]] = {
        "function calls": lambda: fibonacci(22),
        "objects and methods": lambda: sum(Point(number).next() for number in range(60000)),
        "json": lambda: json.loads(json.dumps(rows)),
        "regular expressions": lambda: [re.findall(r"(\w+)\s*=\s*(\w+)\(", text) for _ in range(3)],
        "pickle": lambda: pickle.loads(pickle.dumps(json.loads(document))),
        "sha256": lambda: [hashlib.sha256(text.encode()).digest() for _ in range(20)],
        "zlib": lambda: zlib.decompress(zlib.compress(text.encode() * 5)),
        "compiling": lambda: compile(text, "text", "exec"),
        "sqlite": database,
        "formatting": lambda: [f"{number:>10}{number * 1.5:.3f}" for number in range(20000)],
        "decimal": division,
        "sorting strings": lambda: sorted(str(number * 7919 % 10007) for number in range(40000)),
    }
    found = {}
    for name, do in kinds.items():
        costs = []
        for _ in range(LEAST_OF):
            start = time.process_time()
            do()
            costs.append(time.process_time() - start)
        found[name] = min(costs)
    return found


def run(program: str) -> dict[str, float]:
    done = subprocess.run(
        [program, "-I", __file__, "--work"], check=True, capture_output=True, text=True
    )
    return {name: float(cost) for name, cost in json.loads(done.stdout).items()}


def compare(old: str, new: str, runs: int) -> None:
    costs: dict[str, list[dict[str, float]]] = {old: [], new: []}
    for number in range(runs):
        for program in (old, new) if number % 2 else (new, old):
            costs[program].append(run(program))
    print("| work | old ms | new ms | ratio |\n|---|---:|---:|---:|")
    ratios = []
    for kind in costs[old][0]:
        before, after = (
            statistics.median(one[kind] for one in costs[program]) * 1000 for program in (old, new)
        )
        ratios.append(after / before)
        print(f"| {kind} | {before:.2f} | {after:.2f} | {after / before:.2f} |")
    print(f"| geometric mean | | | {statistics.geometric_mean(ratios):.3f} |")


def main(arguments: list[str]) -> int:
    if arguments == ["--work"]:
        print(json.dumps(work()))
        return 0
    runs = [int(text[len("--runs=") :]) for text in arguments if text.startswith("--runs=")]
    programs = [text for text in arguments if not text.startswith("--")]
    if len(programs) != 2:
        print(__doc__, file=sys.stderr)
        return 2
    compare(programs[0], programs[1], runs[0] if runs else 9)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
