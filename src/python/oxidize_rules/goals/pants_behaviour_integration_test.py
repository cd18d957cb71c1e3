"""`oxidized_binary` behaves as other Pants targets do: run, package, the goals that look, help.

In a copy of the repository, which takes from Pants' store what the repository has built.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
from typing import Any, Dict, Iterator, List

import pytest

from oxidize_rules.goals.testing_repository import Outcome, Project, copy_repository
from oxidize_rules.goals.testing_scratch import MUSL

CLI = "testprojects/cli:bin@target_triple=musl"
BUILD = """\
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
    environment="here",
)
"""
# Says which file it is, so that a test can tell two executables apart.
MAIN = """\
import hashlib
import json
import sys

from helper import SHOWN


def main():
    with open("/proc/self/exe", "rb") as file:
        executable = hashlib.sha256(file.read()).hexdigest()
    print(json.dumps([SHOWN, sys.argv[1:], executable]))
    print("said on stderr", file=sys.stderr)
    return 7
"""


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    project = copy_repository(tmp_path_factory.mktemp("behaviour"))
    project.write("testprojects/echo/BUILD", BUILD)
    project.write("testprojects/echo/main.py", MAIN)
    project.write("testprojects/echo/helper.py", 'SHOWN = "echo"\n')
    project.write("environments/BUILD", 'local_environment(name="here")\n')
    settings = (project.root / "pants.toml").read_text()
    archive = os.environ.get("OXIDIZE_TEST_ARCHIVE")
    if archive:
        # While developing: nothing is built from source.
        build = (project.root / "toolchains/BUILD").read_text()
        project.write("toolchains/BUILD", build.replace(":python3.13-musl-build", "given.tar.zst"))
        shutil.copyfile(archive, project.root / "toolchains/given.tar.zst")
    project.write(
        "pants.toml", settings + '\n[environments-preview.names]\nhere = "//environments:here"\n'
    )
    try:
        yield project
    finally:
        project.close()


def lines(project: Project, *arguments: str) -> List[str]:
    return project.good(*arguments).stdout.splitlines()


def said(outcome: Outcome) -> List[Any]:
    """What the program `echo` printed: a word, its arguments, the sha256 of its executable."""
    assert outcome.returncode == 7, outcome.log
    shown: List[Any] = json.loads(outcome.stdout)
    return shown


# -----------------------------------------------------------------------------------------------
# package and run
# -----------------------------------------------------------------------------------------------


def test_run_is_the_packaged_executable(copy: Project) -> None:
    shutil.rmtree(copy.root / "dist", ignore_errors=True)
    outcome = copy.good("package", "testprojects/echo:bin")
    assert "Wrote dist/chosen/place/echo" in outcome.log
    assert copy.written() == {"chosen/place/echo"}
    file = copy.root / "dist/chosen/place/echo"
    packaged = subprocess.run(
        [str(file), "a", "-b", "c d"], capture_output=True, text=True, timeout=60
    )
    sha256 = hashlib.sha256(file.read_bytes()).hexdigest()
    assert packaged.returncode == 7
    assert json.loads(packaged.stdout) == ["echo", ["a", "-b", "c d"], sha256]

    run = copy.run("run", "testprojects/echo:bin", "--", "a", "-b", "c d")
    assert (run.returncode, run.stdout) == (packaged.returncode, packaged.stdout), run.log
    assert "said on stderr\n" in run.log
    assert [line for line in run.processes if line.startswith(("Link ", "Compile "))] == []


@pytest.mark.parametrize("code", [0, 7, 255])
def test_run_passes_the_exit_code_on(copy: Project, code: int) -> None:
    outcome = copy.run("run", CLI, "--", "leave", str(code))
    assert (outcome.returncode, outcome.stdout) == (code, ""), outcome.log


def test_run_passes_arguments_on(copy: Project) -> None:
    outcome = copy.run("run", CLI, "--", "leave", "--how", "message")
    assert outcome.returncode == 1
    assert "left with a message\n" in outcome.log
    refused = copy.run("run", CLI, "--", "leave", "--no-such-option")
    assert refused.returncode == 2
    assert "--no-such-option" in refused.log


def test_package_writes_what_a_tag_chooses(copy: Project) -> None:
    shutil.rmtree(copy.root / "dist", ignore_errors=True)
    copy.good("--tag=chosen", "package", "testprojects/echo:")
    assert copy.written() == {"chosen/place/echo"}


def test_one_file_for_each_parametrization(copy: Project) -> None:
    """Both name an environment in their `environment` field."""
    shutil.rmtree(copy.root / "dist", ignore_errors=True)
    copy.good("--tag=-chosen", "package", "testprojects/echo:")
    files = {f"testprojects.echo/many@argv={name}" for name in ("loud", "plain")}
    assert copy.written() == files
    outcome = copy.run("run", "testprojects/echo:many@argv=loud", "--", "word")
    loud = (copy.root / "dist/testprojects.echo/many@argv=loud").read_bytes()
    assert said(outcome) == ["echo", ["--loud", "word"], hashlib.sha256(loud).hexdigest()]


def test_an_unknown_environment_is_refused(copy: Project) -> None:
    changed = BUILD.replace('environment="here"', 'environment="nowhere"')
    copy.write("testprojects/echo/BUILD", changed)
    try:
        outcome = copy.run("package", "testprojects/echo:many@argv=loud")
    finally:
        copy.write("testprojects/echo/BUILD", BUILD)
    assert outcome.returncode == 1
    assert "`nowhere`" in outcome.log
    assert "testprojects/echo:many@argv=loud" in outcome.log
    assert "Traceback (most recent call last)" not in outcome.log


# -----------------------------------------------------------------------------------------------
# Goals that look
# -----------------------------------------------------------------------------------------------


def test_list_and_filters(copy: Project) -> None:
    assert lines(copy, "--tag=chosen", "list", "testprojects/echo:") == ["testprojects/echo:bin"]
    folders = [f"testprojects/{name}::" for name in ("cli", "echo", "hello", "interpreter")]
    assert lines(copy, "--filter-target-type=oxidized_binary", "list", *folders) == [
        "testprojects/cli:bin@target_triple=gnu",
        "testprojects/cli:bin@target_triple=musl",
        "testprojects/echo:bin",
        "testprojects/echo:many@argv=loud",
        "testprojects/echo:many@argv=plain",
        "testprojects/hello:bin@target_triple=gnu",
        "testprojects/hello:bin@target_triple=musl",
        "testprojects/interpreter:bin@target_triple=gnu",
        "testprojects/interpreter:bin@target_triple=musl",
    ]


def test_peek_shows_the_fields(copy: Project) -> None:
    shown = {
        one["address"]: one
        for one in json.loads(copy.good("peek", "testprojects/echo:bin", CLI).stdout)
    }
    echo, cli = shown["testprojects/echo:bin"], shown[CLI]
    assert echo["target_type"] == "oxidized_binary"
    assert echo["entry_point"] == {"module": "main.py", "function": "main"}
    assert echo["output_path"] == "chosen/place/echo"
    assert echo["tags"] == ["chosen"]
    assert echo["target_triple"] == cli["target_triple"] == MUSL
    assert echo["dependencies"] == ["testprojects/echo/main.py"]
    assert (echo["strip"], echo["include_sources"], echo["allocator"]) == (True, True, "default")


def test_dependencies(copy: Project) -> None:
    target = "testprojects/echo:bin"
    assert lines(copy, "dependencies", target) == ["testprojects/echo/main.py"]
    assert lines(copy, "dependencies", "--transitive", target) == [
        "testprojects/echo/helper.py",
        "testprojects/echo/main.py",
    ]
    assert lines(copy, "dependencies", CLI) == ["testprojects/cli/main.py"]
    everything = lines(copy, "dependencies", "--transitive", CLI)
    assert "testprojects/cli/cli_app/commands/leave.py" in everything
    assert "testprojects/cli/cli_app/data/schema.sql" in everything
    assert any(line.endswith("#click") for line in everything), everything
    assert not any("echo" in line for line in everything)


def test_dependents(copy: Project) -> None:
    assert "testprojects/echo/main.py" in lines(copy, "dependents", "testprojects/echo/helper.py")
    dependents = lines(copy, "dependents", "--transitive", "testprojects/echo/helper.py")
    assert "testprojects/echo:bin" in dependents
    assert "testprojects/echo:many@argv=loud" in dependents
    assert not any("hello" in line for line in dependents)


def test_the_file_of_the_entry_point_means_the_binary_too(copy: Project) -> None:
    """As with Pants' own binaries, so that `pants package path/to/main.py` does what it says."""
    owners = lines(copy, "list", "testprojects/echo/main.py")
    assert "testprojects/echo:bin" in owners
    assert "testprojects/echo/main.py" in owners


