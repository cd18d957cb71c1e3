"""What runs again after a change, read from Pants' own workunit log."""

from __future__ import annotations

from pathlib import Path
from typing import Iterator

import pytest

from oxidize_rules.goals.checkout import Checkout

CLI = "testprojects/cli:bin@target_triple=musl"
HELLO = "testprojects/hello:bin@target_triple=musl"
EDITED = "testprojects/cli/cli_app/commands"


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Checkout]:
    """A copy in which both applications have been packaged once."""
    folder: Path = tmp_path_factory.mktemp("caching")
    copy = Checkout(folder / "checkout")
    copy.package(CLI, HELLO)
    yield copy
    copy.stop()


def test_nothing_changed(checkout: Checkout) -> None:
    assert checkout.package(CLI, HELLO) == []


def test_an_edit_of_one_module(checkout: Checkout) -> None:
    """Only its folder's bytecode, the image's index, and the link."""
    checkout.edit(f"{EDITED}/leave.py", "import sys\n", "import sys\n\nEDITED = 1\n")
    assert checkout.package(CLI, HELLO) == [
        f"Compile the folder `{EDITED}` for {CLI}",
        f"Link {CLI}",
        f"Merge the image of {CLI}",
    ]


def test_a_second_binary_of_the_same_distribution(checkout: Checkout) -> None:
    """It shares every step of the distribution, and the standard library's."""
    folder = checkout.root / "testprojects/second"
    folder.mkdir()
    (folder / "main.py").write_text("print('second')\n")
    (folder / "BUILD").write_text(
        'python_sources()\noxidized_binary(name="bin", entry_point="main.py", '
        'target_triple="x86_64-unknown-linux-musl")\n'
    )
    assert checkout.package("testprojects/second:bin") == [
        "Compile the folder `testprojects/second` for testprojects/second:bin",
        "Link testprojects/second:bin",
        "Merge the image of testprojects/second:bin",
    ]


def test_an_interpreter_setting(checkout: Checkout) -> None:
    """Settings are part of the index: no bytecode is compiled again."""
    checkout.edit(
        "testprojects/hello/BUILD",
        'entry_point="main.py",',
        'entry_point="main.py",\n    interpreter_config={"faulthandler": "1"},',
    )
    assert checkout.package(HELLO) == [f"Link {HELLO}", f"Merge the image of {HELLO}"]
