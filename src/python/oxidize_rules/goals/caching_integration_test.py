"""What runs again after a change, read from Pants' own workunit log."""

from __future__ import annotations

import time
from typing import Iterator

import pytest

from oxidize_rules.goals.testing_repository import Project, copy_repository

CLI = "testprojects/cli:bin@target_triple=musl"
HELLO = "testprojects/hello:bin@target_triple=musl"
EDITED = "testprojects/cli/cli_app/commands"
# No earlier run of these tests has left its results in the store.
UNIQUE = time.time_ns() % 2**32


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """A copy in which both applications have been packaged once."""
    copy = copy_repository(tmp_path_factory.mktemp("caching"))
    copy.good("package", CLI, HELLO)
    yield copy
    copy.close()


def test_nothing_changed(checkout: Project) -> None:
    assert checkout.good("package", CLI, HELLO).processes == []


def test_an_edit_of_one_module(checkout: Project) -> None:
    """Only its folder's bytecode, the image's index, and the link: it moves no import to another
    line, and so they are not checked again."""
    checkout.edit(f"{EDITED}/leave.py", "left with an error", f"left with error {UNIQUE}")
    assert checkout.good("package", CLI, HELLO).processes == [
        f"Compile the folder `{EDITED}` for {CLI}",
        f"Link {CLI}",
        f"Merge the image of {CLI}",
    ]


def test_a_second_binary_of_the_same_distribution(checkout: Project) -> None:
    """It shares every step of the distribution, and the standard library's."""
    # Where an import stands is a part of what the check of imports reads.
    content = "\n" * (UNIQUE % 5000) + f"import sys\n\nprint({UNIQUE}, sys.argv)\n"
    checkout.write("testprojects/second/main.py", content)
    checkout.write(
        "testprojects/second/BUILD",
        'python_sources()\noxidized_binary(name="bin", entry_point="main.py", '
        'target_triple="x86_64-unknown-linux-musl")\n',
    )
    assert checkout.good("package", "testprojects/second:bin").processes == [
        "Check the imports of testprojects/second:bin",
        "Compile the folder `testprojects/second` for testprojects/second:bin",
        "Link testprojects/second:bin",
        "Merge the image of testprojects/second:bin",
    ]


def test_an_interpreter_setting(checkout: Project) -> None:
    """Settings are part of the index: no bytecode is compiled again."""
    checkout.edit(
        "testprojects/hello/BUILD",
        'entry_point="main.py",',
        'entry_point="main.py",\n    interpreter_config={"use_hash_seed": "1", '
        f'"hash_seed": "{UNIQUE}"}},',
    )
    assert checkout.good("package", HELLO).processes == [
        f"Link {HELLO}",
        f"Merge the image of {HELLO}",
    ]
