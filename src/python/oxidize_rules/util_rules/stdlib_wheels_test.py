from __future__ import annotations

from oxidize_rules.util_rules.stdlib_wheels import bringing, names_for_ids, wheels_among

PIP = "ensurepip/_bundled/pip-25.1.1-py3-none-any.whl"
SETUPTOOLS = "test/wheeldata/setuptools-79.0.1-py3-none-any.whl"


def test_wheels_in_the_standard_library() -> None:
    stdlib = "lib/python3.13"
    paths = [
        f"{stdlib}/{SETUPTOOLS}",
        f"{stdlib}/{PIP}",
        f"{stdlib}/ensurepip/__init__.py",
        f"{stdlib}/ensurepip/_bundled/README",
        # CPython's own, as data for tests.
        f"{stdlib}/test/test_importlib/metadata/data/example-21.12-py3-none-any.whl",
        # Of a package.
        f"{stdlib}/site-packages/virtualenv/seed/embed/pip-26-py3-none-any.whl",
        f"app/{PIP}",
        f"lib/python3.1/{PIP}",
    ]
    assert wheels_among(paths, stdlib) == [PIP, SETUPTOOLS]
    # As it was until 3.12.
    assert wheels_among(["lib/python3.11/test/wheel-0.40.0-py3-none-any.whl"], "lib/python3.11")


def test_ids_beside_those_of_installed_wheels() -> None:
    assert names_for_ids(["pip-25.1.1"], ["requests-2.34.2"]) == {"pip-25.1.1": "pip"}
    assert names_for_ids(["Some_Pip-1"], ["some.pip-2"]) == {"Some_Pip-1": "some-pip@1"}
    # Of the same version, too: one is installed, the other is a file.
    assert names_for_ids(["pip-25.1.1"], ["pip-25.1.1"]) == {"pip-25.1.1": "pip@25.1.1"}
    # As 3.11 has it, with `ensurepip` and `test`.
    assert names_for_ids(["setuptools-65.5.0", "setuptools-67.6.1"], []) == {
        "setuptools-65.5.0": "setuptools",
        "setuptools-67.6.1": "setuptools@67.6.1",
    }


def test_which_globs_bring_a_wheel() -> None:
    globs = ("test", "ensurepip", "__hello__", "ensure*", "**._bundled", "ensurepip.__main__")
    assert bringing(globs, PIP) == ("ensurepip", "ensure*", "**._bundled")
    assert bringing(globs, SETUPTOOLS) == ("test",)
