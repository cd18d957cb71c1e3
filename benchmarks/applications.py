"""What is measured: our executables, and the same applications in the forms that peers give them.

Everything is built once into a work folder outside the repository and used again by later runs;
delete the folder to start afresh.
"""

from __future__ import annotations

import functools
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
WORK = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "oxidize_rules-benchmarks"
LOCK = ROOT / "3rdparty/python/testprojects.lock"
# What testprojects/figures uses, and where the versions stand.
SEVEN = ("cryptography", "lxml", "numpy", "orjson", "pandas", "psutil", "pydantic-core")
PACKAGES_LOCK = ROOT / "3rdparty/python/packages.lock"
TRIPLES = ("musl", "gnu")
PYINSTALLER = "pyinstaller==6.16.0"


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def call(*argv: str | Path, cwd: Path = ROOT) -> str:
    """Runs a command of the preparation and gives its standard output and error."""
    result = subprocess.run(
        [str(word) for word in argv],
        cwd=cwd,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    if result.returncode != 0:
        raise SystemExit(f"{' '.join(map(str, argv))} failed:\n{result.stdout}")
    return result.stdout


def package(*addresses: str) -> list[Path]:
    """Packages targets with the repository's `./pants`; the files written, in no known order."""
    output = call(ROOT / "pants", "--no-dynamic-ui", "package", *addresses)
    return [ROOT / path for path in re.findall(r"Wrote (\S+)", output)]


def package_one(address: str) -> Path:
    (path,) = package(address)
    return path


def pinned_packages() -> list[str]:
    """The packages of SEVEN with PACKAGES_LOCK's versions, as pip's arguments."""
    lines = PACKAGES_LOCK.read_text().splitlines()
    pins = dict(line.split(" ")[0].split("==") for line in lines if "==" in line)
    return [*(f"{name}=={pins[name]}" for name in SEVEN), "--constraint", str(_constraints(pins))]


def _constraints(pins: dict[str, str]) -> Path:
    path = WORK / "constraints.txt"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{name}=={version}\n" for name, version in pins.items()))
    return path


def prepare_environment(name: str, python: Path) -> Path:
    """A virtual environment of `python` with the packages of SEVEN; gives its `python3`.

    Nothing else is inside: pandas imports what it finds. pip compiles the bytecode.
    """
    venv = WORK / f"packages-{name}"
    own = venv / "bin/python3"
    if not (venv / "ready").exists():
        say(f"making a virtual environment of {python} with the packages")
        shutil.rmtree(venv, ignore_errors=True)
        call(python, "-m", "venv", "--without-pip", venv)
        pip = (find_python(), "-m", "pip", "--python", own)
        call(*pip, "install", "-q", "--only-binary", ":all:", *pinned_packages())
        (venv / "ready").touch()
    return own


@dataclass(frozen=True)
class Peers:
    """The same applications on disk: an environment with their requirements, and PyInstaller's."""

    python: Path
    hello_onefile: Path
    cli_onefile: Path


@functools.lru_cache(maxsize=1)
def find_python() -> Path:
    """Another CPython 3.13 of this machine, which the peers run on (they cannot use ours)."""
    candidates = [shutil.which("python3.13")]
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    candidates += [str(path / "bin/python3.13") for path in sorted(pyenv.glob("3.13*"))]
    for candidate in filter(None, candidates):
        tried = [candidate, "-c", "import venv, ensurepip"]
        if subprocess.run(tried, stderr=subprocess.DEVNULL).returncode == 0:
            return Path(candidate)
    raise SystemExit("the peers need a CPython 3.13 with venv and pip: none was found on PATH")


def prepare_peers() -> Peers:
    venv = WORK / "venv"
    python = venv / "bin/python"
    if not (venv / "ready").exists():
        say("making a virtual environment with the applications' requirements")
        shutil.rmtree(venv, ignore_errors=True)
        call(find_python(), "-m", "venv", venv)
        call(python, "-m", "pip", "install", "-q", "--require-hashes", "-r", LOCK)
        call(python, "-m", "pip", "install", "-q", PYINSTALLER)
        call(python, "-m", "compileall", "-q", ROOT / "testprojects/cli")
        (venv / "ready").touch()
    onefile = {}
    for name in ("hello", "cli"):
        onefile[name] = WORK / f"pyinstaller/{name}"
        if not onefile[name].exists():
            say(f"packaging {name} with PyInstaller")
            project = ROOT / "testprojects" / name
            data = project / "cli_app/data"
            call(
                python, "-m", "PyInstaller", "--onefile", "--strip", "--log-level", "ERROR",
                "--distpath", WORK / "pyinstaller", "--workpath", WORK / f"pyinstaller-work/{name}",
                "--specpath", WORK / "pyinstaller-work", "--name", name,
                "--paths", project, "--copy-metadata", "requests",
                *(("--add-data", f"{data}:cli_app/data") if name == "cli" else ()),
                *(("--collect-submodules", "cli_app") if name == "cli" else ()),
                project / "main.py",
            )  # fmt: skip
    return Peers(python, onefile["hello"], onefile["cli"])


def unpack_distribution(address: str) -> Path:
    """The interpreter of a packaged distribution, from disk, with its bytecode compiled.

    Gives the path of `python3`; needs `tar` with zstd, or the `zstandard` module.
    """
    archive = package_one(address)
    folder = WORK / "distribution" / archive.name
    python = folder / "python/install/bin/python3.13"
    if not python.exists():
        say(f"unpacking {archive.name}")
        import tarfile

        import zstandard

        folder.mkdir(parents=True, exist_ok=True)
        decompressor = zstandard.ZstdDecompressor()
        with (
            archive.open("rb") as stream,
            decompressor.stream_reader(stream) as raw,
            tarfile.open(fileobj=raw, mode="r|") as tar,
        ):
            tar.extractall(folder)
        call(python, "-m", "compileall", "-q", folder / "python/install/lib/python3.13")
    return python
