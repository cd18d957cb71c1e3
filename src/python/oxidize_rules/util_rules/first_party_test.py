from __future__ import annotations

from textwrap import dedent
from typing import Dict, List

import pytest
from pants.backend.python import target_types_rules
from pants.backend.python.dependency_inference import rules as dependency_inference
from pants.backend.python.target_types import PythonSourcesGeneratorTarget
from pants.backend.python.util_rules import ancestor_files
from pants.core.target_types import FilesGeneratorTarget, ResourcesGeneratorTarget
from pants.core.target_types import rules as core_target_types_rules
from pants.core.util_rules import source_files, stripped_source_files
from pants.engine.addresses import Address
from pants.engine.fs import DigestContents
from pants.engine.internals.scheduler import ExecutionError
from pants.testutil.rule_runner import QueryRule, RuleRunner

from oxidize_rules import target_type_rules
from oxidize_rules.binary_targets import OxidizedBinaryTarget
from oxidize_rules.util_rules import first_party
from oxidize_rules.util_rules.first_party import FirstPartyRequest, FirstPartySources
from oxidize_rules.util_rules.sandbox_program import OxidizeError

OPTIONS = (
    "--source-root-patterns=['/src/*']",
    "--python-interpreter-constraints=['CPython>=3.9']",
    "--python-infer-use-rust-parser",
)


@pytest.fixture
def rule_runner() -> RuleRunner:
    runner = RuleRunner(
        rules=[
            *ancestor_files.rules(),
            *core_target_types_rules(),
            *dependency_inference.rules(),
            *first_party.rules(),
            *source_files.rules(),
            *stripped_source_files.rules(),
            *target_type_rules.rules(),
            *target_types_rules.rules(),
            QueryRule(FirstPartySources, [FirstPartyRequest]),
        ],
        target_types=[
            FilesGeneratorTarget,
            OxidizedBinaryTarget,
            PythonSourcesGeneratorTarget,
            ResourcesGeneratorTarget,
        ],
    )
    runner.set_options(OPTIONS, env_inherit={"PATH", "HOME"})
    return runner


def binary(*dependencies: str) -> str:
    return f"oxidized_binary(name='bin', dependencies={list(dependencies)})\n"


def find(runner: RuleRunner, folder: str = "src/one", name: str = "bin") -> FirstPartySources:
    return runner.request(FirstPartySources, [FirstPartyRequest(Address(folder, target_name=name))])


def contents(runner: RuleRunner, sources: FirstPartySources) -> Dict[str, Dict[str, bytes]]:
    return {
        folder.path: {
            file.path: file.content for file in runner.request(DigestContents, [folder.digest])
        }
        for folder in sources.folders
    }


def test_files_are_grouped_by_folder_below_their_source_roots(rule_runner: RuleRunner) -> None:
    rule_runner.write_files(
        {
            "src/one/BUILD": dedent(
                """\
                python_sources(name="lib")
                oxidized_binary(name="bin", entry_point="main.py", dependencies=["src/two/pkg"])
                """
            ),
            "src/one/main.py": "import deep.er.module\n",
            "src/one/unused.py": "",
            "src/one/deep/er/BUILD": "python_sources(dependencies=[':data'])\n"
            "resources(name='data', sources=['*.json'])\n",
            "src/one/deep/__init__.py": "",
            "src/one/deep/er/module.py": "x = 1\n",
            "src/one/deep/er/module.pyi": "x: int\n",
            "src/one/deep/er/table.json": "{}",
            "src/two/pkg/BUILD": "python_sources()",
            "src/two/pkg/__init__.py": "y = 2\n",
            "src/two/pkg/more.py": "",
        }
    )
    sources = find(rule_runner)
    assert contents(rule_runner, sources) == {
        "": {"main.py": b"import deep.er.module\n"},
        # An empty `__init__.py`, which nothing depends on, still makes a package a package.
        "deep": {"deep/__init__.py": b""},
        "deep/er": {"deep/er/module.py": b"x = 1\n", "deep/er/table.json": b"{}"},
        "pkg": {"pkg/__init__.py": b"y = 2\n", "pkg/more.py": b""},
    }
    assert sources.modules() == ("main", "deep", "deep.er.module", "pkg", "pkg.more")
    assert sources.ignored == ()


def test_an_edit_changes_its_own_folder_alone(rule_runner: RuleRunner) -> None:
    files = {
        "src/one/BUILD": "python_sources(name='lib')\n"
        "oxidized_binary(name='bin', entry_point='main.py')\n",
        "src/one/main.py": "import a.x\nimport b.y\n",
        "src/one/a/BUILD": "python_sources()",
        "src/one/a/x.py": "",
        "src/one/b/BUILD": "python_sources()",
        "src/one/b/y.py": "",
    }
    rule_runner.write_files(files)
    before = {folder.path: folder.digest for folder in find(rule_runner).folders}
    rule_runner.write_files({"src/one/b/y.py": "edited = True\n"})

    after = {folder.path: folder.digest for folder in find(rule_runner).folders}
    assert {path for path in before if before[path] != after[path]} == {"b"}
    assert before.keys() == after.keys() == {"", "a", "b"}


def test_folders_of_one_package_in_two_roots_are_one(rule_runner: RuleRunner) -> None:
    rule_runner.write_files(
        {
            "src/one/BUILD": binary("src/one/ns", "src/two/ns"),
            "src/one/ns/BUILD": "python_sources()",
            "src/one/ns/a.py": "",
            "src/two/ns/BUILD": "python_sources()",
            "src/two/ns/b.py": "",
        }
    )
    assert contents(rule_runner, find(rule_runner)) == {"ns": {"ns/a.py": b"", "ns/b.py": b""}}


@pytest.mark.parametrize(
    ("one", "two", "expected"),
    [
        (
            "pkg/a.py",
            "pkg/a.py",
            ["`pkg/a.py`", "`src/one/pkg/a.py` of src/one/pkg/a.py", "src/two/pkg/a.py"],
        ),
        ("pkg/a.py", "pkg/a/__init__.py", ["`pkg.a`", "src/one/pkg/a.py", "src/two/pkg/a/__init_"]),
    ],
    ids=["same path", "module and package"],
)
def test_two_files_of_one_name(
    rule_runner: RuleRunner, one: str, two: str, expected: List[str]
) -> None:
    rule_runner.write_files(
        {
            "src/one/BUILD": binary("src/one/pkg", "src/two/pkg"),
            "src/one/pkg/BUILD": "python_sources(sources=['**/*.py'])",
            f"src/one/{one}": "",
            "src/two/pkg/BUILD": "python_sources(sources=['**/*.py'])",
            f"src/two/{two}": "",
        }
    )
    with pytest.raises(ExecutionError) as caught:
        find(rule_runner)
    errors: List[Exception] = list(caught.value.wrapped_exceptions)
    error = errors[0]
    assert isinstance(error, OxidizeError)
    message = str(error)
    assert "src/one:bin: two " in message
    assert "To fix, " in message
    for part in expected:
        assert part in message


def test_file_targets_are_told(rule_runner: RuleRunner) -> None:
    rule_runner.write_files(
        {
            "src/one/BUILD": "oxidized_binary(name='bin', dependencies=[':files'])\n"
            "files(name='files', sources=['*.txt'])\n",
            "src/one/a.txt": "",
        }
    )
    sources = find(rule_runner)
    assert sources.folders == ()
    assert [address.spec for address in sources.ignored] == ["src/one/a.txt:files"]
