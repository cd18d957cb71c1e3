from __future__ import annotations

import io
import tarfile
from typing import Dict, Tuple

import pytest
from pants.backend.python import target_types_rules
from pants.backend.python.macros.python_artifact import PythonArtifact
from pants.backend.python.target_types import PythonDistribution, PythonSourcesGeneratorTarget
from pants.backend.python.util_rules import package_dists
from pants.core.target_types import ResourcesGeneratorTarget
from pants.engine.addresses import Address
from pants.engine.fs import DigestContents
from pants.engine.internals.scheduler import ExecutionError
from pants.testutil.rule_runner import QueryRule, RuleRunner

from oxidize_rules.util_rules import first_party_wheels
from oxidize_rules.util_rules.first_party_wheels import (
    FirstPartyDistributions,
    FirstPartyDistributionsRequest,
    below,
    pack,
)

BUILD = """
python_sources(name="lib", sources=["lib/*.py"])
resources(name="native", sources=[{native}])
python_distribution(
    name="dist",
    dependencies=[":lib", ":native"],
    provides=python_artifact(name="lib", version="1"),
    generate_setup={generate},
)
python_sources(name="app", sources=["main.py"], dependencies=[":dist"])
"""
FILES = {
    "src/p/lib/__init__.py": "",
    "src/p/lib/fast.c": "int x;",
    "src/p/setup.py": "",
    "src/p/main.py": "import lib",
}


def find(generate: bool, native: str) -> Tuple[FirstPartyDistributions, Dict[str, str]]:
    runner = RuleRunner(
        rules=[
            *package_dists.rules(),
            *target_types_rules.rules(),
            *first_party_wheels.rules(),
            QueryRule(FirstPartyDistributions, [FirstPartyDistributionsRequest]),
        ],
        target_types=[PythonDistribution, PythonSourcesGeneratorTarget, ResourcesGeneratorTarget],
        objects={"python_artifact": PythonArtifact},
    )
    runner.set_options(
        [
            "--source-root-patterns=['/src/*']",
            "--python-interpreter-constraints=['CPython==3.13.*']",
            "--python-infer-use-rust-parser",
        ],
        env_inherit={"PATH", "PYENV_ROOT", "HOME"},
    )
    runner.write_files({**FILES, "src/p/BUILD": BUILD.format(generate=generate, native=native)})
    found = runner.request(
        FirstPartyDistributions,
        [FirstPartyDistributionsRequest(Address("src/p", target_name="app"))],
    )
    (sdist,) = found.sdists
    (content,) = runner.request(DigestContents, [sdist.digest])
    with tarfile.open(fileobj=io.BytesIO(content.content)) as tar:
        members = {}
        for member in tar:
            file = tar.extractfile(member)
            assert file is not None
            members[member.name] = file.read().decode()
    assert sdist.filename == content.path == "src.p.dist.tar"
    assert sdist.project == "src/p:dist"
    return found, members


def test_with_its_own_setup() -> None:
    found, members = find(False, "'setup.py', 'lib/*.c'")
    assert members == {
        "source/lib/__init__.py": "",
        "source/lib/fast.c": "int x;",
        "source/setup.py": "",
    }
    assert found.files == {"src/p/lib/__init__.py", "src/p/lib/fast.c", "src/p/setup.py"}
    assert found.places == frozenset()


def test_with_a_setup_that_pants_writes() -> None:
    found, members = find(True, "'lib/*.c'")
    assert "'name': 'lib'" in members["source/setup.py"]
    assert found.places >= {"lib/__init__.py", "lib/fast.c"}
    assert "setup.py" not in found.places
    assert found.files == frozenset()


def test_nothing_that_says_how_it_is_built() -> None:
    with pytest.raises(ExecutionError, match="found neither among its files") as caught:
        find(False, "'lib/*.c'")
    assert "`src/p/pyproject.toml`" in str(caught.value)


def test_what_lies_elsewhere_is_not_packed() -> None:
    files = (("a/x.py", b"1"), ("ab/y.py", b"2"), ("a/b/z.py", b"3"))
    assert below("a", files) == {"x.py": b"1", "b/z.py": b"3"}
    assert below("", files) == dict(files)


def test_equal_files_give_equal_bytes() -> None:
    assert pack({"a": b"1", "b": b"2"}) == pack({"b": b"2", "a": b"1"})
