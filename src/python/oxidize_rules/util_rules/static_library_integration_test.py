"""Recipes run with the real compiler, on small sources that the test writes: what is built again
after a change, what a recipe is given, and what a user is told when it fails.
"""

from __future__ import annotations

import hashlib
import io
import os
import re
import tarfile
from pathlib import Path

import pytest
from pants.backend.python.util_rules import pex
from pants.core.util_rules import source_files
from pants.engine.addresses import Address
from pants.engine.fs import Digest, DigestContents
from pants.engine.internals.scheduler import ExecutionError
from pants.testutil.rule_runner import QueryRule, RuleRunner

from oxidize_rules import native_targets
from oxidize_rules.util_rules import (
    fetch,
    recipe,
    sandbox_program,
    source_archive,
    static_library,
    sysroot,
    tools_pex,
    zig,
)
from oxidize_rules.util_rules.static_library import StaticLibraries, StaticLibrariesRequest
from oxidize_rules.util_rules.testing_pex import pinned_pex

TRIPLE = "x86_64-unknown-linux-gnu"
FLOOR = "2.17"
# Each run leaves another `stamp`, so that one that was not repeated can be told.
RECIPE = r"""
# Needs: make
mkdir -p out/include out/lib out/stamps
cp source/NAME.h out/include/
cat > Makefile <<'MAKE'
NAME.o: source/NAME.c ; $(CC) $(CFLAGS) -Ideps/include -c -o $@ $<
MAKE
make -j"$JOBS" NAME.o
"$AR" rcs out/lib/libNAME.a NAME.o
"$RANLIB" out/lib/libNAME.a
"$HOST_CC" -o host-program source/main.c && ./host-program
cat /proc/sys/kernel/random/uuid > out/stamps/NAME
env | grep -E '^(TARGET_TRIPLE|GNU_TRIPLE|GLIBC_FLOOR|SOURCE_DATE_EPOCH|LC_ALL|TZ)=' | sort \
  > out/stamps/NAME.env
"""


def write_archive(folder: Path, name: str, code: str) -> tuple[str, str, int]:
    """A source archive, as a URL with its hash and size."""
    path = folder / f"{name}-1.0.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        for member, text in (
            (f"{name}.h", f"int {name}(void);\n"),
            (f"{name}.c", code),
            ("main.c", "int main(void) { return 0; }\n"),
        ):
            info = tarfile.TarInfo(f"{name}-1.0/{member}")
            info.size = len(text)
            archive.addfile(info, io.BytesIO(text.encode()))
    data = path.read_bytes()
    return path.as_uri(), hashlib.sha256(data).hexdigest(), len(data)


def library(name: str, source: tuple[str, str, int], dependencies: str = "[]") -> str:
    url, sha256, size = source
    return (
        f"source_archive(name='{name}-source', urls=['{url}'], sha256='{sha256}', size={size})\n"
        f"static_library(name='{name}', source=':{name}-source', recipe='{name}.sh', "
        f"dependencies={dependencies})\n"
    )


@pytest.fixture
def runner(tmp_path: Path) -> RuleRunner:
    runner = RuleRunner(
        rules=[
            *fetch.rules(),
            *pex.rules(),
            *recipe.rules(),
            *sandbox_program.rules(),  # type: ignore[no-untyped-call]
            *source_archive.rules(),
            *source_files.rules(),
            *static_library.rules(),
            *sysroot.rules(),
            *tools_pex.rules(),
            *zig.rules(),
            QueryRule(StaticLibraries, [StaticLibrariesRequest]),
            QueryRule(DigestContents, [Digest]),
        ],
        target_types=native_targets.target_types(),
    )
    runner.set_options(
        pinned_pex(),
        env_inherit=set(os.environ),
    )
    below = write_archive(tmp_path, "below", "int below(void) { return 1; }\n")
    above = write_archive(
        tmp_path, "above", '#include "below.h"\nint above(void) { return below(); }\n'
    )
    beside = write_archive(tmp_path, "beside", "int beside(void) { return 2; }\n")
    runner.write_files(
        {
            "native/BUILD": library("below", below)
            + library("above", above, "[':below']")
            + library("beside", beside)
            + "static_library(name='one', source=':below-source', recipe='below.sh', "
            "dependencies=[':two'])\n"
            "static_library(name='two', source=':below-source', recipe='below.sh', "
            "dependencies=[':one'])\n",
            **{
                f"native/{name}.sh": RECIPE.replace("NAME", name)
                for name in ("below", "above", "beside")
            },
        }
    )
    return runner


