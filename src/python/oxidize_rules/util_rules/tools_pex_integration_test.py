"""The two locked environments, installed from the indexes of `[python-repos]`: what each has, and
that neither has what the other is for."""

from __future__ import annotations

import os

import pytest
from pants.backend.python.util_rules import pex
from pants.engine.process import FallibleProcessResult, Process
from pants.testutil.rule_runner import QueryRule, RuleRunner

from oxidize_rules.util_rules import sandbox_program, tools_pex
from oxidize_rules.util_rules.testing_pex import pinned_pex
from oxidize_rules.util_rules.tools_pex import REPORTS, TOOLS, ToolEnvironment, ToolProcessRequest


@pytest.fixture(scope="module")
def runner() -> RuleRunner:
    runner = RuleRunner(
        rules=[
            *pex.rules(),
            *sandbox_program.rules(),  # type: ignore[no-untyped-call]
            *tools_pex.rules(),
            QueryRule(Process, [ToolProcessRequest]),
            QueryRule(FallibleProcessResult, [Process]),
        ]
    )
    runner.set_options(
        pinned_pex(),
        env_inherit=set(os.environ),
    )
    return runner


@pytest.mark.parametrize(
    ("environment", "module", "has"),
    [
        (REPORTS, "license_expression", True),
        (REPORTS, "capstone", True),
        (REPORTS, "elftools", True),
        (REPORTS, "packaging", True),
        (REPORTS, "requests", False),
        (TOOLS, "elftools", True),
        (TOOLS, "license_expression", False),
    ],
    ids=lambda value: value.resolve if isinstance(value, ToolEnvironment) else None,
)
def test_what_an_environment_has(
    runner: RuleRunner, environment: ToolEnvironment, module: str, has: bool
) -> None:
    # `pydoc` imports the module that it is asked about.
    process = runner.request(
        Process,
        [ToolProcessRequest("pydoc", (module,), f"Import {module}", environment=environment)],
    )
    result = runner.request(FallibleProcessResult, [process])
    found = result.stdout.decode()
    assert ("No Python documentation found" in found) != has, found + result.stderr.decode()
    assert (f"Help on package {module}" in found) == has, found
