"""Facts through the real rules: a distribution that is made with GNU readline and Berkeley DB."""

from __future__ import annotations

import json
from typing import Any, Dict

import pytest
from pants.engine.addresses import Address
from pants.engine.fs import Digest, DigestContents
from pants.testutil.rule_runner import QueryRule, RuleRunner

from oxidize_rules.sandbox.distribution import testing_archives as archives
from oxidize_rules.sandbox.distribution.testing_archives import python_json, static_link, variant
from oxidize_rules.sandbox.parts.licenses import is_copyleft
from oxidize_rules.util_rules import distribution_facts
from oxidize_rules.util_rules.distribution_facts import DistributionFactsRequest
from oxidize_rules.util_rules.facts import Facts
from oxidize_rules.util_rules.testing_distributions import declared, distribution_runner

METADATA = python_json(
    build_info={
        "extensions": {
            # As python-build-standalone's releases before 2022 had it, and as its metadata tells.
            "readline": variant("readline", [static_link("readline")], licenses=["GPL-3.0-only"]),
            "_dbm": variant("_dbm", [static_link("db")], licenses=["Sleepycat"]),
        }
    }
)


@pytest.fixture(scope="module")
def runner() -> RuleRunner:
    runner = distribution_runner(
        QueryRule(Facts, [DistributionFactsRequest]),
        QueryRule(DigestContents, [Digest]),
        *distribution_facts.rules(),
    )
    runner.write_files(
        {
            "dists/BUILD": declared("copyleft", source="copyleft.tar.zst"),
            "dists/copyleft.tar.zst": archives.archive(METADATA),
        }
    )
    return runner


def parts_of(runner: RuleRunner, request: Any) -> Dict[str, Any]:
    facts = runner.request(Facts, [request])
    files = {one.path: one.content for one in runner.request(DigestContents, [facts.digest])}
    parts = json.loads(files.pop("facts.json"))["parts"]
    named = {text for part in parts for _, text in part["texts"]}
    named |= {text for part in parts for text in part["extracted"].values()}
    assert set(files) == {f"texts/{text}.txt" for text in named}
    return {part["id"]: part for part in parts}


def test_copyleft_libraries_are_caught(runner: RuleRunner) -> None:
    parts = parts_of(runner, DistributionFactsRequest(Address("dists", target_name="copyleft")))
    copyleft = {one for one, part in parts.items() if is_copyleft([part["license"]]) is not False}
    assert copyleft == {"library:readline", "library:berkeley-db", "vendored:readline"}
    assert parts["library:readline"]["license"] == "GPL-3.0-or-later"
    assert parts["vendored:readline"]["license"] == "GPL-3.0-only"  # what the metadata adds
    assert parts["library:berkeley-db"]["license"] == "Sleepycat"
