"""What is said of imports of modules that were left out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from oxidize_rules.sandbox.errors import UserError
from oxidize_rules.sandbox.images.import_check import SHOWN, main
from oxidize_rules.sandbox.images.imports import ALWAYS, CALLED, GUARDED, SOMETIMES

STDLIB = {
    "json": ["lib/json/__init__.py", [[1, ALWAYS, "json.decoder", "loads"]]],
    "json.decoder": ["lib/json/decoder.py", [[2, ALWAYS, "re"], [3, GUARDED, "_json"]]],
    "re": ["lib/re/__init__.py", [[4, ALWAYS, "enum"], [9, CALLED, "warnings"]]],
    "enum": ["lib/enum.py", [[1, ALWAYS, "sys"]]],
    "warnings": ["lib/warnings.py", []],
    "sqlite3": ["lib/sqlite3/__init__.py", [[5, ALWAYS, "sqlite3.dbapi2"]]],
    "sqlite3.dbapi2": ["lib/sqlite3/dbapi2.py", [[6, ALWAYS, "_sqlite3"]]],
}


class Case:
    """An executable with a standard library, a wheel and first-party modules."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.app: dict[str, list[Any]] = {}
        self.wheel: dict[str, list[Any]] = {}
        self.content: dict[str, Any] = {
            "entry": "app.main",
            "dropped": [],
            "extensions": [["_tkinter", "", "it is left out by default"]],
            "builtin": ["_sqlite3", "_json"],
            "left_out": ["test", "idlelib"],
            "named": False,
        }

    def module(self, name: str, *imports: list[Any]) -> None:
        self.app[name] = [f"app/{name.replace('.', '/')}.py", list(imports)]

    def warnings(self) -> list[str]:
        files = []
        for name, kind, modules in (
            ("stdlib", "stdlib", STDLIB),
            ("wheel:x-1", "wheel", self.wheel),
            ("folder:app", "folder", self.app),
        ):
            path = self.folder / f"{kind}.json"
            content = {"component": name, "kind": kind, "modules": modules}
            path.write_text(json.dumps(content))
            files.append(str(path))
        (self.folder / "content.json").write_text(json.dumps(self.content))
        main(
            [
                *("--imports", *files, "--content", str(self.folder / "content.json")),
                *("--output", str(self.folder / "report.json")),
            ]
        )
        found: list[str] = json.loads((self.folder / "report.json").read_text())["warnings"]
        return found

    def refusal(self) -> str:
        (self.folder / "report.json").unlink(missing_ok=True)
        with pytest.raises(UserError) as error:
            self.warnings()
        assert not (self.folder / "report.json").exists()
        return str(error.value)


@pytest.fixture
def case(tmp_path: Path) -> Case:
    case = Case(tmp_path)
    case.module("app")
    return case


def test_all_is_there(case: Case) -> None:
    case.module("app.main", [1, ALWAYS, "json"], [2, ALWAYS, "sqlite3"], [3, ALWAYS, "unheard_of"])
    assert case.warnings() == []


def test_what_fails_at_start_is_refused(case: Case) -> None:
    case.content["dropped"] = [["stdlib", "exclude", ["json", "json.decoder"]]]
    case.module("app.main", [1, ALWAYS, "app.util", "x"])
    case.module("app.util", [7, ALWAYS, "json", "loads"])
    message = case.refusal()
    assert "`app/util.py`, line 7 imports `json`, which the field `exclude` left out" in message
    assert "`app.main` imports `app.util`" in message
    assert "out of `exclude`" in message
    assert "catch ImportError" in message
    assert "json.decoder" not in message


def test_a_restricted_standard_library_tells_all_that_is_missing(case: Case) -> None:
    case.content["named"] = True
    names = ["json", "json.decoder", "re", "enum", "warnings"]
    case.content["dropped"] = [["stdlib", "include_stdlib", names]]
    case.module("app.main", [1, ALWAYS, "json"])
    message = case.refusal()
    assert "`json`, which the field `include_stdlib` does not name" in message
    assert 'more that was left out: "enum", "re"\n' in message
    assert "add `json` to `include_stdlib`," in message


