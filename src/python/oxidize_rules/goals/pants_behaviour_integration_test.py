"""`oxidized_binary` behaves as other Pants targets do: run, package, the goals that look, help."""

from __future__ import annotations

import json
import subprocess
from typing import Iterator, List

import pytest

from oxidize_rules.goals.testing_repository import Project, copy_repository

BUILD = """
python_sources()

oxidized_binary(
    name="bin",
    entry_point="main.py:main",
    output_path="chosen/place/echo",
    tags=["chosen"],
)

oxidized_binary(
    name="many",
    entry_point="main.py:main",
    argv=parametrize(plain=[], loud=["--loud"]),
    target_triple=parametrize(
        musl="x86_64-unknown-linux-musl", gnu="x86_64-unknown-linux-gnu"
    ),
    environment="here",
)
"""
MAIN = """
import sys
from helper import SHOWN

def main():
    print(SHOWN, sys.argv[1:])
    return 7
"""
HELP = (
    "oxidized_binary",
    "python_distribution_archive",
    "python_distribution_build",
    "static_library",
    "source_archive",
)


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    project = copy_repository(tmp_path_factory.mktemp("behaviour"))
    project.write("testprojects/echo/BUILD", BUILD)
    project.write("testprojects/echo/main.py", MAIN)
    project.write("testprojects/echo/helper.py", 'SHOWN = "echo"\n')
    project.write("environments/BUILD", 'local_environment(name="here")\n')
    configuration = project.root / "pants.toml"
    configuration.write_text(
        configuration.read_text() + '\n[environments-preview.names]\nhere = "//environments:here"\n'
    )
    try:
        yield project
    finally:
        project.close()


def lines(project: Project, *arguments: str) -> List[str]:
    return project.good(*arguments).stdout.splitlines()


def test_run_and_package_agree(copy: Project) -> None:
    copy.good("package", "testprojects/echo:bin")
    file = copy.root / "dist/chosen/place/echo"
    assert copy.written() == {"chosen/place/echo"}
    packaged = subprocess.run([str(file), "a", "-b", "c d"], capture_output=True, text=True)
    run = copy.run("run", "testprojects/echo:bin", "--", "a", "-b", "c d")
    assert (packaged.returncode, packaged.stdout) == (7, "echo ['a', '-b', 'c d']\n")
    assert (run.returncode, run.stdout) == (packaged.returncode, packaged.stdout), run.log


def test_run_links_nothing_that_package_has_linked(copy: Project) -> None:
    copy.good("package", "testprojects/echo:bin")
    assert copy.run("-ldebug", "run", "testprojects/echo:bin").processes == []


def test_targets_are_listed_and_filtered(copy: Project) -> None:
    assert lines(copy, "--tag=chosen", "list", "testprojects/echo:") == ["testprojects/echo:bin"]
    many = lines(copy, "--filter-target-type=oxidized_binary", "list", "testprojects/echo:")
    assert many == [
        "testprojects/echo:bin",
        *(
            f"testprojects/echo:many@argv={argv},target_triple={triple}"
            for argv in ("loud", "plain")
            for triple in ("gnu", "musl")
        ),
    ]


def test_peek_shows_the_fields(copy: Project) -> None:
    (shown,) = json.loads(copy.good("peek", "testprojects/echo:bin").stdout)
    assert shown["target_type"] == "oxidized_binary"
    assert shown["output_path"] == "chosen/place/echo"
    assert shown["target_triple"] == "x86_64-unknown-linux-musl"
    assert shown["dependencies"] == ["testprojects/echo/main.py"]


def test_dependencies_in_both_directions(copy: Project) -> None:
    target = "testprojects/echo:bin"
    assert lines(copy, "dependencies", target) == ["testprojects/echo/main.py"]
    assert lines(copy, "dependencies", "--transitive", target) == [
        "testprojects/echo/helper.py",
        "testprojects/echo/main.py",
    ]
    dependents = lines(copy, "dependents", "--transitive", "testprojects/echo/helper.py")
    assert target in dependents
    assert "testprojects/hello:bin@target_triple=musl" not in dependents


def test_changed_files_lead_to_their_binaries(copy: Project) -> None:
    file = copy.root / "testprojects/hello/main.py"
    before = file.read_text()
    file.write_text(before + "# changed\n")
    try:
        changed = lines(copy, "--changed-since=HEAD", "--changed-dependents=transitive", "list")
    finally:
        file.write_text(before)
    assert "testprojects/hello:bin@target_triple=musl" in changed
    assert "testprojects/cli:bin@target_triple=musl" not in changed


def test_an_environment_and_two_parametrized_fields(copy: Project) -> None:
    outcome = copy.run("run", "testprojects/echo:many@argv=loud,target_triple=musl", "--", "word")
    assert (outcome.returncode, outcome.stdout) == (7, "echo ['--loud', 'word']\n"), outcome.log


def test_an_unknown_environment_is_refused(copy: Project) -> None:
    build = copy.root / "testprojects/echo/BUILD"
    text = build.read_text()
    build.write_text(text.replace('environment="here"', 'environment="nowhere"'))
    try:
        outcome = copy.run("package", "testprojects/echo:many@argv=loud,target_triple=musl")
    finally:
        build.write_text(text)
    assert outcome.returncode != 0
    assert "nowhere" in outcome.log
    assert "Traceback" not in outcome.log


@pytest.mark.parametrize("target_type", HELP)
def test_help_of_every_field(copy: Project, target_type: str) -> None:
    shown = copy.good("help", target_type).stdout
    assert f"`{target_type}` target" in shown or target_type in shown
    for wrong in ("placeholder", "TODO", "No help", "None\n\n\n"):
        assert wrong not in shown
    (described,) = (
        one
        for alias, one in json.loads(copy.good("help-all").stdout)[
            "name_to_target_type_info"
        ].items()
        if alias == target_type
    )
    assert described["summary"].strip()
    for field in described["fields"]:
        assert len(field["description"].strip()) > 10, field["alias"]
        assert field["alias"] in shown
