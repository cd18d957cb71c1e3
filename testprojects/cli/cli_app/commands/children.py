"""`children`: starts this Python again, in the ways that programs do."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
import tempfile
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import click

CODE = "import sys, cli_app; print(sys.argv[1:], cli_app.__name__, sys.flags.isolated)"

OPTIONS = "import sys; print(sys.flags.dont_write_bytecode, sys.flags.dev_mode, sys.warnoptions)"
NESTED = (
    "import subprocess, sys; print(subprocess.check_output([sys.executable, '-c', 'print(2)']))"
)


def run(*arguments: str, env: dict[str, str] | None = None, name: str | None = None) -> str:
    """What `sys.executable` says to these arguments; `name` is another argv[0]."""
    done = subprocess.run(
        [name or sys.executable, *arguments],
        executable=sys.executable,
        env=env,
        capture_output=True,
        encoding="utf-8",
    )
    return f"{done.returncode} {done.stdout.strip()}{done.stderr.strip()}"


def script(folder: str, name: str, text: str) -> str:
    path = Path(folder, name)
    path.parent.mkdir(exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return str(path)


def in_child(name: str) -> str:
    """For a worker process: it starts the executable, too."""
    return run("-c", f"print({name!r})")


def spawned() -> str:
    argv = [sys.executable, "-c", "raise SystemExit(7)"]
    pid = os.posix_spawn(sys.executable, argv, {"ONLY": "this"})
    return str(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))


def workers() -> list[str]:
    with ProcessPoolExecutor(2) as pool:
        return list(pool.map(in_child, ["a", "b"]))


@click.command()
def children() -> None:
    """Prints what each way of starting `sys.executable` gave, as JSON."""
    with tempfile.TemporaryDirectory() as folder:
        plain = script(folder, "plain.py", "import sys; print(sys.argv[1:], __file__ != '')")
        named = script(folder, "named", "#!/usr/bin/env python3\nprint('by its first line')")
        script(folder, "package/__main__.py", "print('a folder')")
        facts = {
            "-c": run("-c", CODE, "-x", "y"),
            "cluster": run("-Ic", CODE),
            "options": run("-B", "-X", "dev", "-Wignore", "-c", OPTIONS),
            "-m": run("-m", "main", "leave", "3"),
            "-m of the standard library": run("-m", "calendar", "2026", "11")
            .split("\n")[0]
            .strip(),
            "script": run(plain, "one"),
            "script by line": run(named),
            "folder": run(f"{folder}/package"),
            "nested": run("-c", NESTED),
            "environment": run("-c", CODE, env={}),
            "python": run("-c", "print('called python')", name="python3"),
            "shell": subprocess.getoutput(f"{shlex.quote(sys.executable)} -c 'print(6 * 7)'"),
            "posix_spawn": spawned(),
            "workers": workers(),
            "error": run("-c", "import no_such_thing").splitlines()[-1],
            "itself": run(sys.argv[0], "leave", "5"),
            "itself by name": run(os.path.basename(sys.argv[0]), "leave", "6"),
            "application": run("leave", "4"),
            "no interpreter": run("-c", CODE, env={"OXIDIZED_INTERPRETER": "0"}).splitlines()[-1],
        }
    click.echo(json.dumps(facts))