def test_through_the_standard_library_to_an_extension_module(case: Case) -> None:
    case.content["builtin"] = []
    case.content["extensions"] = [["_sqlite3", "extension_filter", "it links sqlite3"]]
    case.module("app.main", [3, ALWAYS, "sqlite3"])
    message = case.refusal()
    assert "`lib/sqlite3/dbapi2.py`, line 6 imports `_sqlite3`" in message
    assert "`extension_filter` left out (it links sqlite3)" in message
    assert "`app.main` imports `sqlite3` imports `sqlite3.dbapi2`" in message
    assert "add `_sqlite3` to `include_extensions`" in message


@pytest.mark.parametrize("how", [SOMETIMES, CALLED, GUARDED])
def test_what_need_not_fail_is_not_refused(case: Case, how: int) -> None:
    case.content["dropped"] = [["stdlib", "exclude", ["enum"]]]
    case.module("app.main", [4, how, "json"])
    case.module("app.other", [8, ALWAYS, "enum"])
    when = {SOMETIMES: "when it comes to that", CALLED: "when it is called"}
    expected = ["`app/other.py`, line 8 imports `enum`"]
    if how in when:
        expected.insert(0, "`app/main.py`, line 4 imports `json`, which needs `enum`")
    warnings = case.warnings()
    assert len(warnings) == len(expected)
    for warning, start in zip(warnings, expected):
        assert warning.startswith(start)
        assert "the field `exclude` left out" in warning
    assert how not in when or when[how] in warnings[0]


def test_an_interpreter_starts_without_an_entry_point(case: Case) -> None:
    case.content["entry"] = None
    case.content["named"] = True
    case.content["dropped"] = [["stdlib", "include_stdlib", ["re", "enum", "warnings"]]]
    (warning,) = case.warnings()
    assert "`json`, `json.decoder` of stdlib cannot be imported: `re`" in warning


def test_a_submodule_that_was_dropped(case: Case) -> None:
    case.content["dropped"] = [["stdlib", "exclude", ["json.decoder"]]]
    case.module("app.main", [1, ALWAYS, "app.util"])
    case.module("app.util", [2, ALWAYS, "json", "decoder"])
    assert "imports `json.decoder`" in case.refusal()


def test_a_module_of_that_name_elsewhere_serves(case: Case) -> None:
    case.content["dropped"] = [["stdlib", "exclude", ["enum"]]]
    case.wheel["enum"] = ["site/enum.py", []]
    case.module("app.main", [1, ALWAYS, "re"], [2, ALWAYS, "test.own"])
    case.module("test")
    case.module("test.own")
    assert case.warnings() == []


def test_wheels_are_told_of_shortly(case: Case) -> None:
    case.content["dropped"] = [["stdlib", "exclude", ["enum"]]]
    case.module("app.main", [1, CALLED, "pkg.m0"])
    for number in range(20):
        case.wheel[f"pkg.m{number:02}"] = [f"site/pkg/m{number}.py", [[1, ALWAYS, "re"]]]
    case.wheel["pkg"] = ["site/pkg/__init__.py", []]
    (warning,) = case.warnings()
    assert warning.startswith("`pkg.m00`, `pkg.m01`, `pkg.m02` and 17 more modules of wheel:x-1")


def test_defaults_are_told_of_where_first_party_code_leads(case: Case) -> None:
    case.wheel["pkg"] = ["site/pkg/__init__.py", []]
    case.wheel["pkg.gui"] = ["site/pkg/gui.py", [[1, ALWAYS, "_tkinter"]]]
    case.wheel["pkg.check"] = ["site/pkg/check.py", [[1, ALWAYS, "test.support"]]]
    case.module("app.main", [1, ALWAYS, "pkg"])
    assert case.warnings() == []
    case.module("app.main", [1, CALLED, "pkg.gui"])
    first, second = case.warnings()
    assert "`app/main.py`, line 1 imports `pkg.gui`, which needs `_tkinter`" in first
    assert second.startswith("`pkg.gui` of wheel:x-1 cannot be imported: `_tkinter`")
    case.module("app.main", [1, ALWAYS, "pkg.check"])
    message = case.refusal()
    assert "`test.support`, which is left out by default" in message or "`test`" in message
    assert '`["*", "test' in message


def test_nobody_is_flooded(case: Case) -> None:
    case.content["dropped"] = [["stdlib", "exclude", ["enum"]]]
    case.module("app.main")
    for number in range(50):
        case.module(f"app.m{number}", [1, ALWAYS, "enum"])
    warnings = case.warnings()
    assert len(warnings) == SHOWN + 1
    assert "42 more" in warnings[-1]
