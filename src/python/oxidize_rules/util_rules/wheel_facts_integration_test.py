"""A wheel's facts through the real rule, in the environment of the report tools."""

from __future__ import annotations

import hashlib
import io
import json
import os
import zipfile
from typing import Dict

import pytest
from pants.backend.python.util_rules import pex
from pants.engine.fs import CreateDigest, Digest, DigestContents, FileContent
from pants.engine.internals.scheduler import ExecutionError
from pants.testutil.rule_runner import QueryRule, RuleRunner

from oxidize_rules.util_rules import sandbox_program, tools_pex, wheel_facts
from oxidize_rules.util_rules.facts import Facts
from oxidize_rules.util_rules.testing_pex import pinned_pex
from oxidize_rules.util_rules.wheel_facts import WheelFactsRequest
from oxidize_rules.util_rules.wheels import Sdist, Wheel

FILENAME = "thing-1.0-py3-none-any.whl"


@pytest.fixture(scope="module")
def runner() -> RuleRunner:
    runner = RuleRunner(
        rules=[
            *pex.rules(),
            *sandbox_program.rules(),  # type: ignore[no-untyped-call]
            *tools_pex.rules(),
            *wheel_facts.rules(),
            QueryRule(Facts, [WheelFactsRequest]),
        ]
    )
    runner.set_options(
        pinned_pex(),
        env_inherit=set(os.environ),
    )
    return runner


def one_file(runner: RuleRunner, name: str, content: bytes) -> Digest:
    return runner.request(Digest, [CreateDigest([FileContent(name, content)])])


def wheel(runner: RuleRunner, files: Dict[str, str]) -> Wheel:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, content in files.items():
            archive.writestr(zipfile.ZipInfo(name), content)
    return Wheel(FILENAME, one_file(runner, FILENAME, stream.getvalue()))


def test_facts_of_a_wheel_that_was_built(runner: RuleRunner) -> None:
    files = {
        "thing-1.0.dist-info/METADATA": "Name: thing\nVersion: 1.0\nLicense: GPLv3+\n",
        "thing-1.0.dist-info/WHEEL": "Wheel-Version: 1.0\nTag: py3-none-any\n",
        "thing-1.0.dist-info/licenses/COPYING": "Terms.",
        "thing/fast.so": "\x7fELF libc++abi: terminating",
    }
    sdist = Sdist("thing-1.0.tar", one_file(runner, "thing-1.0.tar", b"sdist"), "thing", "1.0")
    found = runner.request(
        Facts,
        [
            WheelFactsRequest(
                where="app:bin",
                wheel=wheel(runner, files),
                component="wheel:thing-1.0",
                python_version="3.13.5",
                target_triple="x86_64-unknown-linux-musl",
                source=sdist,
                linked=(("libc++", "22.1.8"),),
            )
        ],
    )
    contents = {file.path: file.content for file in runner.request(DigestContents, [found.digest])}
    text = hashlib.sha256(b"Terms.").hexdigest()
    assert f"texts/{text}.txt" in contents
    libcxx, part = json.loads(contents["facts.json"])["parts"]
    assert (libcxx["id"], libcxx["version"]) == ("bundled:thing/libc++", "22.1.8")
    assert (part["id"], part["license"]) == ("wheel:thing", "GPL-3.0-or-later")
    assert part["hashes"] == {"sha256": hashlib.sha256(b"sdist").hexdigest()}
    assert part["texts"] == [["COPYING", text]]


def test_options_with_several_values(runner: RuleRunner) -> None:
    files = {
        "thing-1.0.dist-info/METADATA": "Name: thing\nVersion: 1.0\nLicense: MIT\n",
        "thing-1.0.dist-info/WHEEL": "Wheel-Version: 1.0\nTag: py3-none-any\n",
    }
    request = WheelFactsRequest(
        "app:bin",
        wheel(runner, files),
        "stdlib-extra",
        "3.13.5",
        "x86_64-unknown-linux-musl",
        include_stdlib=("ensurepip", "ensurepip.*"),
        linked=(("libc++", "22.1.0"), ("libunwind", "22.1.0")),
        id_name="thing@1.0",
    )
    found = runner.request(Facts, [request])
    contents = {file.path: file.content for file in runner.request(DigestContents, [found.digest])}
    (part,) = json.loads(contents["facts.json"])["parts"]
    assert (part["id"], part["component"]) == ("wheel:thing@1.0", "stdlib-extra")
    assert part["brought_by"] == "`ensurepip`, `ensurepip.*` in `include_stdlib`"


def test_what_is_no_wheel_is_told_with_the_target(runner: RuleRunner) -> None:
    request = WheelFactsRequest(
        "app:bin",
        wheel(runner, {"a": "b"}),
        "wheel:thing-1.0",
        "3.13.5",
        "x86_64-unknown-linux-gnu",
    )
    with pytest.raises(
        ExecutionError, match=r"app:bin: wheel `thing-1\.0-py3-none-any\.whl` has no"
    ):
        runner.request(Facts, [request])
