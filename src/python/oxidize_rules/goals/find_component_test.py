"""What the goal says before it builds anything."""

from __future__ import annotations

from typing import Tuple

import pytest

from oxidize_rules.goals.find_component import binaries_of, check_queries
from oxidize_rules.util_rules.sandbox_program import OxidizeError


def test_good_queries() -> None:
    queries = ("openssl<3.5.7", "wheel:numpy>=1,<2", "*ssl*")
    assert check_queries(queries) == queries
    assert check_queries((), needed=False) == ()


@pytest.mark.parametrize(
    ("queries", "message"),
    [
        ((), "no component is named. To fix, "),
        (("openssl<3", "openssl=3"), "`--component` is `openssl=3`, but `=3` is no comparison"),
        (("lib:x",), "but `lib` is no kind of component"),
    ],
)
def test_bad_queries(queries: Tuple[str, ...], message: str) -> None:
    with pytest.raises(OxidizeError) as raised:
        check_queries(queries)
    assert message in str(raised.value)
    assert "--component='openssl<3.5.7' ::" in str(raised.value)


def test_no_binaries() -> None:
    with pytest.raises(OxidizeError, match="found no `oxidized_binary` target"):
        binaries_of([])
