"""Runs commands in turn and reports medians of CPU time.

Machines are noisy, so the commands of one comparison run interleaved (A B C A B C ...), the
operating system's own accounting of each finished process and its children is used, and what is
quoted are medians and ratios of medians, never single wall times.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass, field
from typing import Callable, Mapping, Sequence, Tuple


@dataclass
class Sample:
    """What one command cost, run by run: seconds of CPU and of wall time, and peak KiB."""

    cpu: list[float] = field(default_factory=list)
    wall: list[float] = field(default_factory=list)
    peak_kib: list[int] = field(default_factory=list)

    @property
    def cpu_ms(self) -> float:
        return statistics.median(self.cpu) * 1000

    @property
    def wall_ms(self) -> float:
        return statistics.median(self.wall) * 1000

    @property
    def peak_mib(self) -> float:
        return statistics.median(self.peak_kib) / 1024


class CommandFailed(Exception):
    """A measured command did not do its job: its figures would mean nothing."""


def run_once(argv: Sequence[str], sample: Sample | None, env: Mapping[str, str]) -> None:
    """Runs `argv` to its end and adds its cost to `sample` (none: a warm-up).

    :raises CommandFailed: if the exit code is not 0.
    """
    start = time.perf_counter()
    process = subprocess.Popen(
        argv, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, env=dict(env)
    )
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.perf_counter() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise CommandFailed(f"exit code {process.returncode}: {' '.join(argv)}")
    if sample is not None:
        sample.cpu.append(usage.ru_utime + usage.ru_stime)
        sample.wall.append(wall)
        sample.peak_kib.append(usage.ru_maxrss)


def interleave(
    commands: Mapping[str, Sequence[str]], *, runs: int, env: Mapping[str, str] | None = None
) -> dict[str, Sample]:
    """Runs every command `runs` times, in turn, after two warm-ups of each.

    `os.wait4` counts the waited-for descendants of a command too, so that tools which start a
    second process (PyInstaller's bootloader) are charged for all they do.
    """
    environment = dict(os.environ if env is None else env)
    samples = {name: Sample() for name in commands}
    for round_number in range(-2, runs):
        for name, argv in commands.items():
            run_once(argv, samples[name] if round_number >= 0 else None, environment)
    return samples


def table(samples: Mapping[str, Sample], *, base: str) -> str:
    """A Markdown table of the medians, with each command's ratio of CPU time to `base`."""
    lines = [
        "| command | CPU ms | ratio | wall ms | peak MiB |",
        "|---|---:|---:|---:|---:|",
    ]
    for name, sample in samples.items():
        ratio = sample.cpu_ms / samples[base].cpu_ms
        lines.append(
            f"| {name} | {sample.cpu_ms:.2f} | {ratio:.2f} | {sample.wall_ms:.2f}"
            f" | {sample.peak_mib:.1f} |"
        )
    return "\n".join(lines)


# By name: a function that takes how often it is to measure and prints what it found, and how often
# it does that if nobody says.
Measures = Mapping[str, Tuple[Callable[[int], None], int]]


def main(measures: Measures) -> None:
    """Does the measures that the command line names, or all; `--runs=N` changes how often."""
    runs = [int(text[len("--runs=") :]) for text in sys.argv[1:] if text.startswith("--runs=")]
    names = [text for text in sys.argv[1:] if not text.startswith("--")]
    for name in names or measures:
        measure, default = measures[name]
        measure(runs[0] if runs else default)
