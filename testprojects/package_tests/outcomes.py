"""A pytest plugin that writes what became of each test, and where the tested modules came from.

    python -m pytest -p outcomes --outcomes FILE [--outcomes-module NAME]... [--without-fixture F]

FILE becomes JSON: `tests` has the outcome of each node id (`passed`, `failed`, `error`, `skipped`,
`xfailed` or `xpassed`), `notes` the last line of what pytest says of those that did not pass, and
`modules` the file of each module named and of those below it. Tests that use a fixture F are
left out: there is no way to ask pytest for that.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any

# A test has three reports, and more with subtests: the first of these words that is in them counts.
ORDER = ("error", "failed", "xpassed", "xfailed", "skipped", "passed")


class Recorder:
    def __init__(self, file: str, modules: list[str]) -> None:
        self.file = file
        self.modules = modules
        self.process = os.getpid()
        self.tests: dict[str, str] = {}
        self.notes: dict[str, str] = {}

    def note(self, name: str, outcome: str, text: str) -> None:
        known = self.tests.get(name)
        if known is None or ORDER.index(outcome) < ORDER.index(known):
            self.tests[name] = outcome
            self.notes[name] = text

    def pytest_runtest_logreport(self, report: Any) -> None:
        if report.passed and report.when != "call":
            return
        outcome = str(report.outcome)
        if hasattr(report, "wasxfail"):
            outcome = "xfailed" if report.skipped else "xpassed"
        elif report.failed and report.when != "call":
            outcome = "error"
        self.note(report.nodeid, outcome, last_line(report))

    def pytest_collectreport(self, report: Any) -> None:
        if report.failed:
            self.note(report.nodeid, "error", last_line(report))
        elif report.skipped:
            self.note(report.nodeid, "skipped", last_line(report))

    def pytest_sessionfinish(self) -> None:
        if os.getpid() != self.process:
            return  # a test's fork
        modules = {
            name: str(getattr(module, "__file__", None))
            for name, module in sorted(sys.modules.items())
            if any(name == own or name.startswith(f"{own}.") for own in self.modules)
        }
        notes = {name: text for name, text in self.notes.items() if text}
        content = {"tests": self.tests, "notes": notes, "modules": modules}
        with open(f"{self.file}.new", "w", encoding="utf-8") as stream:
            json.dump(content, stream, indent=1)
        os.replace(f"{self.file}.new", self.file)


def last_line(report: Any) -> str:
    """What a report says in short; empty for a test that passed."""
    if report.passed:
        return ""
    crash = getattr(report.longrepr, "reprcrash", None)
    text = crash.message if crash else report.longrepr
    if isinstance(text, tuple):  # a skip: path, line, reason
        text = text[2]
    lines = [line for line in str(text).splitlines() if line.strip()]
    return (lines[0] if crash else lines[-1])[:300] if lines else ""


def pytest_addoption(parser: Any) -> None:
    parser.addoption("--outcomes", metavar="FILE")
    parser.addoption("--outcomes-module", metavar="NAME", action="append", default=[])
    parser.addoption("--without-fixture", metavar="NAME", action="append", default=[])


def pytest_collection_modifyitems(config: Any, items: list[Any]) -> None:
    unwanted = set(config.getoption("--without-fixture"))
    left_out = [item for item in items if unwanted & set(getattr(item, "fixturenames", ()))]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]


def pytest_configure(config: Any) -> None:
    file = config.getoption("--outcomes")
    if file:
        config.pluginmanager.register(Recorder(file, config.getoption("--outcomes-module")))
