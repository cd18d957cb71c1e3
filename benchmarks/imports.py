"""Imports from the image against imports from disk: speed, memory, and what ten processes share.

    benchmarks/run imports [speed|memory|sharing]... [--runs=RUNS]

All modules of the standard library that can be imported on both sides are imported by our
executable (`testprojects/interpreter:bin`) and by the distribution's own interpreter, unpacked: the
same version, compiler and options, with its bytecode in `__pycache__` and in the page cache. Prints
Markdown tables of medians from interleaved runs.
"""

from __future__ import annotations

import functools
import json
import os
import statistics
import subprocess
from pathlib import Path

from applications import ROOT, TRIPLES, WORK, package_one, unpack_distribution
from measure import main

# Prints the modules that could be imported, in the order of their imports.
LIST = """
import contextlib, importlib, io, json, os, pkgutil, sys, warnings
warnings.simplefilter("ignore")
left_out = {"test", "idlelib", "tkinter", "turtle", "turtledemo", "antigravity", "this"}
left_out |= {"ensurepip", "site-packages"}
found = []
for one in pkgutil.walk_packages([os.path.dirname(os.__file__)], onerror=lambda name: None):
    parts = one.name.split(".")
    if parts[0] in left_out or {"__main__", "test"} & {*parts}:
        continue
    with contextlib.suppress(BaseException), contextlib.redirect_stdout(io.StringIO()):
        importlib.import_module(one.name)
        found.append(one.name)
print(json.dumps(found))
"""
# Imports them; prints how many files that were, the CPU seconds, and what the kernel says of the
# process (KiB); then waits for the end of its standard input.
IMPORT = """
import sys, time, warnings
warnings.simplefilter("ignore")
names = open(sys.argv[1]).read().split()
before, start = set(sys.modules), time.process_time()
for name in names:
    __import__(name)
seconds = time.process_time() - start
files = sum(bool(getattr(m, "__cached__", None)) for n, m in sys.modules.items() if n not in before)
rows = dict(line.split(":", 1) for line in open("/proc/self/smaps_rollup") if line[0].isupper())
import json
report = {name: int(text.split()[0]) for name, text in rows.items()}
print(json.dumps({**report, "seconds": seconds, "files": files}), flush=True)
sys.stdin.read()
"""
IMAGE, DISK = "from the image", "from disk"


def environment() -> dict[str, str]:
    return {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"}


@functools.cache
def sides(libc: str) -> dict[str, str]:
    executable = package_one(f"testprojects/interpreter:bin@target_triple={libc}")
    python = unpack_distribution(f"toolchains:python3.13-{libc}")
    return {DISK: str(python), IMAGE: str(executable)}


@functools.cache
def modules(libc: str) -> Path:
    """A file with the names of the modules that both sides can import."""
    found: list[list[str]] = []
    for path in sides(libc).values():
        # Twice: the first run writes bytecode where there is none yet.
        for _ in range(2):
            done = subprocess.run(
                [path, "-c", LIST], check=True, capture_output=True, text=True, env=environment()
            )
        found.append(json.loads(done.stdout.splitlines()[-1]))
    names = WORK / f"modules-{libc}.txt"
    names.parent.mkdir(parents=True, exist_ok=True)
    names.write_text("\n".join(name for name in found[0] if name in found[1]))
    return names


def start(path: str, libc: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [path, "-I", "-c", IMPORT, str(modules(libc))],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=environment(),
    )


def told(process: subprocess.Popen[str]) -> dict[str, float]:
    assert process.stdout is not None
    result: dict[str, float] = json.loads(process.stdout.readline())
    return result


def end(process: subprocess.Popen[str]) -> None:
    process.communicate("")
    assert process.returncode == 0


@functools.cache
def single(libc: str, runs: int) -> dict[str, list[dict[str, float]]]:
    """What single processes tell, by side; one warm-up of each first."""
    found: dict[str, list[dict[str, float]]] = {name: [] for name in sides(libc)}
    for number in range(-1, runs):
        for name, path in sides(libc).items():
            process = start(path, libc)
            if number >= 0:
                found[name].append(told(process))
            end(process)
    return found


def median(rows: list[dict[str, float]], column: str) -> float:
    return statistics.median(row[column] for row in rows)


def measure_speed(runs: int) -> None:
    print(f"### speed, {runs} interleaved runs\n")
    print("| | module files | CPU ms | modules per second | ratio |")
    print("|---|---:|---:|---:|---:|")
    for libc in TRIPLES:
        found = single(libc, runs)
        base = median(found[DISK], "seconds")
        for name, rows in found.items():
            seconds, files = median(rows, "seconds"), median(rows, "files")
            cells = f"{files:.0f} | {seconds * 1000:.1f} | {files / seconds:.0f}"
            print(f"| {name}, {libc} | {cells} | {seconds / base:.2f} |")
    print()


def measure_memory(runs: int) -> None:
    """Pages of a file that was just written count as dirty: "anonymous" is what is told instead."""
    print(f"### memory after these imports, MiB, medians of {runs} runs\n")
    print("| | resident | anonymous | of files |")
    print("|---|---:|---:|---:|")
    for libc in TRIPLES:
        for name, rows in single(libc, runs).items():
            resident, own = median(rows, "Rss") / 1024, median(rows, "Anonymous") / 1024
            print(f"| {name}, {libc} | {resident:.1f} | {own:.1f} | {resident - own:.1f} |")
    print()


def rollup(process: subprocess.Popen[str]) -> dict[str, int]:
    lines = Path(f"/proc/{process.pid}/smaps_rollup").read_text().splitlines()[1:]
    return {line.split(":")[0]: int(line.split()[1]) for line in lines}


def measure_sharing(runs: int) -> None:
    """Ten at once: the sum of their proportional sizes is the memory that they have together."""
    print(f"### ten processes after these imports, MiB, medians of {runs} runs\n")
    print("| | resident, sum | together (PSS, sum) | shared by each |")
    print("|---|---:|---:|---:|")
    for libc in TRIPLES:
        for name, path in sides(libc).items():
            rows = []
            for _ in range(runs):
                processes = [start(path, libc) for _ in range(10)]
                for process in processes:
                    told(process)
                found = [rollup(process) for process in processes]
                for process in processes:
                    end(process)
                rows.append({key: sum(one[key] for one in found) / 1024 for key in found[0]})
            resident, together = median(rows, "Rss"), median(rows, "Pss")
            shared = statistics.median(
                (row["Shared_Clean"] + row["Shared_Dirty"]) / 10 for row in rows
            )
            print(f"| {name}, {libc} | {resident:.0f} | {together:.0f} | {shared:.1f} |")
    print()


MEASURES = {
    "speed": (measure_speed, 20),
    "memory": (measure_memory, 20),
    "sharing": (measure_sharing, 3),
}


if __name__ == "__main__":
    os.chdir(ROOT)
    main(MEASURES)
