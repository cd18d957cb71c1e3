from __future__ import annotations

from pathlib import Path

import pytest

from oxidize_rules.sandbox.errors import UserError
from oxidize_rules.sandbox.toolchain.musl_edits import EDITS, Edit, apply, edited

EDIT = Edit("a.c", "because", anchor="old\n", replacement="new\n")


def test_an_edit_takes_the_place_of_its_anchor() -> None:
    assert edited("1\nold\n2\n", EDIT) == "1\nnew\n2\n"


def test_an_edit_can_reach_further() -> None:
    edit = Edit("a.c", "because", anchor="old\n", until="end\n", replacement="new\n")
    assert edited("1\nold\n2\n3\nend\n4\n", edit) == "1\nnew\nend\n4\n"
    with pytest.raises(UserError, match="found no end of it"):
        edited("end\nold\n", edit)


@pytest.mark.parametrize(("text", "count"), [("1\n2\n", 0), ("old\n1\nold\n", 2)])
def test_a_moved_anchor_is_an_error(text: str, count: int) -> None:
    with pytest.raises(UserError) as error:
        edited(text, EDIT)
    assert "`old` once" in str(error.value)
    assert f"found it {count} times" in str(error.value)
    assert "because" in str(error.value)


def test_a_missing_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"has no a\.c"):
        apply(tmp_path, (EDIT,))


def test_edits_of_one_file_follow_each_other(tmp_path: Path) -> None:
    (tmp_path / "a.c").write_text("old\n")
    apply(tmp_path, (EDIT, Edit("a.c", "then", anchor="new\n", replacement="newer\n")))
    assert (tmp_path / "a.c").read_text() == "newer\n"


def test_every_edit_says_why() -> None:
    assert all(edit.why and edit.anchor != edit.replacement for edit in EDITS)
