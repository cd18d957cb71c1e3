"""First-party C, C++ and Cython in a `python_distribution`, from inside the executable."""

from __future__ import annotations

from oxidize_rules.goals.testing_binaries import Packaged, output, start
from oxidize_rules.goals.testing_pants import REPOSITORY

CHECKS = REPOSITORY / "testprojects" / "native_code" / "checks" / "check_c_calls.py"


def test_modules_of_each_language_work(packages: Packaged, libc: str) -> None:
    lines = output([packages("native_code", libc)]).splitlines()
    site = "/.oxidized/lib/python3.13/site-packages/shapes"
    assert lines[0] == "C: [6.0, 0.25]"
    assert lines[-2] == "Cython: 6.25"
    assert lines[-1] == (
        f"from: {site}/__init__.py {site}/_area.cpython-313-x86_64-linux-{libc}.so"
    )
    (caught,) = (line for line in lines if line.startswith("C++ exception: "))
    assert caught != "C++ exception: "


def test_its_sources_are_not_in_twice(packages: Packaged, libc: str) -> None:
    code = "import os; print(os.listdir('/.oxidized/app'), os.path.exists('/.oxidized/app/shapes'))"
    out = output([packages("native_code", libc), "-c", code], env={"OXIDIZED_INTERPRETER": "1"})
    assert out.endswith("False\n")
    assert "main.py" in out


def test_functions_of_libc_see_the_image(packages: Packaged, libc: str) -> None:
    ended = start([packages("native_code", libc), CHECKS], env={"OXIDIZED_INTERPRETER": "1"})
    assert ended.code == 0, ended.err
