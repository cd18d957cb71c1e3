"""The goals about distributions in a project that uses the plugin, by the real `pants`."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Iterator
from urllib.parse import quote

import pytest

from oxidize_rules.goals.testing_repository import Project
from oxidize_rules.goals.testing_scratch import scratch_project
from oxidize_rules.sandbox.distribution.testing_releases import (
    ReleaseServer,
    content_of,
    release_server,
    sha256_of,
)

OLD, NEW = "20260901", "20261021"
MUSL = "x86_64-unknown-linux-musl-noopt+static-full.tar.zst"
GNU = "x86_64-unknown-linux-gnu-pgo+lto-full.tar.zst"
UPDATE = "oxidize-update-distributions"


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    made = scratch_project(tmp_path_factory.mktemp("distribution_goals"))
    try:
        yield made
    finally:
        made.close()


def name_of(version: str, release: str, rest: str) -> str:
    return f"cpython-{version}+{release}-{rest}"


# -----------------------------------------------------------------------------------------------
# oxidize-update-distributions
# -----------------------------------------------------------------------------------------------


@pytest.fixture
def server() -> Iterator[ReleaseServer]:
    with release_server({OLD: ("3.12.14", "3.13.15"), NEW: ("3.12.15", "3.13.17")}) as running:
        yield running


def pins(base: str, version: str, release: str, gnu_version: str, computed: str = OLD) -> str:
    """A BUILD file with three pins; the last one's tag is a constant."""
    musl, gnu = name_of(version, release, MUSL), name_of(gnu_version, release, GNU)
    other = name_of("3.13.15", computed, GNU)
    return f'''\
# Pins of Python.
RELEASES = "{base}"
TAG = "{computed}"

python_distribution_archive(
    name="musl",  # static
    url=f"{{RELEASES}}/{release}/{quote(musl)}",
    sha256="{sha256_of(musl)}",
    size={len(content_of(musl))},
)

python_distribution_archive(
    name="gnu",
    url="{base}/{release}/"
        "{quote(gnu)}",
    sha256="{sha256_of(gnu)}",
)

python_distribution_archive(
    name="computed",
    url=f"{{RELEASES}}/{{TAG}}/{quote(other).replace(computed, "{TAG}")}",
    sha256="{sha256_of(other)}",
)
'''


def test_check_and_update(project: Project, server: ReleaseServer) -> None:
    before = pins(server.base, "3.13.15", OLD, "3.12.14")
    project.write("pins/BUILD", before)
    build = project.root / "pins/BUILD"

    def size(name: str) -> str:
        return f"{len(content_of(name)) / 1e6:.1f}"

    lines = []
    for target, old, new, rest in (
        ("computed", "3.13.15", "3.13.17", GNU),
        ("gnu", "3.12.14", "3.12.15", GNU),
        ("musl", "3.13.15", "3.13.17", MUSL),
    ):
        sizes = [size(name_of(old, OLD, rest)), size(name_of(new, NEW, rest))]
        lines.append(f"pins:{target}: {old}+{OLD} -> {new}+{NEW}, {' -> '.join(sizes)} MB")

    checked = project.run(UPDATE, "--check", "pins::")
    assert (checked.returncode, checked.stdout.splitlines()) == (1, lines), checked.log
    assert build.read_text() == before

    # Everything that can be written is, and what cannot is told: that is not success.
    written = project.run(UPDATE, "--verify", "pins::")
    assert written.returncode == 1, written.log
    assert written.stdout.splitlines() == [*lines, "Wrote pins/BUILD"]
    assert "pins:computed stays as it is: its `url` is computed of other values" in written.log
    assert build.read_text() == pins(server.base, "3.13.17", NEW, "3.12.15")
    # `--verify` has downloaded them.
    archives = [path for command, path in server.seen if command == "GET" and "cpython" in path]
    assert len(set(archives)) == 3

    # The targets are what they were, and current.
    again = project.run(UPDATE, "--check", "pins:gnu", "pins:musl")
    assert again.returncode == 0, again.log
    assert again.stdout.splitlines() == [
        f"pins:gnu: 3.12.15+{NEW} is current",
        f"pins:musl: 3.13.17+{NEW} is current",
    ]


