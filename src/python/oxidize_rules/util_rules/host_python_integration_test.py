"""Which interpreter runs the build's programs: with distributions for this machine, for another,
and with those whose interpreter does not run anywhere.

The interpreters in these archives are shell scripts that say what they were asked to do.
"""

from __future__ import annotations

import platform
import re
from typing import Any, Dict

import pytest
from pants.engine.addresses import Address
from pants.engine.fs import Digest, Snapshot
from pants.engine.internals.scheduler import ExecutionError
from pants.engine.process import Process, ProcessResult
from pants.testutil.rule_runner import QueryRule, RuleRunner

from oxidize_rules.sandbox.distribution.testing_archives import STDLIB, archive, python_json
from oxidize_rules.util_rules import host_program, host_python
from oxidize_rules.util_rules.host_program import HostProgramRequest
from oxidize_rules.util_rules.host_python import (
    HostPython,
    HostPythonRequest,
    RunnableDistribution,
    RunnableDistributionRequest,
)
from oxidize_rules.util_rules.testing_distributions import declared, distribution_runner

HERE = {"arm64": "aarch64"}.get(platform.machine(), platform.machine())
OTHER = "aarch64" if HERE == "x86_64" else "x86_64"

INTERPRETER = b"""#!/bin/sh
for last; do :; done
case "$*" in
    *" compileall "*) echo "compiled $last" > "$last/os.pyc" ;;
    *) echo "$0 $*" ; echo "$PYTHONPATH $PYTHONHASHSEED" ;;
esac
"""
MAGIC_312 = "cb0d0d0a"


def whole(triple: str, **changes: Any) -> bytes:
    return archive(python_json(target_triple=triple, **changes), interpreter=INTERPRETER)


ARCHIVES: Dict[str, bytes] = {
    "here": whole(f"{HERE}-unknown-linux-musl"),
    "here-gnu": whole(f"{HERE}-unknown-linux-gnu", crt_features=["glibc-dynamic"]),
    "here-old": whole(
        f"{HERE}-unknown-linux-gnu",
        python_version="3.12.14",
        python_bytecode_magic_number=MAGIC_312,
    ),
    "here-dynamic": whole(
        f"{HERE}-unknown-linux-musl", build_options="noopt", crt_features=["musl-dynamic"]
    ),
    "other": whole(f"{OTHER}-unknown-linux-gnu"),
    "other-old": whole(
        f"{OTHER}-unknown-linux-musl",
        python_version="3.12.14",
        python_bytecode_magic_number=MAGIC_312,
    ),
    "other-preview": whole(f"{OTHER}-unknown-linux-musl", python_bytecode_magic_number="ee0d0d0a"),
    "other-silent": whole(f"{OTHER}-unknown-linux-musl", python_bytecode_magic_number=None),
}


@pytest.fixture(scope="module")
def runner() -> RuleRunner:
    defaults = {
        f"{HERE}-unknown-linux-gnu": "//dists:here-old",
        f"{HERE}-unknown-linux-musl": "//dists:here",
        f"{OTHER}-unknown-linux-musl": "//dists:none-such",
    }
    return prepared(defaults)


def prepared(defaults: Dict[str, str]) -> RuleRunner:
    runner = distribution_runner(
        *host_program.rules(),
        *host_python.rules(),
        QueryRule(RunnableDistribution, [RunnableDistributionRequest]),
        QueryRule(HostPython, [HostPythonRequest]),
        QueryRule(Snapshot, [Digest]),
        QueryRule(Process, [HostProgramRequest]),
        QueryRule(ProcessResult, [Process]),
        options=[f"--oxidize-default-distributions={defaults!r}"],
    )
    build = "".join(declared(name, source=f"{name}.tar.zst") for name in ARCHIVES)
    files = {f"dists/{name}.tar.zst": content for name, content in ARCHIVES.items()}
    runner.write_files({"dists/BUILD": build, **files})
    return runner


def runnable(runner: RuleRunner, name: str) -> str:
    request = RunnableDistributionRequest(Address("dists", target_name=name))
    return runner.request(RunnableDistribution, [request]).address.target_name


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("here", "here"),
        ("here-gnu", "here-gnu"),
        ("here-old", "here-old"),
        ("here-dynamic", "here"),
        ("other", "here"),
        ("other-old", "here-old"),
        ("other-silent", "here"),
    ],
)
def test_who_runs_the_programs(runner: RuleRunner, name: str, expected: str) -> None:
    assert runnable(runner, name) == expected


def refused(runner: RuleRunner, name: str) -> str:
    with pytest.raises(ExecutionError) as caught:
        runnable(runner, name)
    text = " ".join(str(caught.value).split())
    return text[text.index(f"dists:{name}:") :]


def test_bytecode_of_another_kind(runner: RuleRunner) -> None:
    assert refused(runner, "other-preview") == (
        f"dists:other-preview: its interpreter (Python 3.13.15, {OTHER}-unknown-linux-musl) does "
        f"not run here, on {HERE}, and building with it takes a distribution of Python 3.13 that "
        "does. Found dists:here (Python 3.13.15), dists:here-old (Python 3.12.14) in "
        f"`[oxidize].default_distributions`. To fix, let `{HERE}-unknown-linux-musl` there name a "
        "static distribution of Python 3.13."
    )


def test_nothing_runs_here() -> None:
    runner = prepared({f"{OTHER}-unknown-linux-musl": "//dists:other"})
    assert re.search(r"Found none for this machine in `\[oxidize\]", refused(runner, "other"))
    # An interpreter that runs nowhere does not serve for others either.
    runner = prepared({f"{HERE}-unknown-linux-musl": "//dists:here-dynamic"})
    assert "Found dists:here-dynamic (Python 3.13.15) in" in refused(runner, "other")
    assert "unknown-linux-musl, needs musl's dynamic loader)" in refused(runner, "here-dynamic")


@pytest.mark.parametrize("name", ["here", "other"])
def test_a_program_runs_under_it(runner: RuleRunner, name: str) -> None:
    address = Address("dists", target_name=name)
    python = runner.request(HostPython, [HostPythonRequest(address)])
    assert python.target_machine == (HERE if name == "here" else OTHER)
    ((folder, digest),) = python.immutable_input_digests.items()
    assert folder == "__python"
    files = runner.request(Snapshot, [digest]).files
    # The interpreter, its library with the bytecode that it made, and nothing else.
    assert files == (
        "install/bin/python3.13",
        f"{STDLIB}/encodings/__init__.py",
        f"{STDLIB}/os.py",
        f"{STDLIB}/os.pyc",
    )
    request = HostProgramRequest(address, "images.image", ("--some",), "Run a program")
    process = runner.request(Process, [request])
    result = runner.request(ProcessResult, [process])
    assert result.stdout.decode().splitlines() == [
        "__python/install/bin/python3.13 -s -S -m oxidize_rules.sandbox.images.image --some",
        "__programs 0",
    ]
