"""The real zig: sysroots for both C libraries, and the compiler that stands in them."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path
from typing import Any, Optional, Tuple

import pytest
from elftools.elf.dynamic import DynamicSection
from elftools.elf.elffile import ELFFile
from pants.engine.fs import Snapshot
from pants.testutil.rule_runner import RuleRunner

from oxidize_rules.util_rules.sysroot import Sysroot
from oxidize_rules.util_rules.testing_toolchain import TARGETS, new_runner, write_digest
from oxidize_rules.util_rules.zig import ZigToolchain, ZigToolchainRequest

HELLO = """\
#include <assert.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
static void *run(void *argument) {
  printf("%s %.0f\\n", __FILE__, sqrt(*(double *)argument));
  return 0;
}
int main(int argc, char **argv) {
  double number = 48 + argc;
  pthread_t thread;
  assert(argv);
  pthread_create(&thread, 0, run, &number);
  return pthread_join(thread, 0);
}
"""


@pytest.fixture(scope="module")
def runner() -> RuleRunner:
    return new_runner()


@pytest.fixture(scope="module", params=list(TARGETS))
def sandbox(
    request: Any, runner: RuleRunner, tmp_path_factory: pytest.TempPathFactory
) -> Tuple[str, Path]:
    """A folder as a process sees it: `__zig` and `__sysroot`; a blank in its name."""
    folder = tmp_path_factory.mktemp(f"a sandbox {request.param}")
    toolchain = runner.request(ZigToolchain, [ZigToolchainRequest()])
    root = runner.request(Sysroot, [TARGETS[request.param]])
    for name, digest in (("__zig", toolchain.digest), ("__sysroot", root.digest)):
        write_digest(runner, digest, folder / name)
    (folder / "hello.c").write_text(HELLO)
    return request.param, folder


def run(folder: Path, *command: str) -> str:
    """Runs a tool of the sysroot as a recipe would; returns what it printed."""
    path = f"{folder}/__sysroot/bin:/usr/bin:/bin"
    # Not `env=`: the parent's PATH would be searched for the program.
    result = subprocess.run(
        ["/usr/bin/env", "-i", f"PATH={path}", *command],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert result.returncode == 0, result.stdout
    return result.stdout


def dynamic(path: Path) -> Tuple[Optional[str], list[str], set[str]]:
    """The program interpreter, NEEDED, and the tags of the dynamic section."""
    with open(path, "rb") as file:
        elf = ELFFile(file)  # type: ignore[no-untyped-call]
        segments = elf.iter_segments()  # type: ignore[no-untyped-call]
        interpreter = next(
            (part.get_interp_name() for part in segments if part["p_type"] == "PT_INTERP"), None
        )
        section = elf.get_section_by_name(".dynamic")  # type: ignore[no-untyped-call]
        assert isinstance(section, DynamicSection)
        tags = list(section.iter_tags())  # type: ignore[no-untyped-call]
        needed = [tag.needed for tag in tags if tag.entry.d_tag == "DT_NEEDED"]
        return interpreter, needed, {str(tag.entry.d_tag) for tag in tags}


def test_links_as_a_configure_script_does(sandbox: Tuple[str, Path]) -> None:
    libc, folder = sandbox
    libraries = ("-lm", "-pthread", "-lpthread", "-ldl", "-lrt", "-lutil", "-lc")
    started = time.monotonic()
    run(folder, "cc", "-O2", "-o", "hello", "hello.c", "-Wl,--as-needed", *libraries)
    assert time.monotonic() - started < 10, "libc seems to have been built again"
    assert run(folder, "./hello") == "hello.c 7\n"
    interpreter, needed, _ = dynamic(folder / "hello")
    if libc == "musl":
        assert (interpreter, needed) == (None, [])
    else:
        assert interpreter == "/lib64/ld-linux-x86-64.so.2"
        assert {"libc.so.6"} <= set(needed) <= {"libc.so.6", "libm.so.6", "libpthread.so.0"}
    assert not list(folder.glob("**/.zig-cache")), "zig's cache was used"


def test_other_uses(sandbox: Tuple[str, Path]) -> None:
    libc, folder = sandbox
    run(folder, "cc", "-g", "-O2", "-c", f"{folder}/hello.c", "-o", "hello.o")
    data = (folder / "hello.o").read_bytes()
    assert b"/build/hello.c" in data
    assert str(folder).encode() not in data
    assert b".debug_info" not in data
    run(folder, "ar", "rcs", "libhello.a", "hello.o")
    run(folder, "ranlib", "libhello.a")
    run(folder, "cc", "-Werror", "-L.", "-Wl,--whole-archive", "-lhello", "-Wl,--no-whole-archive",
        "-o", "from-archive", "-lm")  # fmt: skip
    assert run(folder, "./from-archive") == "/build/hello.c 7\n"
    run(folder, "cc", "-r", "-o", "partial.o", "hello.o")
    run(folder, "cc", "-shared", "-fPIC", "-o", "libhello.so", "hello.c")
    run(folder, "host-cc", "-o", "host", "hello.c", "-lm")
    assert run(folder, "./host") == "hello.c 7\n"
    run(folder, "c++", "-Werror", "-x", "c++", "-o", "plus", "hello.c", "-lm")
    assert run(folder, "./plus") == "hello.c 7\n"
    assert "clang version" in run(folder, "cc", "--version")
    assert "clang version" in run(folder, "cc", "-v")
    assert "LLD" in run(folder, "ld", "--version")
    macros = run(folder, "cc", "-E", "-dM", "-x", "c", "/dev/null", "-include", "features.h")
    assert ("__GLIBC_MINOR__ 17" in macros) == (libc == "gnu")
    if libc == "musl":
        run(folder, "cc", "-static", "-Wl,-z,pack-relative-relocs", "-o", "relr", "hello.c")
        assert "DT_RELR" in dynamic(folder / "relr")[2]
        assert run(folder, "./relr") == "hello.c 7\n"


def test_names_what_is_undefined(sandbox: Tuple[str, Path]) -> None:
    libc, folder = sandbox
    # memfd_create came with glibc 2.27.
    function = "memfd_create" if libc == "gnu" else "no_such_function"
    (folder / "undefined.c").write_text(
        f"int {function}(); int main(void) {{ return {function}(); }}"
    )
    with pytest.raises(AssertionError, match=f"undefined symbol: {function}"):
        run(folder, "cc", "-o", "undefined", "undefined.c")
    assert not (folder / "undefined").exists()


def test_two_stores_give_the_same_bytes(runner: RuleRunner, tmp_path: Path) -> None:
    other = new_runner(tmp_path)
    for name, request in TARGETS.items():
        one, two = (r.request(Sysroot, [request]).digest for r in (runner, other))
        assert one == two, name
        files = runner.request(Snapshot, [one]).files
        assert {"sysroot.json", "bin/cc", "bin/ar", "lib/libcompiler_rt.a"} <= set(files)
    toolchains = [r.request(ZigToolchain, [ZigToolchainRequest()]) for r in (runner, other)]
    assert toolchains[0] == toolchains[1]
    assert (toolchains[0].version, toolchains[0].llvm_version) == ("0.17.0", "22.1.8")
