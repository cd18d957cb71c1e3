"""Work that allocates much memory: prints the CPU seconds of each piece as a JSON object.

python workloads.py [NAME ...]
"""

from __future__ import annotations

import json
import sys
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


def numpy_temporaries(size: int, turns: int) -> Callable[[], object]:
    """Expressions over arrays of `size` bytes: each operator makes a new array."""
    import numpy

    a = numpy.linspace(0.0, 1.0, size // 8)
    b = a[::-1].copy()

    def work() -> None:
        for _ in range(turns):
            ((a + b) * (a - b) + 1.0) * (b * 2.0) - a

    return work


def lxml_parsing() -> Callable[[], object]:
    from lxml import etree

    text = (
        b"<r>" + b"".join(b"<i n='%d'><t>text %d</t></i>" % (n, n) for n in range(20_000)) + b"</r>"
    )

    def work() -> None:
        for _ in range(4):
            tree = etree.fromstring(text)
            sum(len(node.findtext("t")) for node in tree)

    return work


def json_both_ways() -> Callable[[], object]:
    value = [
        {"id": n, "name": f"name {n}", "tags": ["a", "b", str(n)], "x": n / 7} for n in range(5_000)
    ]

    def work() -> None:
        for _ in range(6):
            json.loads(json.dumps(value))

    return work


def orjson_both_ways() -> Callable[[], object]:
    import orjson

    value = [
        {"id": n, "name": f"name {n}", "tags": ["a", "b", str(n)], "x": n / 7} for n in range(5_000)
    ]

    def work() -> None:
        for _ in range(30):
            orjson.loads(orjson.dumps(value))

    return work


def dicts() -> Callable[[], object]:
    def work() -> None:
        for _ in range(4):
            counts: dict[str, int] = {}
            for n in range(100_000):
                key = f"key {n % 30_000}"
                counts[key] = counts.get(key, 0) + n
            [{**pair} for pair in ({"a": n, "b": [n]} for n in range(50_000))]

    return work


def pandas_groups() -> Callable[[], object]:
    import numpy
    import pandas

    frame = pandas.DataFrame(
        {"key": numpy.arange(200_000) % 1_000, "x": numpy.arange(200_000.0), "y": 1.0}
    )

    def work() -> None:
        for _ in range(5):
            frame.groupby("key").agg({"x": "sum", "y": "mean"}).sort_values("x")
            frame.assign(z=frame["x"] * 2).query("z > 1000")

    return work


WORK: dict[str, Callable[[], Callable[[], object]]] = {
    "numpy, temporaries of 160 KB": lambda: numpy_temporaries(160_000, 600),
    "numpy, temporaries of 16 MB": lambda: numpy_temporaries(16_000_000, 4),
    "lxml, parsing": lxml_parsing,
    "json": json_both_ways,
    "orjson": orjson_both_ways,
    "dicts and strings": dicts,
    "pandas, groups": pandas_groups,
}


def main() -> None:
    seconds = {}
    for name in sys.argv[1:] or WORK:
        work = WORK[name]()
        work()  # a first turn fills caches and pools
        start = time.process_time()
        work()
        seconds[name] = time.process_time() - start
    print(json.dumps(seconds))


if __name__ == "__main__":
    main()
