"""How the launcher's parts behave without setting anything up: fast tests."""

from __future__ import annotations

import os
import re
import shutil
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path

import boot
import pytest

ROOT = Path(__file__).resolve().parent.parent
SUPPORT = ROOT / "build-support"
LOCKS = [*SUPPORT.glob("*.lock"), ROOT / "3rdparty/python/testprojects.lock"]


def script(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH)
    return path


def run(*argv: object, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(arg) for arg in argv], env=env, capture_output=True, text=True, check=False
    )


@pytest.fixture
def tools(tmp_path: Path) -> Path:
    """A folder for PATH with what the scripts call, and no Python."""
    folder = tmp_path / "tools"
    folder.mkdir()
    for name in ("cat", "cut", "dirname", "grep", "mkdir", "mktemp", "mv", "readlink", "rm"):
        (folder / name).symlink_to(shutil.which(name) or "")
    for name in ("sed", "sh", "sha256sum", "tail", "tee", "tr"):
        (folder / name).symlink_to(shutil.which(name) or "")
    return folder


def test_no_python_at_all_names_what_was_looked_for_and_where(tools: Path, tmp_path: Path) -> None:
    result = run(ROOT / "pants", "--version", PATH=str(tools), HOME=str(tmp_path / "home"))
    assert result.returncode == 3
    assert result.stdout == ""
    assert "no working CPython 3.9 found" in result.stderr
    assert f"python3.9, python3 and python on PATH ({tools})" in result.stderr
    assert f"{tmp_path}/home/.pyenv/versions/3.9*" in result.stderr
    assert "OXIDIZE_PYTHON" in result.stderr
    assert not (tmp_path / "home" / ".cache" / "oxidize_rules").exists()


def test_python_of_another_version_is_named_with_its_version(tools: Path, tmp_path: Path) -> None:
    other = script(tools / "python3", "echo CPython 3.12.1 >&2; exit 1")
    result = run(SUPPORT / "find-python", PATH=str(tools), HOME=str(tmp_path))
    assert result.returncode == 3
    assert f"{other}: CPython 3.12.1" in result.stderr


def test_shim_that_does_not_work_is_passed_over(tools: Path, tmp_path: Path) -> None:
    script(tools / "python3.9", "echo 'pyenv: python3.9: command not found' >&2; exit 127")
    script(tmp_path / ".pyenv/versions/3.9.18/bin/python3.9", f'exec {sys.executable} "$@"')
    result = run(SUPPORT / "find-python", PATH=str(tools), HOME=str(tmp_path))
    assert result.returncode == 0, result.stderr
    assert result.stdout.strip() == sys.executable


def test_oxidize_python_is_the_only_one_looked_at(tools: Path, tmp_path: Path) -> None:
    script(tools / "python3.9", f'exec {sys.executable} "$@"')
    wrong = str(tmp_path / "no-such-python")
    result = run(SUPPORT / "find-python", PATH=str(tools), HOME="/", OXIDIZE_PYTHON=wrong)
    assert result.returncode == 3
    assert f"Looked at OXIDIZE_PYTHON={wrong} only" in result.stderr


@pytest.mark.parametrize(
    ("env", "message"),
    [
        ({}, "neither XDG_CACHE_HOME nor HOME is set"),
        ({"HOME": "/a b"}, "the cache folder /a b/.cache/oxidize_rules may hold letters"),
        ({"XDG_CACHE_HOME": "here"}, "the cache folder here/oxidize_rules is no absolute path"),
    ],
)
def test_cache_folder_that_cannot_serve_is_refused(
    tools: Path, env: dict[str, str], message: str
) -> None:
    result = run(ROOT / "pants", PATH=str(tools), **env)
    assert result.returncode == 3
    assert message in result.stderr


def test_unfinished_folder_is_made_anew(tmp_path: Path) -> None:
    folder = tmp_path / "thing"
    folder.mkdir()
    (folder / "rest-of-a-killed-set-up").touch()
    boot.make_once(folder, lambda workshop: "note")
    assert sorted(path.name for path in folder.iterdir()) == ["ready"]
    assert (folder / "ready").read_text() == "note\n"


def test_ready_folder_is_left_alone(tmp_path: Path) -> None:
    folder = tmp_path / "thing"
    boot.make_once(folder, lambda workshop: "first")
    boot.make_once(folder, lambda workshop: pytest.fail("made twice"))
    assert (folder / "ready").read_text() == "first\n"


