from __future__ import annotations

from typing import Any, Dict, List, Optional, Tuple, Type

import pytest
from pants.backend.python import target_types_rules
from pants.backend.python.dependency_inference import rules as dependency_inference
from pants.backend.python.target_types import EntryPoint, PythonSourcesGeneratorTarget
from pants.engine.addresses import Address
from pants.engine.internals.scheduler import ExecutionError
from pants.engine.target import (
    Field,
    InferredDependencies,
    InvalidFieldException,
    InvalidTargetException,
)
from pants.testutil.rule_runner import QueryRule, RuleRunner
from pants.util.frozendict import FrozenDict

from oxidize_rules import (
    binary_targets,
    content_fields,
    executable_fields,
    interpreter_fields,
    target_type_rules,
)
from oxidize_rules.binary_targets import BinaryEntryPointField, OxidizedBinaryTarget
from oxidize_rules.target_type_rules import (
    BinaryEntryPointInferenceFieldSet,
    InferBinaryEntryPointDependency,
    ResolvedEntryPoint,
    ResolveEntryPointRequest,
)

ADDRESS = Address("src/app", target_name="bin")


@pytest.fixture
def rule_runner() -> RuleRunner:
    runner = RuleRunner(
        rules=[
            *dependency_inference.rules(),
            *target_type_rules.rules(),
            *target_types_rules.rules(),
            QueryRule(ResolvedEntryPoint, [ResolveEntryPointRequest]),
            QueryRule(InferredDependencies, [InferBinaryEntryPointDependency]),
        ],
        target_types=[OxidizedBinaryTarget, PythonSourcesGeneratorTarget],
    )
    runner.set_options(
        [
            "--source-root-patterns=['/src']",
            "--python-interpreter-constraints=['CPython>=3.9']",
            "--python-infer-use-rust-parser",
        ],
        env_inherit={"PATH", "HOME"},
    )
    return runner


@pytest.mark.parametrize(
    ("entry_point", "module", "function", "file"),
    [
        ("main.py", "app.main", None, "src/app/main.py"),
        ("main.py:run", "app.main", "run", "src/app/main.py"),
        ("deep/er.py:run", "app.deep.er", "run", "src/app/deep/er.py"),
        ("app.main", "app.main", None, None),
        ("http.server:test", "http.server", "test", None),
    ],
)
def test_entry_point(
    rule_runner: RuleRunner,
    entry_point: str,
    module: str,
    function: Optional[str],
    file: Optional[str],
) -> None:
    rule_runner.write_files({"src/app/main.py": "", "src/app/deep/er.py": ""})
    field = BinaryEntryPointField(entry_point, ADDRESS)
    resolved = rule_runner.request(ResolvedEntryPoint, [ResolveEntryPointRequest(field)])
    assert resolved == ResolvedEntryPoint(EntryPoint(module, function), file)


def test_no_entry_point(rule_runner: RuleRunner) -> None:
    field = BinaryEntryPointField(None, ADDRESS)
    resolved = rule_runner.request(ResolvedEntryPoint, [ResolveEntryPointRequest(field)])
    assert resolved == ResolvedEntryPoint(None, None)


@pytest.mark.parametrize(
    ("entry_point", "parts"),
    [
        (
            "mian.py:run",
            ["src/app:bin", "`entry_point`", "`mian.py:run`", "`src/app/mian.py`", "`main.py`"],
        ),
        ("*.py", ["src/app:bin", "`entry_point`", "not a pattern"]),
    ],
)
def test_no_such_file(rule_runner: RuleRunner, entry_point: str, parts: List[str]) -> None:
    rule_runner.write_files({"src/app/main.py": ""})
    field = BinaryEntryPointField(entry_point, ADDRESS)
    with pytest.raises(ExecutionError) as caught:
        rule_runner.request(ResolvedEntryPoint, [ResolveEntryPointRequest(field)])
    errors: List[Exception] = list(caught.value.wrapped_exceptions)
    error = errors[0]
    assert isinstance(error, InvalidFieldException)
    for part in parts:
        assert part in str(error)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ("entry_point='main.py'", ["src/app/main.py:lib"]),
        ("entry_point='app.main:run'", ["src/app/main.py:lib"]),
        ("entry_point='http.server'", []),
        ("", []),
    ],
)
def test_inference(rule_runner: RuleRunner, fields: str, expected: List[str]) -> None:
    rule_runner.write_files(
        {
            "src/app/BUILD": f"python_sources(name='lib')\noxidized_binary(name='bin', {fields})\n",
            "src/app/main.py": "",
            "src/app/other.py": "",
        }
    )
    target = rule_runner.get_target(ADDRESS)
    inferred = rule_runner.request(
        InferredDependencies,
        [InferBinaryEntryPointDependency(BinaryEntryPointInferenceFieldSet.create(target))],
    )
    assert [address.spec for address in inferred.include] == expected


