"""The launcher for real: empty caches, two clones at once, kills, and the same pex everywhere."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Callable, Iterator

import boot
import pytest

ROOT = Path(__file__).resolve().parent.parent
LAUNCHER = ("pants", "pants.toml", "BUILD", "build-support", "3rdparty")


def make_clone(folder: Path) -> Path:
    """The launcher in a folder of its own; without the plugin, which does not matter here."""
    for name in LAUNCHER:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            folder.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, folder)
    (folder / "src/python").mkdir(parents=True)
    toml = folder / "pants.toml"
    text = toml.read_text()
    assert ', "oxidize_rules"' in text
    toml.write_text(text.replace(', "oxidize_rules"', ""))
    return folder


def environment(cache: Path) -> dict[str, str]:
    """The caller's environment without what the test session itself set for Pants."""
    env = {key: value for key, value in os.environ.items() if not key.startswith("PANTS_")}
    return {
        **env,
        "XDG_CACHE_HOME": str(cache),
        "HOME": str(cache / "home"),
        "OXIDIZE_PYTHON": sys.executable,
        # The plugin is left out, but pants.toml keeps its sections.
        "PANTS_VERIFY_CONFIG": "false",
    }


def stop_daemon(clone: Path) -> None:
    for pid_file in clone.glob(".pids/*/pantsd/pid"):
        os.kill(int(pid_file.read_text()), signal.SIGKILL)


def wait_until(condition: Callable[[], object], seconds: float = 300) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.02)


class Started:
    """A `pants` in a process group of its own, with its output in files."""

    def __init__(self, clone: Path, cache: Path, *args: str, cwd: Path | None = None) -> None:
        self.process = subprocess.Popen(
            [str(clone / "pants"), *args],
            cwd=cwd or clone,
            env=environment(cache),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def finish(self) -> tuple[int, str, str]:
        out, err = self.process.communicate(timeout=300)
        return self.process.returncode, out, err


@pytest.fixture(scope="module")
def clones(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Path, Path]]:
    """Two clones and an empty cache for both."""
    folder = tmp_path_factory.mktemp("clones")
    first, second = make_clone(folder / "first"), make_clone(folder / "a second")
    cache = folder / "cache"
    cache.mkdir()
    yield first, second, cache
    stop_daemon(first)
    stop_daemon(second)


def test_two_clones_at_once_share_one_set_up(clones: tuple[Path, Path, Path]) -> None:
    first, second, cache = clones
    results = [
        started.finish()
        for started in [Started(clone, cache, "--version") for clone in (first, second)]
    ]
    for code, out, err in results:
        assert (code, out) == (0, "2.17.1\n"), err
    told = "".join(err for _, _, err in results)
    assert told.count("oxidize_rules: installing the packages of pants.lock") == 1
    assert told.count("oxidize_rules: building the pex") == 1
    assert "waiting for another set-up" in told


def test_works_from_anywhere_and_passes_arguments_and_exit_code(
    clones: tuple[Path, Path, Path], tmp_path: Path
) -> None:
    clone, _, cache = clones
    assert Started(clone, cache, "--version").finish()[0] == 0
    for folder in (clone, clone / "3rdparty", tmp_path):
        code, out, err = Started(clone, cache, "list", "//3rdparty/python:", cwd=folder).finish()
        assert (code, "3rdparty/python#rich" in out.splitlines()) == (0, True), err
        assert "oxidize_rules:" not in err
    link = tmp_path / "linked-pants"
    link.symlink_to(clone / "pants")
    run = subprocess.run(
        [link, "list", "no such * folder::"],
        cwd=tmp_path,
        env=environment(cache),
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 1
    assert "no such * folder" in run.stderr + run.stdout


def test_signals_reach_pants_itself(clones: tuple[Path, Path, Path]) -> None:
    clone, _, cache = clones
    started = Started(clone, cache, "--no-pantsd", "list", "::")
    pid = started.process.pid
    command = Path(f"/proc/{pid}/cmdline")
    wait_until(lambda: b"/venv/bin/pants\0--no-pantsd\0list\0::" in command.read_bytes())
    os.kill(pid, signal.SIGTERM)
    code, out, _ = started.finish()
    assert code != 0
    assert out == ""


def test_kills_in_the_middle_leave_nothing_that_breaks_the_next_start(tmp_path: Path) -> None:
    clone, cache = make_clone(tmp_path / "clone"), tmp_path / "cache"
    base = cache / "oxidize_rules"

    # Only the set-up program dies: its pip goes on, and the next start has to wait for that.
    started = Started(clone, cache, "--version")
    wait_until(lambda: list(base.glob("pants-*/venv/lib/python3.9/site-packages/pants")))
    pid = started.process.pid
    (setup,) = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    os.kill(int(setup), signal.SIGKILL)
    code, out, _ = started.finish()
    assert (code, out) == (137, "")
    assert not list(base.glob("*/ready"))

    # Everything dies while the pex is being made.
    started = Started(clone, cache, "--version")
    wait_until(lambda: list(base.glob("pex-*/tmp*/venv/bin/pex")))
    os.killpg(started.process.pid, signal.SIGKILL)
    _, _, err = started.finish()
    assert "waiting for another set-up of pants-" in err
    assert [path.parent.name[:6] for path in base.glob("*/ready")] == ["pants-"]

    code, out, err = Started(clone, cache, "--version").finish()
    stop_daemon(clone)
    assert (code, out) == (0, "2.17.1\n"), err
    (pex,) = (path.parent for path in base.glob("pex-*/ready"))
    assert sorted(path.name for path in pex.iterdir()) == ["pex", "ready", "setup.log"]


def other_pythons() -> list[str]:
    """The oldest and the newest other interpreter of this machine that can build the pinned pex."""
    folders = [Path("/usr/bin"), *Path.home().glob(".pyenv/versions/*/bin")]
    found = {}
    for minor in range(8, 12):
        for folder in folders:
            python = folder / f"python3.{minor}"
            works = [str(python), "-E", "-s", "-c", "import ensurepip, ssl, venv"]
            if python.exists() and subprocess.run(works, capture_output=True).returncode == 0:
                found[minor] = str(python)
    return [found[minor] for minor in sorted({min(found), max(found)})] if found else []


def test_pex_has_the_pinned_bytes_whoever_builds_it(tmp_path: Path) -> None:
    (pinned,) = re.findall(r'"(v[^"]*\|linux_x86_64\|[^"]*)"', (ROOT / "pants.toml").read_text())
    for number, python in enumerate([*other_pythons(), sys.executable], 1):
        home = tmp_path / f"home-{number}"
        home.mkdir()
        umask = ["sh", "-c", f'umask {"0077" if number % 2 else "0022"}; exec "$@"', "sh"]
        argv = [
            *umask,
            python,
            "-E",
            "-s",
            boot.__file__,
            "pex-line",
            f"{ROOT}/build-support/pex.lock",
        ]
        env = {**environment(home), "TMPDIR": str(home), "TZ": f"UTC{number}"}
        built = subprocess.run(argv, env=env, capture_output=True, text=True, check=False)
        assert built.stdout.strip() == pinned, (python, built.stderr)