def test_a_mirror_and_a_tag(project: Project, server: ReleaseServer) -> None:
    """The new release is not asked for, and `latest` is not what the mirror has."""
    name = name_of("3.13.15", OLD, MUSL)
    before = pins("https://nowhere.example/releases/download", "3.13.17", NEW, "3.12.15")
    project.write("pins/BUILD", before)
    moved = project.run(UPDATE, f"--base-url={server.base}/", f"--release={OLD}", "pins:gnu")
    assert moved.returncode == 0, moved.log
    assert f"-> 3.12.14+{OLD} (older), " in moved.stdout
    text = (project.root / "pins/BUILD").read_text()
    assert f'"{server.base}/{OLD}/"\n        "cpython-3.12.14%2B' in text
    # What stands in a constant of the file, which others use, is left to its owner.
    refused = project.run(UPDATE, f"--base-url={server.base}/", f"--release={OLD}", "pins:musl")
    assert refused.returncode == 1
    assert "pins:musl stays as it is: its `url` is computed of other values" in refused.log
    assert (project.root / "pins/BUILD").read_text() == text
    assert sha256_of(name) not in text


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ("page", "it is a page of HTML or XML"),
        ("half", "it ends within a line"),
        ("not-there", "HTTP 404"),
        ("archive", "sha256 differs: found"),
    ],
)
def test_what_is_bad_changes_nothing(
    project: Project, server: ReleaseServer, bad: str, message: str
) -> None:
    content = server.files[server.list_path(NEW)]
    if bad == "page":
        server.answers[server.list_path(NEW)] = lambda h: h.give(b"<html>\n", kind="text/html")
    elif bad == "half":
        server.answers[server.list_path(NEW)] = lambda h: h.give(content[:-50], length=False)
    elif bad == "not-there":
        server.answers[server.list_path(NEW)] = lambda h: h.send_error(404)
    else:
        name = name_of("3.13.17", NEW, MUSL)
        path = f"{server.top}/{NEW}/{name}"
        wrong = bytes(len(server.files[path]))
        server.answers[path] = lambda h: h.give(wrong)
    before = pins(server.base, "3.13.15", OLD, "3.12.14")
    project.write("pins/BUILD", before)
    outcome = project.run(UPDATE, "--verify", "pins:gnu", "pins:musl")
    assert outcome.returncode == 1
    text = " ".join(outcome.log.split())
    assert message in text
    assert "Traceback" not in outcome.log
    assert len(re.findall(r"^\w*Error: ", outcome.log, re.MULTILINE)) == 1, outcome.log
    assert (project.root / "pins/BUILD").read_text() == before


def test_no_targets(project: Project) -> None:
    outcome = project.run(UPDATE, "archives::")
    assert outcome.returncode == 1
    assert "found none of 1 has a `url`" in " ".join(outcome.log.split())
    assert Path(project.root / "archives/BUILD").read_text().count("source=") == 1


# -----------------------------------------------------------------------------------------------
# oxidize-distribution
# -----------------------------------------------------------------------------------------------

DESCRIBE = "oxidize-distribution"


def advisory(name: str, fixed: str) -> str:
    """About every version before `fixed`."""
    events = [{"introduced": "0"}, {"fixed": fixed}]
    ranges = [{"type": "SEMVER", "events": events}]
    affected = [{"package": {"ecosystem": "OSS-Fuzz", "name": name}, "ranges": ranges}]
    return json.dumps({"id": f"TEST-{name}", "summary": "For a test.", "affected": affected})


def test_a_distribution_with_advisories(project: Project) -> None:
    project.write("advisories/a/openssl.json", advisory("openssl", "3.0.1"))
    fine = project.good(DESCRIBE, "--advisories=advisories/**/*.json", "archives:good")
    lines = [" ".join(line.split()) for line in fine.stdout.splitlines()]
    assert "target triple x86_64-unknown-linux-musl" in lines
    assert "executables need nothing (musl, static)" in lines
    (openssl,) = (line for line in lines if line.startswith("library:openssl "))
    assert re.fullmatch(r"library:openssl 3\.\d+\.\d+ Apache-2\.0", openssl)
    assert "_ssl kept openssl Apache-2.0" in lines
    assert lines[-2:] == ["advisories read: 1", "archives:good: 0 known vulnerabilities"]

    project.write("advisories/a/sqlite.json", advisory("libsqlite3", "99"))
    options = ("--advisories=advisories/**/*.json", "--format=json")
    found = project.run(DESCRIBE, *options, "--extension-filter=no-libraries", "archives:good")
    assert found.returncode == 1, found.log
    (one,) = json.loads(found.stdout)["distributions"]
    assert [row["advisory"] for row in one["findings"]] == ["TEST-libsqlite3"]
    extensions = {row["name"]: row for row in one["extensions"]}
    assert (extensions["_ssl"]["kept"], extensions["_json"]["kept"]) == (False, True)
    assert extensions["_ssl"]["why"].startswith("it links crypto")
    components = {row["id"]: row for row in one["components"]}
    assert components["library:openssl"]["kept"] is False
    assert components["interpreter:cpython"]["version"] == one["python_version"]
    # The second time, nothing has to be done for it.
    again = project.run(DESCRIBE, *options, "--extension-filter=no-libraries", "archives:good")
    assert (again.stdout, again.processes) == (found.stdout, [])


def test_the_same_archive_twice(project: Project) -> None:
    project.write(
        "archives/BUILD",
        'python_distribution_archive(name="good", source="good.tar.zst")\n'
        'python_distribution_archive(name="same", source="good.tar.zst")\n',
    )
    compared = project.good(DESCRIBE, "archives:")
    lines = compared.stdout.splitlines()
    assert lines[0].split() == ["archives:good", "archives:same"]
    assert re.fullmatch(r"  \d+ are the same in all", lines[-1])


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("--advisories=nothing/*.json", "the option `--advisories` of oxidize-distribution"),
        ("--advisories=/etc/osv.json", "expected a path below the build root"),
        ("--advisories=archives/BUILD", "the file archives/BUILD is not JSON"),
    ],
)
def test_bad_advisories(project: Project, option: str, message: str) -> None:
    outcome = project.run(DESCRIBE, option, "archives:good")
    assert (outcome.returncode, outcome.stdout) == (1, "")
    assert message in " ".join(outcome.log.split())
    assert "Traceback" not in outcome.log


def test_no_distribution(project: Project) -> None:
    project.write("app/BUILD", 'target(name="x")\n')
    outcome = project.run(DESCRIBE, "app:x")
    assert outcome.returncode == 1
    assert "found no `python_distribution_archive` target" in " ".join(outcome.log.split())