@pytest.mark.parametrize(
    ("field_type", "value", "parts"),
    [
        (
            executable_fields.TargetTripleField,
            "x86_64-linux-musl",
            ["`x86_64-linux-musl`", "perhaps `x86_64-unknown-linux-musl`"],
        ),
        (
            executable_fields.TargetTripleField,
            "aarch64-unknown-linux-gnu",
            ["`aarch64-unknown-linux-gnu`", "`x86_64-unknown-linux-gnu`"],
        ),
        (executable_fields.GlibcFloorField, "2.9", ["`2.9`", "from `2.17` on"]),
        (executable_fields.GlibcFloorField, "musl", ["`musl`", "from `2.17` on"]),
        (content_fields.BytecodeOptimizationField, 3, ["`3`", "`0`, `1` or `2`"]),
        (interpreter_fields.AllocatorField, "jemalloc", ["jemalloc", "mimalloc"]),
        (executable_fields.DynamicLoadingField, "off", ["'off'", "auto", "always", "never"]),
        (
            interpreter_fields.InterpreterConfigField,
            {"utf8_mod": "1"},
            ["interpreter_config", "'utf8_mod'", "utf8_mode"],
        ),
        (interpreter_fields.InterpreterConfigField, {"utf8_mode": "2"}, ["utf8_mode", "'2'"]),
        (
            interpreter_fields.InterpreterConfigField,
            {"x_options": "dev"},
            ["xoptions", "'dev'", "a list of strings"],
        ),
        (
            interpreter_fields.InterpreterConfigField,
            ["utf8_mode"],
            ["interpreter_config", "a dictionary of names"],
        ),
        (interpreter_fields.InterpreterConfigField, {1: True}, ["a dictionary of names"]),
        (interpreter_fields.BinaryEnvField, {"A-B": "1"}, ["'A-B'", "letters, digits"]),
        (interpreter_fields.BinaryEnvField, {"A": "\0"}, ["'A'", "NUL"]),
        (binary_targets.BinaryEntryPointField, "a:b:c", ["a:b:c", "one colon"]),
    ],
)
def test_bad_value(field_type: Type[Field], value: Any, parts: List[str]) -> None:
    with pytest.raises(InvalidFieldException) as caught:
        field_type(value, ADDRESS)
    for part in ("src/app:bin", *parts):
        assert part in str(caught.value)


@pytest.mark.parametrize(
    ("field_type", "value", "expected"),
    [
        (executable_fields.TargetTripleField, None, "x86_64-unknown-linux-musl"),
        (
            executable_fields.TargetTripleField,
            "x86_64-unknown-linux-gnu",
            "x86_64-unknown-linux-gnu",
        ),
        (executable_fields.GlibcFloorField, "2.28", "2.28"),
        (
            interpreter_fields.InterpreterConfigField,
            {
                "utf8_mode": True,
                "verbose": "2",
                "hash_seed": 7,
                "warn_options": ["error::DeprecationWarning", "ignore"],
            },
            FrozenDict(
                {
                    "hash_seed": 7,
                    "use_hash_seed": 1,
                    "utf8_mode": 1,
                    "verbose": 2,
                    "warnoptions": ("error::DeprecationWarning", "ignore"),
                }
            ),
        ),
        (interpreter_fields.InterpreterConfigField, None, None),
        (content_fields.BytecodeOptimizationField, None, 0),
        (executable_fields.DynamicLoadingField, None, "auto"),
        (executable_fields.DynamicLoadingField, "never", "never"),
        (executable_fields.DebugInfoField, None, False),
        (content_fields.BytecodeOptimizationField, 2, 2),
    ],
)
def test_good_value(field_type: Type[Field], value: Any, expected: Any) -> None:
    assert field_type(value, ADDRESS).value == expected


def test_glibc_loads_always() -> None:
    triple = {"target_triple": executable_fields.GNU_X86_64}
    with pytest.raises(InvalidTargetException) as caught:
        OxidizedBinaryTarget({**triple, "dynamic_loading": "never"}, ADDRESS)
    for part in ("src/app:bin", "`dynamic_loading`", "`never`", executable_fields.GNU_X86_64):
        assert part in str(caught.value)
    for fields in (
        {**triple, "dynamic_loading": "always"},
        triple,
        {"dynamic_loading": "never"},
    ):
        OxidizedBinaryTarget(fields, ADDRESS)


def test_every_field_has_help() -> None:
    helps: Dict[str, Tuple[str, ...]] = {
        field.alias: tuple(str(field.help).splitlines())
        for field in OxidizedBinaryTarget.core_fields
    }
    assert len(helps) == len(OxidizedBinaryTarget.core_fields)
    for alias, lines in helps.items():
        assert "".join(lines).strip(), alias


def test_two_things_to_run() -> None:
    config = {"interpreter_config": {"run_module": "http.server"}}
    OxidizedBinaryTarget(config, ADDRESS)
    with pytest.raises(InvalidTargetException) as caught:
        OxidizedBinaryTarget({**config, "entry_point": "main.py"}, ADDRESS)
    for part in ("src/app:bin", "`interpreter_config`", "`http.server`", "`entry_point`"):
        assert part in str(caught.value)


def test_a_config_can_be_hashed_and_compared() -> None:
    raw = {"x_options": ["a", "b=1"], "inspect": True}
    fields = [
        interpreter_fields.InterpreterConfigField(value, ADDRESS)
        for value in (raw, {"inspect": 1, "xoptions": ("a", "b=1")}, {"inspect": True})
    ]
    assert fields[0] == fields[1] != fields[2]
    assert hash(fields[0]) == hash(fields[1])
