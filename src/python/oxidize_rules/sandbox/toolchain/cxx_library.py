"""Adds C++ to a sysroot: LLVM's libc++, libc++abi and libunwind as static libraries.

    cxx_library.py --zig __zig/ziglang/zig --sysroot __sysroot --output __cxx

zig's wheel has their sources and builds them for the link of one small shared library, which takes
half a minute; this program copies what it linked. Beside the libraries it writes `config.sh`, which
the sysroot's `c++` (sandbox/toolchain/cc.sh) reads in place of its own where a folder `__cxx`
stands beside the sysroot.

Libraries that are built with this hold their own, hidden copy of libc++: a wheel's libstdc++ beside
it is another thing, and exceptions do not cross from one module to another, as Python's C API
would not allow anyway.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
from pathlib import Path

from oxidize_rules.sandbox.errors import UserError, run
from oxidize_rules.sandbox.toolchain.sysroot import (
    ProbedToolchain,
    Target,
    compile_arguments,
    copy_archive,
    parse_log,
    parse_target,
    shell_config,
    write_empty_archives,
)

CXX_DIR = "__cxx"
LIBRARIES = ("libc++.a", "libc++abi.a", "libunwind.a")
# What build scripts name with `-l`, and what the linker is given anyway.
EMPTY = ("stdc++", "c++", "c++abi", "supc++")
PROBE = "#include <string>\nint probe(int x) { return std::to_string(x).size(); }\n"


def probe(zig: str, target: Target, folder: Path) -> ProbedToolchain:
    """Links a shared library with zig in `folder`, and reads what zig did."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "probe.cc").write_text(PROBE)
    environment = {
        **os.environ,
        "ZIG_GLOBAL_CACHE_DIR": os.environ.get("ZIG_GLOBAL_CACHE_DIR", ".zig-cache"),
        "ZIG_LOCAL_CACHE_DIR": ".zig-cache",
    }
    command = [os.path.abspath(zig), "c++", "-target", target.zig_target, "-g0", "-s", "-O2"]
    command += ["-fPIC", "-shared", "-v", "-o", "probe.so", "probe.cc"]
    result = subprocess.run(
        command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    log = result.stdout.decode(errors="replace")
    if result.returncode != 0:
        raise UserError(f"zig cannot build libc++ for {target.zig_target}:\n{log[-4000:]}")
    return parse_log(log, folder)


def write_cxx(zig: str, sysroot: Path, output: Path, scratch: Path) -> None:
    description = json.loads((sysroot / "sysroot.json").read_text())
    target = parse_target(description["target_triple"], description["glibc_floor"])
    probed = probe(zig, target, scratch)
    found = {path.name: path for path in probed.inputs}
    lib = output / "lib"
    lib.mkdir(parents=True)
    for name in LIBRARIES:
        if name not in found:
            raise ValueError(f"zig did not link {name}: {sorted(found)}")
        copy_archive(zig, found[name], lib / f"oxidize-{name}", scratch / "members")
    write_empty_archives(lib, EMPTY)
    ours = [f"{CXX_DIR}/lib/oxidize-{name}" for name in LIBRARIES]
    with_cxx = {
        **description,
        "compile_args": compile_arguments(target, probed),
        "libraries": [*ours, *description["libraries"]],
        "shared_libraries": [*ours, *description["shared_libraries"]],
        "library_dirs": [f"{CXX_DIR}/lib", *description["library_dirs"]],
    }
    (output / "config.sh").write_text(shell_config(with_cxx))


def main(argv: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="cxx_library.py")
    parser.add_argument("--zig", required=True)
    parser.add_argument("--sysroot", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--scratch", type=Path, default=Path("__scratch"))
    options = parser.parse_args(argv)
    write_cxx(options.zig, options.sysroot, options.output, options.scratch)


if __name__ == "__main__":
    run(main)
