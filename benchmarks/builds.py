"""Build times: a one-line edit, and nothing changed, with a warm daemon; the link step alone.

    benchmarks/run builds [RUNS]

The edit is made to a copy of the repository's checkout, so that the work tree stays as it is.
"""

from __future__ import annotations

import re
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path

from applications import ROOT, TRIPLES, WORK, say

EDITED = "testprojects/cli/cli_app/commands/info.py"


def package(checkout: Path, address: str) -> tuple[float, float | None]:
    """Seconds of wall time of one `./pants package`, and of its link step if that ran."""
    start = time.perf_counter()
    result = subprocess.run(
        ["./pants", "--no-dynamic-ui", "package", address],
        cwd=checkout,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    wall = time.perf_counter() - start
    if result.returncode != 0:
        raise SystemExit(result.stdout[-5000:])
    return wall, link_seconds(result.stdout)


def link_seconds(log: str) -> float | None:
    """How long the link process ran, from the time stamps of Pants' own log."""
    stamps = {}
    for line in log.splitlines():
        match = re.match(r"(\d+):(\d+):(\d+\.\d+) \[\w+\] (Starting|Completed): Link ", line)
        if match:
            hours, minutes, seconds, event = match.groups()
            stamps[event] = int(hours) * 3600 + int(minutes) * 60 + float(seconds)
    if len(stamps) < 2:
        return None
    return stamps["Completed"] - stamps["Starting"]


def main() -> None:
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 7
    checkout = WORK / "checkout"
    shutil.rmtree(checkout, ignore_errors=True)
    subprocess.run(["git", "clone", "-q", str(ROOT), str(checkout)], check=True)
    source = checkout / EDITED
    text = source.read_text()
    print("| triple | one-line edit, wall s | link step, s | nothing changed, wall s |")
    print("|---|---:|---:|---:|")
    for libc in TRIPLES:
        address = f"testprojects/cli:bin@target_triple={libc}"
        say(f"warming up {address}")
        package(checkout, address)
        edits, links, unchanged = [], [], []
        for number in range(runs):
            source.write_text(f"{text}\nEDIT = {time.time_ns()}  # {number}\n")
            wall, link = package(checkout, address)
            edits.append(wall)
            links += [link] if link is not None else []
            unchanged.append(package(checkout, address)[0])
        link_text = f"{statistics.median(links):.2f}" if links else "not in the log"
        print(
            f"| {libc} | {statistics.median(edits):.2f} | {link_text}"
            f" | {statistics.median(unchanged):.2f} |"
        )


if __name__ == "__main__":
    main()
