"""Asks a source archive's own backend (PEP 517) what its build needs, or for the wheel itself.

    python -m oxidize_rules.sandbox.wheels.build_wheel REQUEST.json

It runs under the interpreter that the wheel is for, and uses no network. REQUEST.json (paths
relative to the folder that the program runs in):

    source              the source archive: `.tar.*`, `.zip`, or a folder
    tools               wheels of the build environment: the backend and what it needs
    backend             "setuptools.build_meta", with its object after a colon if it has one
    backend_path        folders of the source that the backend is imported from
    hook                "get_requires_for_build_wheel" or "build_wheel"
    output              the folder that gets the wheel, or `requires.json`, a list of requirements
    jobs                how many compilers may run at once

The compiler is the sysroot's, at `__sysroot/bin` beside this folder's other inputs; of the host's
programs a build finds `sh`, `make` and what POSIX has beside them (`HOST_PROGRAMS`). The wheel is
written again with sorted members and fixed times, so that equal inputs give equal bytes. If the
backend fails, its last lines are shown.
"""

from __future__ import annotations

import configparser
import json
import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

from oxidize_rules.sandbox.errors import UserError, run
from oxidize_rules.sandbox.toolchain.hardening import HARDENING

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import Any

REQUIRES = "requires.json"
SHOWN_LINES = 40
EPOCH = 1700000000
ZIP_TIME = (1980, 1, 1, 0, 0, 0)
HOST_PROGRAMS = (
    *("awk", "basename", "bash", "cat", "chmod", "cmp", "cp", "cut", "date", "diff", "dirname"),
    *("echo", "env", "expr", "false", "find", "grep", "head", "id", "install", "ln", "ls", "make"),
    *("mkdir", "mktemp", "mv", "od", "printf", "pwd", "readlink", "realpath", "rm", "rmdir"),
    *("sed", "sh", "sleep", "sort", "tail", "tar", "tee", "test", "touch", "tr", "true", "uname"),
    *("uniq", "wc", "xargs"),
)
# Run in the source's folder, with the build environment on the path.
HOOK = """\
import importlib, json, sys
name, path, hook, output, result = sys.argv[1:6]
sys.path[:0] = [one for one in path.split("\\n") if one]
module, _, attribute = name.partition(":")
backend = importlib.import_module(module)
for one in attribute.split(".") if attribute else ():
    backend = getattr(backend, one)
if hook == "build_wheel":
    value = backend.build_wheel(output)
else:
    value = getattr(backend, hook, list)()
with open(result, "w", encoding="utf-8") as file:
    json.dump(value, file)
"""


# The build environment


def install(wheel: str, folder: Path) -> None:
    """Unpacks a wheel: modules into `lib`, programs into `bin`."""
    with zipfile.ZipFile(wheel) as archive:
        for info in archive.infolist():
            if info.is_dir():
                continue
            target = folder / _place(info.filename)
            target.parent.mkdir(parents=True, exist_ok=True)
            with archive.open(info) as content, target.open("wb") as stream:
                shutil.copyfileobj(content, stream)
            if (info.external_attr >> 16) & 0o111 or target.parent.name == "bin":
                target.chmod(0o755)


def _place(name: str) -> str:
    """Where a wheel's member goes (PEP 427, `.data` folders)."""
    if ".." in name.split("/"):
        raise UserError(f"a wheel of the build environment has the unsafe member `{name}`.")
    first, _, rest = name.partition("/")
    kind, _, inner = rest.partition("/")
    if not first.endswith(".data") or not inner:
        return f"lib/{name}"
    return f"bin/{inner}" if kind == "scripts" else f"lib/{inner}"


def write_programs(folder: Path) -> None:
    """A program for each console script that the environment declares."""
    (folder / "bin").mkdir(exist_ok=True)
    for declared in sorted(folder.glob("lib/*.dist-info/entry_points.txt")):
        parser = configparser.ConfigParser(delimiters=("=",))
        parser.optionxform = str  # type: ignore[assignment,method-assign]
        parser.read(declared, encoding="utf-8")
        if not parser.has_section("console_scripts"):
            continue
        for name, target in parser.items("console_scripts"):
            module, _, function = target.split("[")[0].strip().partition(":")
            program = folder / "bin" / name
            code = (
                f"import sys; from {module} import {function.split('.')[0]}; "
                f"sys.argv[0] = '{program}'; sys.exit({function}())"
            )
            program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -c "{code}" "$@"\n')
            program.chmod(0o755)
    # Programs that a wheel keeps among its modules.
    for path in folder.glob("lib/*/data/bin/*"):
        path.chmod(0o755)


def link_host_programs(folder: Path) -> None:
    """What a build may find of the machine it runs on: no cmake, no git, no compiler."""
    folder.mkdir()
    for name in HOST_PROGRAMS:
        path = shutil.which(name, path="/usr/bin:/bin")
        if path is not None:
            (folder / name).symlink_to(path)


# The source


def unpack(source: str, folder: Path) -> Path:
    """The folder with the unpacked source."""
    if os.path.isdir(source):
        shutil.copytree(source, folder, symlinks=True)
        return folder
    try:
        if zipfile.is_zipfile(source):
            with zipfile.ZipFile(source) as archive:
                archive.extractall(folder)
        else:
            with tarfile.open(source) as tar:
                tar.extractall(folder, filter="data")
    except (tarfile.TarError, zipfile.BadZipFile, OSError, EOFError) as error:
        raise UserError(f"`{source}` cannot be unpacked: {error}.") from error
    inside = sorted(folder.iterdir())
    return inside[0] if len(inside) == 1 and inside[0].is_dir() else folder


