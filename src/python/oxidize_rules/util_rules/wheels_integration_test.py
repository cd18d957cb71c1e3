"""Wheels by the real pex, from a folder of wheels that the test writes: no index is asked.

`PANTS_PEX_CLI_URL_TEMPLATE` names the pex, as `build-support/test` sets it.
"""

from __future__ import annotations

import hashlib
import re
import zipfile
from pathlib import Path
from typing import Dict, List, Sequence, Tuple

import pytest
from pants.backend.python import target_types_rules
from pants.backend.python.dependency_inference import rules as dependency_inference
from pants.backend.python.target_types import PythonRequirementTarget
from pants.backend.python.util_rules import pex_cli, pex_requirements
from pants.engine.addresses import Address
from pants.engine.fs import DigestContents
from pants.engine.internals.scheduler import ExecutionError
from pants.testutil.rule_runner import QueryRule, RuleRunner

from oxidize_rules import target_type_rules
from oxidize_rules.binary_targets import BinaryResolveField, OxidizedBinaryTarget
from oxidize_rules.util_rules import wheels
from oxidize_rules.util_rules.sandbox_program import OxidizeError
from oxidize_rules.util_rules.wheels import Wheels, WheelsRequest

ADDRESS = Address("app", target_name="bin")
REPOSITORY = Path(__file__).resolve().parents[4]


def write_wheel(folder: Path, project: str, tag: str, requires: Sequence[str] = ()) -> str:
    """Writes a wheel of version 1.0; returns its sha256."""
    path = folder / f"{project}-1.0-{tag}.whl"
    info = f"{project}-1.0.dist-info"
    metadata = [
        "Metadata-Version: 2.1",
        f"Name: {project}",
        "Version: 1.0",
        *(f"Requires-Dist: {requirement}" for requirement in requires),
    ]
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(f"{project}.py", "")
        archive.writestr(f"{info}/METADATA", "\n".join(metadata) + "\n")
        archive.writestr(
            f"{info}/WHEEL", f"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: {tag}\n"
        )
        archive.writestr(
            f"{info}/RECORD",
            f"{project}.py,,\n{info}/METADATA,,\n{info}/WHEEL,,\n{info}/RECORD,,\n",
        )
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture
def links(tmp_path: Path) -> Tuple[Path, Dict[str, str]]:
    """A folder of wheels, and the sha256 of the one of each project that fits."""
    hashes = {
        "top": write_wheel(
            tmp_path,
            "top",
            "py3-none-any",
            ["leaf", "both", "elsewhere; sys_platform == 'win32'", "old; python_version < '3.13'"],
        ),
        "leaf": write_wheel(tmp_path, "leaf", "cp313-none-any"),
        "both": write_wheel(tmp_path, "both", "py3-none-any"),
        "unused": write_wheel(tmp_path, "unused", "py3-none-any"),
        "native": write_wheel(tmp_path, "native", "cp313-cp313-musllinux_1_2_x86_64"),
        "evil": "0" * 64,
    }
    write_wheel(tmp_path, "both", "cp313-cp313-musllinux_1_2_x86_64")
    write_wheel(tmp_path, "evil", "py3-none-any")
    return tmp_path, hashes


def runner_for(links: Tuple[Path, Dict[str, str]], dependencies: List[str]) -> RuleRunner:
    folder, hashes = links
    runner = RuleRunner(
        rules=[
            *dependency_inference.rules(),
            *pex_cli.rules(),
            *pex_requirements.rules(),
            *target_type_rules.rules(),
            *target_types_rules.rules(),
            *wheels.rules(),
            QueryRule(Wheels, [WheelsRequest]),
        ],
        target_types=[OxidizedBinaryTarget, PythonRequirementTarget],
    )
    pex = re.findall(r'"(v[\d.]+\|linux_x86_64\|.*)"', (REPOSITORY / "pants.toml").read_text())
    runner.set_options(
        [
            f"--pex-cli-version={pex[0].split('|')[0]}",
            f"--pex-cli-known-versions={pex}",
            "--python-interpreter-constraints=['CPython==3.13.*']",
            "--python-enable-resolves",
            "--python-resolves={'app': 'app/lock.txt'}",
            "--python-default-resolve=app",
            "--python-infer-use-rust-parser",
            "--python-pip-version=20.3.4-patched",  # the one inside pex: no index has to be asked
            "--python-repos-indexes=[]",
            f"--python-repos-find-links=['file://{folder}']",
        ],
        env_inherit={"PATH", "HOME", "PANTS_PEX_CLI_URL_TEMPLATE"},
    )
    runner.write_files(
        {
            "app/BUILD": "".join(
                f"python_requirement(name='{name}', requirements=['{name}>=0.5'])\n"
                for name in dependencies
            )
            + "oxidized_binary(name='bin', dependencies="
            + f"{[f':{name}' for name in dependencies]})\n",
            "app/lock.txt": "".join(
                f"{name}==1.0 --hash=sha256:{sha256}\n" for name, sha256 in hashes.items()
            ),
        }
    )
    return runner


def resolve(runner: RuleRunner) -> Wheels:
    return runner.request(
        Wheels,
        [
            WheelsRequest(
                ADDRESS, BinaryResolveField(None, ADDRESS), "3.13.5", "x86_64-unknown-linux-musl"
            )
        ],
    )


def test_the_needed_wheels_and_no_others(links: Tuple[Path, Dict[str, str]]) -> None:
    runner = runner_for(links, ["top"])
    found = resolve(runner).wheels
    assert [wheel.filename for wheel in found] == [
        "both-1.0-py3-none-any.whl",
        "leaf-1.0-cp313-none-any.whl",
        "top-1.0-py3-none-any.whl",
    ]
    for wheel in found:
        (file,) = runner.request(DigestContents, [wheel.digest])
        assert file.path == wheel.filename
        assert file.content == (links[0] / wheel.filename).read_bytes()


def test_no_requirements(links: Tuple[Path, Dict[str, str]]) -> None:
    assert resolve(runner_for(links, [])) == Wheels(())


@pytest.mark.parametrize(
    ("dependency", "parts"),
    [
        ("native", ["native", "x86_64-unknown-linux-musl", "py3-none-any", "find_links"]),
        ("evil", ["wrong hash of `evil-1.0-py3-none-any.whl`", "0" * 64, "app/lock.txt"]),
        ("absent", ["absent", "x86_64-unknown-linux-musl"]),
    ],
)
def test_what_cannot_be_had(
    links: Tuple[Path, Dict[str, str]], dependency: str, parts: List[str]
) -> None:
    runner = runner_for(links, [dependency])
    with pytest.raises(ExecutionError) as caught:
        resolve(runner)
    errors: List[Exception] = list(caught.value.wrapped_exceptions)
    assert isinstance(errors[0], OxidizeError)
    for part in ("app:bin", "To fix, ", *parts):
        assert part in str(errors[0])
