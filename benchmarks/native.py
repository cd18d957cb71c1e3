"""Packages with native code: imports, work, memory, and what the loader of libraries costs.

    benchmarks/run native [loader|imports|work|memory]... [--runs=RUNS]

Our executables against virtual environments of two Pythons: the distribution's own, unpacked from
`toolchains:python3.13-gnu` (the same version, compiler and options; glibc), and another CPython
3.13 of the machine. The environments have the same wheels as the executable (for glibc), with
bytecode compiled. Prints Markdown tables of medians from interleaved runs.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess

from applications import ROOT, find_python, package_one, prepare_environment, unpack_distribution
from measure import interleave, main, table

MODULES = (
    "numpy",
    "pandas",
    "lxml.etree",
    "cryptography.fernet",
    "pydantic_core",
    "orjson",
    "psutil",
)
WORKLOADS = str(ROOT / "testprojects/figures/workloads.py")
OWN, OTHER = "venv, the distribution's python", "venv, another python3.13"
# Resident memory of the process, as the kernel sums it up; sizes in KiB.
MEMORY = """
import {module}, json
text = open("/proc/self/smaps_rollup").read()
rows = dict(line.split(":", 1) for line in text.splitlines()[1:])
status = open("/proc/self/status").read()
rows.update(line.split(":", 1) for line in status.splitlines() if line.startswith(("Rss", "VmHWM")))
print(json.dumps({{name: int(value.split()[0]) for name, value in rows.items()}}))
"""


def environment() -> dict[str, str]:
    """One thread for BLAS: what its idle threads spin is no cost of any way to package."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME")}
    return {**kept, "LC_ALL": "C.UTF-8", "OPENBLAS_NUM_THREADS": "1"}


def pythons() -> dict[str, str]:
    """Everything that can be started as `python3` with the seven packages."""
    own = prepare_environment("own", unpack_distribution("toolchains:python3.13-gnu"))
    other = prepare_environment("other", find_python())
    return {
        OWN: str(own),
        OTHER: str(other),
        "oxidized_binary, musl": str(package_one("testprojects/figures:python-musl")),
        "oxidized_binary, glibc": str(package_one("testprojects/figures:python-gnu")),
    }


def measure_loader(runs: int) -> None:
    commands = {
        name: [str(package_one(f"testprojects/figures:{name}-loader")), "-I", "-c", "pass"]
        for name in ("without", "with")
    }
    samples = interleave(commands, runs=runs, env=environment())
    print(f"### interpreter only, musl, {runs} interleaved runs\n")
    print(table(samples, base="without"), "\n")


def measure_imports(runs: int) -> None:
    for title, modules in (("import numpy", MODULES[:1]), ("seven packages", MODULES)):
        code = f"import {', '.join(modules)}"
        commands = {name: [path, "-I", "-c", code] for name, path in pythons().items()}
        samples = interleave(commands, runs=runs, env=environment())
        print(f"### {title}, {runs} interleaved runs\n")
        print(table(samples, base=OWN), "\n")


def output(*argv: str) -> dict[str, float]:
    done = subprocess.run(argv, check=True, capture_output=True, text=True, env=environment())
    result: dict[str, float] = json.loads(done.stdout)
    return result


def measure_work(runs: int) -> None:
    """Every environment does all the work in one process, in turn; medians of CPU time."""
    paths = pythons()
    found: dict[str, list[dict[str, float]]] = {name: [] for name in paths}
    for _ in range(runs):
        for name, path in paths.items():
            found[name].append(output(path, WORKLOADS))
    print(f"### work that allocates, CPU ms, {runs} interleaved runs; ratios to the first column\n")
    print("| work |", " | ".join(paths), "|")
    print("|---|" + "---:|" * len(paths))
    for work in found[OWN][0]:
        medians = [statistics.median(one[work] for one in found[name]) * 1000 for name in paths]
        cells = [f"{median:.1f} ({median / medians[0]:.2f})" for median in medians]
        print(f"| {work} | {' | '.join(cells)} |")
    print()


def measure_memory(runs: int) -> None:
    """What the kernel says of processes that have imported numpy, and of some that have not."""
    paths = pythons()
    print(f"### memory, MiB, medians of {runs} runs\n")
    print("| process | resident | anonymous | of files | of memfds | proportional | peak |")
    print("|---|---:|---:|---:|---:|---:|---:|")
    for module in ("sys", "numpy"):
        for name, path in paths.items():
            rows = [output(path, "-I", "-c", MEMORY.format(module=module)) for _ in range(runs)]
            columns = ("Rss", "RssAnon", "RssFile", "RssShmem", "Pss", "VmHWM")
            cells = [statistics.median(row[column] for row in rows) / 1024 for column in columns]
            shown = " | ".join(f"{cell:.1f}" for cell in cells)
            print(f"| {name}: `import {module}` | {shown} |")
    print()


MEASURES = {
    "loader": (measure_loader, 60),
    "imports": (measure_imports, 20),
    "work": (measure_work, 9),
    "memory": (measure_memory, 5),
}


if __name__ == "__main__":
    main(MEASURES)