def test_failed_program_shows_its_last_lines_and_leaves_nothing_ready(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def build(workshop: boot.Workshop) -> str:
        workshop.run("asking the index", ["sh", "-c", "echo no route to host; exit 7"])
        return ""

    with pytest.raises(boot.SetupError) as error:
        boot.make_once(tmp_path / "thing", build)
    assert "asking the index failed (exit code 7)" in str(error.value)
    assert "no route to host" in str(error.value)
    assert not (tmp_path / "thing" / "ready").exists()
    assert "asking the index" in capsys.readouterr().err


def test_second_start_waits_for_the_first(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    builds: list[str] = []

    def build(workshop: boot.Workshop) -> str:
        builds.append("one")
        time.sleep(0.3)
        return "done"

    starts = [
        threading.Thread(target=boot.make_once, args=(tmp_path / "thing", build)) for _ in range(3)
    ]
    for start in starts:
        start.start()
    for start in starts:
        start.join()
    assert builds == ["one"]
    assert "waiting for another set-up of thing" in capsys.readouterr().err


def test_lock_stays_held_while_a_program_of_a_killed_set_up_lives(tmp_path: Path) -> None:
    orphan = tmp_path / "orphan"
    code = (
        "import os, sys, boot; from pathlib import Path\n"
        "def build(shop):\n"
        f"    shop.run('x', ['sh', '-c', 'sleep 1; touch {orphan}'])\n"
        f"boot.make_once(Path({str(tmp_path / 'thing')!r}), build)\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": str(SUPPORT)}
    )
    while not (tmp_path / "thing" / "setup.log").exists():
        time.sleep(0.01)
    time.sleep(0.2)
    process.kill()
    process.wait()
    boot.make_once(tmp_path / "thing", lambda workshop: str(orphan.exists()))
    assert (tmp_path / "thing" / "ready").read_text() == "True\n"


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: path.name)
def test_locks_pin_every_package_by_hash_and_name_no_index(lock: Path) -> None:
    entries = re.split(r"^(?=[a-z0-9])", lock.read_text(), flags=re.MULTILINE)[1:]
    assert entries
    for entry in entries:
        assert re.match(r"[a-z0-9.-]+==\S+ \\\n    --hash=sha256:[0-9a-f]{64}", entry), entry
    assert "http" not in lock.read_text()
    assert "--index" not in lock.read_text()


def test_pants_toml_knows_the_locked_pex() -> None:
    version = boot.pinned_version(SUPPORT / "pex.lock")
    text = (ROOT / "pants.toml").read_text()
    assert f'version = "v{version}"' in text
    assert re.search(rf'"v{re.escape(version)}\|linux_x86_64\|[0-9a-f]{{64}}\|\d+"', text)


def host_packages(tools: Path, user: str, present: str) -> subprocess.CompletedProcess[str]:
    """Runs install-host-packages on a machine with the `present` packages."""
    script(tools / "dpkg-query", f"printf 'ii  %s, \\n' {present}")
    script(tools / "id", f"echo {user}")
    script(tools / "apt-get", f'echo "$@" >> {tools}/apt.log')
    return run(SUPPORT / "install-host-packages", PATH=str(tools))


def listed_packages() -> list[str]:
    lines = (SUPPORT / "debian-packages.txt").read_text().splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def test_missing_packages_are_installed_by_root(tools: Path) -> None:
    present = " ".join(package for package in listed_packages() if package not in ("tcl", "m4"))
    assert host_packages(tools, "0", present).returncode == 0
    update, install = (tools / "apt.log").read_text().splitlines()
    assert update.endswith("update")
    assert install.split()[-2:] == ["m4", "tcl"]


def test_missing_packages_are_one_clear_line_for_others(tools: Path) -> None:
    present = " ".join(package for package in listed_packages() if package != "perl")
    result = host_packages(tools, "1000", present)
    assert result.returncode == 5
    assert result.stderr.count("\n") == 1
    assert result.stderr.rstrip().endswith("apt-get install --yes --no-install-recommends perl")
    assert not (tools / "apt.log").exists()


def test_nothing_is_asked_of_apt_when_all_is_there(tools: Path) -> None:
    result = host_packages(tools, "1000", " ".join(listed_packages()))
    assert (result.returncode, result.stderr) == (0, "")
    assert not (tools / "apt.log").exists()


def first_run(tmp_path: Path, pants: str) -> subprocess.CompletedProcess[str]:
    """Runs first-run in a repository whose ./pants does what `pants` says."""
    (tmp_path / "build-support").mkdir()
    shutil.copy(SUPPORT / "first-run", tmp_path / "build-support")
    script(tmp_path / "build-support/install-host-packages", "exit 0")
    script(tmp_path / "pants", pants)
    script(tmp_path / "dist/testprojects.cli/bin@musl", 'echo "musl got $*"')
    script(tmp_path / "dist/testprojects.cli/bin@gnu", 'echo "gnu got $*"')
    return run(tmp_path / "build-support/first-run", PATH=os.environ["PATH"])


def test_first_run_runs_every_executable_that_was_written(tmp_path: Path) -> None:
    said = "echo '12:00:00.00 [INFO] Wrote dist/testprojects.cli/bin@%s' >&2"
    result = first_run(tmp_path, "\n".join(said % name for name in ("musl", "gnu")))
    assert result.returncode == 0, result.stderr
    assert "musl got --help\n" in result.stdout
    assert "gnu got --help\n" in result.stdout


def test_first_run_ends_with_pants_own_exit_code(tmp_path: Path) -> None:
    result = first_run(tmp_path, "echo broken >&2; exit 17")
    assert result.returncode == 17
    assert "broken" in result.stderr
    assert result.stdout == ""