# The build


def build_variables(here: Path, environment: Path, jobs: int) -> dict[str, str]:
    """The environment variables of a build: the sysroot's compiler, and nothing of the host's."""
    sysroot = here / "__sysroot" / "bin"
    tools = [str(path) for path in sorted(environment.glob("lib/*/data/bin"))]
    home = here / "__home"
    home.mkdir(exist_ok=True)
    flags = " ".join(("-O2", "-fPIC", *HARDENING))
    return {
        "PATH": ":".join([str(environment / "bin"), *tools, str(sysroot), str(here / "__host")]),
        "PYTHONPATH": str(environment / "lib"),
        "PYTHONHASHSEED": "0",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONNOUSERSITE": "1",
        "HOME": str(home),
        "TMPDIR": str(home),
        "LC_ALL": "C.UTF-8",
        "TZ": "UTC",
        "SOURCE_DATE_EPOCH": str(EPOCH),
        "OXIDIZE_SANDBOX": str(here),
        "CC": "cc",
        "CXX": "c++",
        "AR": "ar",
        "RANLIB": "ranlib",
        "LDSHARED": "cc -shared",
        "LDCXXSHARED": "c++ -shared",
        "CFLAGS": flags,
        "CXXFLAGS": flags,
        # Libraries of the build machine are not to be found.
        "PKG_CONFIG": "false",
        "CMAKE_GENERATOR": "Ninja",
        "CMAKE_BUILD_PARALLEL_LEVEL": str(jobs),
        "MAX_JOBS": str(jobs),
    }


def run_backend(request: dict[str, Any], source: Path, environment: Path, output: Path) -> Any:
    """What the hook returned: requirements, or the name of the wheel that it built in `output`."""
    here = Path.cwd()
    result = here / "__result"
    paths = "\n".join(str(source / path) for path in request["backend_path"])
    arguments = [request["backend"], paths, request["hook"], str(output), str(result)]
    process = subprocess.run(
        [sys.executable, "-s", "-c", HOOK, *arguments],
        cwd=source,
        env=build_variables(here, environment, request["jobs"]),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    log = process.stdout.decode(errors="replace").replace(str(here), "")
    if process.returncode != 0:
        raise UserError(explain(request, log))
    return json.loads(result.read_text(encoding="utf-8"))


def explain(request: dict[str, Any], log: str) -> str:
    """A failed build, for the user: the compiler's or backend's own words, and what can be done."""
    lines = [line for line in log.splitlines() if line.strip()]
    missing = [
        line.split("fatal error:")[-1].strip()
        for line in lines
        if "fatal error:" in line and "file not found" in line
    ]
    advice = "To fix, mend what is said there, or lock a version that has a fitting wheel."
    if missing:
        advice = (
            f"It needs a header that is not there ({missing[0]}): a library of the build machine "
            "is not used. To fix, lock a version with a wheel, which brings its libraries."
        )
    elif any("No module named" in line for line in lines[-3:]):
        advice = (
            "A module of the build environment is missing, or is native code which a static "
            "interpreter cannot load. To fix, lock a version with a wheel, or use the other triple."
        )
    return (
        f"the build of `{request['source']}` (backend `{request['backend']}`) failed. "
        "Its last lines:\n" + "\n".join(lines[-SHOWN_LINES:]) + f"\n{advice}"
    )


def rewrite(wheel: Path, target: Path) -> None:
    """Writes a wheel again, with sorted members and fixed times; its metadata at the end."""
    with (
        zipfile.ZipFile(wheel) as old,
        zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as new,
    ):
        for info in sorted(_members(old), key=_order):
            fresh = zipfile.ZipInfo(info.filename, ZIP_TIME)
            executable = (info.external_attr >> 16) & 0o111
            fresh.external_attr = (0o100755 if executable else 0o100644) << 16
            fresh.compress_type = zipfile.ZIP_DEFLATED
            fresh.create_system = 3
            new.writestr(fresh, old.read(info))


def _members(archive: zipfile.ZipFile) -> Iterator[zipfile.ZipInfo]:
    return (info for info in archive.infolist() if not info.is_dir())


def _order(info: zipfile.ZipInfo) -> tuple[bool, str]:
    return ".dist-info/" in info.filename, info.filename


def main(argv: Sequence[str]) -> None:
    if len(argv) != 1:
        raise UserError("usage: build_wheel REQUEST.json")
    with open(argv[0], encoding="utf-8") as stream:
        request = json.load(stream)
    here = Path.cwd()
    sys.executable = os.path.abspath(sys.executable)
    environment, built = here / "__env", here / "__wheel"
    environment.mkdir()
    built.mkdir()
    for wheel in request["tools"]:
        install(wheel, environment)
    write_programs(environment)
    link_host_programs(here / "__host")
    source = unpack(request["source"], here / "__source")
    returned = run_backend(request, source, environment, built)
    output = here / request["output"]
    output.mkdir(parents=True, exist_ok=True)
    if request["hook"] == "build_wheel":
        rewrite(built / returned, output / returned)
    else:
        (output / REQUIRES).write_text(json.dumps(returned) + "\n")


if __name__ == "__main__":
    run(main)
