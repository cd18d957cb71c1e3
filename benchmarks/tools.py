"""First and later starts of an application with native packages: our executables and other tools.

    benchmarks/run tools [RUNS] [--nuitka]

The application is `testprojects/figures/app.py`, which uses seven packages; every form has the same
wheels. "First" starts with empty caches: what a tool unpacks at its first start is removed before
each run. The operating system's page cache is not emptied. Prints a Markdown table of medians from
interleaved runs, with each form's size and what it leaves on disk.

Nuitka compiles all modules to C, which takes long: only when it is asked for.
"""

from __future__ import annotations

import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from applications import (
    PYINSTALLER,
    ROOT,
    WORK,
    call,
    find_python,
    package_one,
    pinned_packages,
    prepare_environment,
    say,
)
from measure import Sample, run_once

APP = ROOT / "testprojects/figures/app.py"
FOLDER = WORK / "tools"
# Where tools unpack to in these runs; removed before each first start.
CACHE = FOLDER / "cache"
PEX, SHIV, NUITKA = "pex==2.33.2", "shiv==1.0.8", "nuitka==2.8.9"


@dataclass(frozen=True)
class Form:
    """One way to start the application; `file` is what is handed to a user."""

    name: str
    argv: tuple[str, ...]
    file: Path


def environment() -> dict[str, str]:
    """All caches of the tools lie in CACHE; one thread for BLAS."""
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(CACHE / "home"),
        "TMPDIR": str(CACHE / "tmp"),
        "PEX_ROOT": str(CACHE / "pex"),
        "SHIV_ROOT": str(CACHE / "shiv"),
        "XDG_CACHE_HOME": str(CACHE / "xdg"),
        "LC_ALL": "C.UTF-8",
        "OPENBLAS_NUM_THREADS": "1",
    }


def empty_caches() -> None:
    shutil.rmtree(CACHE, ignore_errors=True)
    for name in ("home", "tmp", "pex", "shiv", "xdg"):
        (CACHE / name).mkdir(parents=True)


def size(path: Path) -> float:
    """MB (10^6 bytes) of a file, or of all files in a folder."""
    files = [path] if path.is_file() else [one for one in path.rglob("*") if one.is_file()]
    return sum(one.lstat().st_size for one in files) / 1e6


def with_tools(python: Path) -> Path:
    """Puts the other tools into the environment of the packages; gives the folder of programs."""
    programs = python.parent
    if not (programs / "shiv").exists():
        say("installing the other tools")
        tools = (PYINSTALLER, PEX, SHIV, NUITKA, "pip", "setuptools")
        call(find_python(), "-m", "pip", "--python", python, "install", "-q", *tools)
    return programs


def shown(requirement: str) -> str:
    return requirement.replace("==", " ").replace("pyinstaller", "PyInstaller")


def forms(nuitka: bool) -> list[Form]:
    bare = find_python()
    packages = pinned_packages()
    python = prepare_environment("tools", bare)
    programs = with_tools(python)
    FOLDER.mkdir(parents=True, exist_ok=True)
    plain = prepare_environment("other", bare)
    made = [Form("virtual environment", (str(plain), "-I", str(APP)), plain.parent.parent)]
    for libc, said in (("musl", "musl"), ("gnu", "glibc")):
        path = package_one(f"testprojects/figures:app-{libc}")
        made.append(Form(f"oxidized_binary, {said}", (str(path),), path))
    onefile = FOLDER / "app"
    if not onefile.exists():
        say("packaging with PyInstaller")
        call(
            programs / "pyinstaller", "--onefile", "--strip", "--log-level", "ERROR",
            "--name", "app", "--distpath", FOLDER, "--workpath", FOLDER / "work",
            "--specpath", FOLDER / "work", APP,
        )  # fmt: skip
    made.append(Form(f"{shown(PYINSTALLER)}, one file", (str(onefile),), onefile))
    source = FOLDER / "source"
    source.mkdir(exist_ok=True)
    shutil.copy(APP, source / "app.py")
    pex = FOLDER / "app.pex"
    if not pex.exists():
        say("packaging with PEX")
        call(
            programs / "pex", *packages, "--sources-directory", source, "--entry-point", "app",
            "--output-file", pex, "--no-build",
        )  # fmt: skip
    made.append(Form(shown(PEX), (str(bare), str(pex)), pex))
    shiv = FOLDER / "app.pyz"
    if not shiv.exists():
        say("packaging with shiv")
        site = FOLDER / "site"
        call(
            bare, "-m", "pip", "install", "-q", "--only-binary", ":all:",
            "--target", site, *packages,
        )  # fmt: skip
        shutil.copy(APP, site / "app.py")
        # shiv calls a function: importing this module does the work, the function nothing.
        (site / "start.py").write_text("def main():\n    import app\n")
        call(
            programs / "shiv", "--site-packages", site, "--compressed",
            "--entry-point", "start:main", "--output-file", shiv,
        )  # fmt: skip
    made.append(Form(shown(SHIV), (str(bare), str(shiv)), shiv))
    if nuitka:
        compiled = FOLDER / "app.nuitka"
        if not compiled.exists():
            say("packaging with Nuitka")
            call(
                python, "-m", "nuitka", "--onefile", "--assume-yes-for-downloads", "--jobs=2",
                f"--output-dir={FOLDER / 'nuitka'}", f"--output-filename={compiled}", APP,
            )  # fmt: skip
        made.append(Form(f"{shown(NUITKA)}, one file", (str(compiled),), compiled))
    return made


def main() -> None:
    numbers = [int(text) for text in sys.argv[1:] if text.isdigit()]
    runs = numbers[0] if numbers else 9
    all_forms = forms("--nuitka" in sys.argv)
    first = {form.name: Sample() for form in all_forms}
    later = {form.name: Sample() for form in all_forms}
    left: dict[str, float] = {}
    env = environment()
    for turn in range(-1, runs):
        for form in all_forms:
            empty_caches()
            run_once(form.argv, first[form.name] if turn >= 0 else None, env)
            left[form.name] = size(CACHE)
            run_once(form.argv, later[form.name] if turn >= 0 else None, env)
    base = later["virtual environment"].cpu_ms
    print(f"### first and later starts, {runs} interleaved runs\n")
    print(
        "| form | first, CPU ms | wall ms | later, CPU ms | ratio | wall ms | size, MB"
        " | on disk, MB |"
    )
    print("|---|" + "---:|" * 7)
    for form in all_forms:
        one, two = first[form.name], later[form.name]
        print(
            f"| {form.name} | {one.cpu_ms:.0f} | {one.wall_ms:.0f} | {two.cpu_ms:.0f}"
            f" | {two.cpu_ms / base:.2f} | {two.wall_ms:.0f} | {size(form.file):.1f}"
            f" | {left[form.name]:.1f} |"
        )


if __name__ == "__main__":
    main()
