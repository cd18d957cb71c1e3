"""Start-up: our executables against the interpreter from disk, a virtual environment, PyInstaller.

    benchmarks/run startup [RUNS]

Prints two Markdown tables (hello; `cli --help`) of medians of CPU time from interleaved runs.
"""

from __future__ import annotations

import os
import sys

from applications import ROOT, TRIPLES, package_one, prepare_peers, unpack_distribution
from measure import interleave, table

DISTRIBUTION = "toolchains:python3.13-{libc}"


def main() -> None:
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 40
    peers = prepare_peers()
    env = {"PATH": os.environ["PATH"], "HOME": os.environ["HOME"], "LC_ALL": "C.UTF-8"}
    hello, cli = str(ROOT / "testprojects/hello/main.py"), str(ROOT / "testprojects/cli/main.py")
    for libc in TRIPLES:
        python = str(unpack_distribution(DISTRIBUTION.format(libc=libc)))
        samples = interleave(
            {
                f"the distribution's python -I ({libc})": [python, "-I", hello],
                f"oxidized_binary hello ({libc})": [
                    str(package_one(f"testprojects/hello:bin@target_triple={libc}"))
                ],
                "another python3.13 -I": [str(peers.python), "-I", hello],
                "PyInstaller --onefile --strip": [str(peers.hello_onefile)],
            },
            runs=runs,
            env=env,
        )
        print(f"### hello, {libc}, {runs} interleaved runs\n")
        print(table(samples, base=f"the distribution's python -I ({libc})"), "\n")
    samples = interleave(
        {
            "virtual environment": [str(peers.python), cli, "--help"],
            **{
                f"oxidized_binary cli ({libc})": [
                    str(package_one(f"testprojects/cli:bin@target_triple={libc}")),
                    "--help",
                ]
                for libc in TRIPLES
            },
            "PyInstaller --onefile --strip": [str(peers.cli_onefile), "--help"],
        },
        runs=runs,
        env=env,
    )
    print(f"### cli --help, {runs} interleaved runs\n")
    print(table(samples, base="virtual environment"))


if __name__ == "__main__":
    main()