def build(runner: RuleRunner, *names: str) -> dict[str, str]:
    """Builds libraries; returns the files of the result."""
    addresses = tuple(Address("native", target_name=name) for name in names)
    built = runner.request(StaticLibraries, [StaticLibrariesRequest(addresses, TRIPLE, FLOOR)])
    contents = runner.request(DigestContents, [built.digest])
    return {file.path: file.content.decode(errors="replace") for file in contents}


def stamps(files: dict[str, str]) -> dict[str, str]:
    return {path: text for path, text in files.items() if re.fullmatch(r"stamps/\w+", path)}


def test_only_what_changed_is_built_again(runner: RuleRunner) -> None:
    first = build(runner, "above", "beside")
    assert sorted(first) == [
        *(f"include/{name}.h" for name in ("above", "below", "beside")),
        *(f"lib/lib{name}.a" for name in ("above", "below", "beside")),
        "stamps/above",
        "stamps/above.env",
        "stamps/below",
        "stamps/below.env",
        "stamps/beside",
        "stamps/beside.env",
    ]
    assert first["stamps/above.env"].splitlines() == [
        "GLIBC_FLOOR=2.17",
        "GNU_TRIPLE=x86_64-linux-gnu",
        "LC_ALL=C",
        "SOURCE_DATE_EPOCH=1700000000",
        "TARGET_TRIPLE=x86_64-unknown-linux-gnu",
        "TZ=UTC",
    ]
    # The same again is a look-up in the cache.
    assert build(runner, "above", "beside") == first
    runner.write_files({"native/beside.sh": RECIPE.replace("NAME", "beside") + "# changed\n"})
    second = stamps(build(runner, "above", "beside"))
    changed = {path for path, text in stamps(first).items() if second[path] != text}
    assert changed == {"stamps/beside"}
    runner.write_files({"native/below.sh": RECIPE.replace("NAME", "below") + "# changed\n"})
    third = stamps(build(runner, "above", "beside"))
    changed = {path for path, text in second.items() if third[path] != text}
    # `above` is given the result of `below`, whose stamp is another.
    assert changed == {"stamps/above", "stamps/below"}


@pytest.mark.parametrize(
    ("files", "message"),
    [
        (
            {"native/beside.sh": "echo compiling; cc -c source/missing.c\n"},
            rf"native:beside: the recipe failed for {TRIPLE} with .*compiling.*missing\.c",
        ),
        (
            {"native/beside.sh": "# Needs: sed no-such-program\n"},
            "native:beside: this machine lacks programs.* no-such-program\nTo fix, install",
        ),
    ],
    ids=["compiler error", "missing program"],
)
def test_a_failing_recipe(runner: RuleRunner, files: dict[str, str], message: str) -> None:
    runner.write_files(files)
    with pytest.raises(ExecutionError) as error:
        build(runner, "beside")
    assert re.search(message, str(error.value), re.DOTALL), str(error.value)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("one", "depend on each other in a circle: native:one, native:two"),
        ("below-source", "native:below-source is a `source_archive` target, but only"),
    ],
)
def test_wrong_dependencies(runner: RuleRunner, name: str, message: str) -> None:
    with pytest.raises(ExecutionError, match=message):
        build(runner, name)


def test_wrong_hash_of_a_source(runner: RuleRunner) -> None:
    build_file = Path(runner.build_root, "native", "BUILD").read_text()
    changed = re.sub(r"sha256='[0-9a-f]{64}'", f"sha256='{'0' * 64}'", build_file)
    runner.write_files({"native/BUILD": changed})
    with pytest.raises(ExecutionError) as error:
        build(runner, "beside")
    message = str(error.value)
    assert "native:beside-source: beside-1.0.tar.gz was downloaded, but it is not" in message
    assert f"expected {'0' * 64}" in message