def test_changed_files_lead_to_their_binaries(copy: Project) -> None:
    file = copy.root / "testprojects/hello/main.py"
    before = file.read_text()
    file.write_text(before + "# changed\n")
    try:
        changed = lines(copy, "--changed-since=HEAD", "--changed-dependents=transitive", "list")
    finally:
        file.write_text(before)
    assert "testprojects/hello:bin@target_triple=musl" in changed
    assert CLI not in changed


# -----------------------------------------------------------------------------------------------
# help
# -----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def described(copy: Project) -> Dict[str, Any]:
    """What `help-all` has of each target type."""
    types: Dict[str, Any] = json.loads(copy.good("help-all").stdout)["name_to_target_type_info"]
    return types


@pytest.mark.parametrize(
    ("target_type", "some_fields"),
    [
        ("oxidized_binary", ("entry_point", "target_triple", "output_path", "environment")),
        ("python_distribution_archive", ("url", "source", "sha256", "size", "target_triple")),
        ("python_distribution_build", ("source", "recipe", "libraries", "glibc_floor")),
        ("source_archive", ("urls", "debian", "sha256", "size")),
        ("static_library", ("source", "recipe", "dependencies")),
    ],
)
def test_help_of_every_field(
    copy: Project, described: Dict[str, Any], target_type: str, some_fields: List[str]
) -> None:
    shown = copy.good("help", target_type).stdout
    info = described[target_type]
    assert len(info["description"].strip()) > 40
    fields = {field["alias"]: field["description"] for field in info["fields"]}
    assert set(some_fields) <= set(fields)
    seen = shown.splitlines()
    assert f"`{target_type}` target" in seen[1]
    for alias, description in fields.items():
        assert len((description or "").strip()) > 20, alias
        assert alias in seen, f"{alias} is not in:\n{shown}"
        # Words of the description, however they are wrapped.
        words = description.split()[:4]
        assert " ".join(words) in " ".join(shown.split()), alias
    for wrong in ("TODO", "TK", "{bin_name", "<class "):
        assert wrong not in shown
