from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from pants.engine.addresses import Address

from oxidize_rules.util_rules.distribution import Extension
from oxidize_rules.util_rules.inittab import (
    CORE,
    InittabRequest,
    OwnedFile,
    chosen_extensions,
    excluded_by_default,
    left_out_extensions,
    link_parts,
)
from oxidize_rules.util_rules.runtime import runtime_files, symbol_list, taken_over
from oxidize_rules.util_rules.sandbox_program import OxidizeError


def extension(name: str, **fields: Any) -> Extension:
    defaults: dict[str, Any] = {
        "name": name,
        "init_function": f"PyInit_{name}",
        "objects": (f"build/Modules/{name}.o",),
        "static_libraries": (),
        "system_libraries": (),
        "required": False,
        "in_core": False,
        "licenses": (),
        "license_paths": (),
        "license_public_domain": None,
    }
    return Extension(**{**defaults, **fields})


# As static release archives of python-build-standalone have them.
LEFT_OUT = (
    *("_ctypes_test", "_dbm", "_testbuffer", "_testcapi", "_testclinic", "_testclinic_limited"),
    *("_testexternalinspection", "_testimportmultiple", "_testinternalcapi", "_testlimitedcapi"),
    *("_testmultiphase", "_testsinglephase", "_tkinter", "_xxtestfuzz"),
    *("xxlimited", "xxlimited_35", "xxsubtype"),
)

DISTRIBUTION: Any = SimpleNamespace(
    address="//toolchains:cpython",
    core_objects=("build/Python/ceval.o", "build/Modules/main.o"),
    core_system_libraries=("m", "dl"),
    extensions=(
        extension("sys", init_function=None, objects=(), in_core=True),
        extension("posix", required=True),
        extension("math", objects=("build/m.o", "build/_math.o"), system_libraries=("m",)),
        extension("cmath", objects=("build/c.o", "build/_math.o"), system_libraries=("m",)),
        extension("_ssl", static_libraries=("build/lib/libssl.a", "build/lib/libcrypto.a")),
        extension("_hashlib", static_libraries=("build/lib/libcrypto.a",)),
        extension("_dbm", static_libraries=("build/lib/libdb.a",)),
        *(extension(name) for name in LEFT_OUT if name != "_dbm"),
    ),
)


def choose(*excluded: str, included: tuple[str, ...] = (), rule: str = "all") -> list[str]:
    request = InittabRequest(Address("toolchains"), None, excluded, "//app:bin", included, rule)
    return [one.name for one in chosen_extensions(request, DISTRIBUTION)]


def test_the_core_comes_last_as_in_cpython() -> None:
    assert choose() == ["_hashlib", "_ssl", "cmath", "math", "posix", "sys"]
    assert choose("_ssl", "math") == ["_hashlib", "cmath", "posix", "sys"]


def test_what_is_left_out_unless_asked_for() -> None:
    assert choose(included=("_dbm", "_ssl"))[:3] == ["_dbm", "_hashlib", "_ssl"]
    assert not {*choose(included=("_dbm",))}.intersection(LEFT_OUT) - {"_dbm"}
    assert choose("_tkinter") == choose()


def test_a_rule_leaves_out_and_names_win_over_it() -> None:
    assert choose(rule="minimal") == ["posix", "sys"]
    assert choose(rule="minimal", included=("_ssl", "_dbm")) == ["_dbm", "_ssl", "posix", "sys"]
    assert choose(rule="no-libraries") == ["cmath", "math", "posix", "sys"]
    assert choose("math", rule="no-libraries") == ["cmath", "posix", "sys"]
    # The distribution does not tell the licences of these two.
    assert choose(rule="no-copyleft") == ["cmath", "math", "posix", "sys"]
    request = InittabRequest(Address("toolchains"), None, ("math",), filter="no-copyleft")
    told = {one.name: one.field for one in left_out_extensions(request, DISTRIBUTION)}
    assert told.items() >= {"math": "exclude_extensions", "_ssl": "extension_filter"}.items()
    assert told["_testcapi"] == ""


def test_what_is_left_out_is_not_linked() -> None:
    request = InittabRequest(Address("toolchains"), None)
    parts = link_parts(DISTRIBUTION, chosen_extensions(request, DISTRIBUTION))
    linked = {one.name for one in (*parts.objects, *parts.static_libraries)}
    assert not linked.intersection(f"build/Modules/{name}.o" for name in LEFT_OUT)
    assert "build/lib/libdb.a" not in linked


def test_a_required_module_stays_whatever_its_name() -> None:
    assert not excluded_by_default(extension("_testing", required=True))
    assert excluded_by_default(extension("_testing"))


@pytest.mark.parametrize(
    ("included", "message"),
    [
        ("_dmb", r"//app:bin: `include_extensions` names `_dmb`.*toolchains:cpython.*`_dbm`\?"),
        ("_ssl", "both `exclude_extensions` and `include_extensions` name `_ssl`"),
    ],
)
def test_what_cannot_be_included(included: str, message: str) -> None:
    with pytest.raises(OxidizeError, match=message):
        choose("_ssl", included=(included,))


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("_sll", r"//app:bin: `exclude_extensions` names `_sll`.*toolchains:cpython.*`_ssl`\?"),
        ("posix", r"names `posix`, but the interpreter cannot start without it"),
        ("sys", r"names `sys`, but the interpreter cannot start without it"),
    ],
)
def test_what_cannot_be_left_out(name: str, message: str) -> None:
    with pytest.raises(OxidizeError, match=message):
        choose(name)


def test_parts_stand_once_and_have_an_owner() -> None:
    request = InittabRequest(Address("toolchains"), None, ("math",))
    parts = link_parts(DISTRIBUTION, chosen_extensions(request, DISTRIBUTION))
    assert [one.name for one in parts.objects] == [
        "build/Modules/_hashlib.o",
        "build/Modules/_ssl.o",
        "build/Modules/main.o",
        "build/Modules/posix.o",
        "build/Python/ceval.o",
        "build/_math.o",
        "build/c.o",
    ]
    assert OwnedFile("build/_math.o", "the extension module `cmath`") in parts.objects
    assert OwnedFile("build/Modules/main.o", CORE) in parts.objects
    assert parts.static_libraries == (
        OwnedFile("build/lib/libcrypto.a", "the extension module `_hashlib`"),
        OwnedFile("build/lib/libssl.a", "the extension module `_ssl`"),
    )
    assert parts.system_libraries == (OwnedFile("dl", CORE), OwnedFile("m", CORE))


def test_the_runtime_that_is_shipped() -> None:
    sources = runtime_files(".c")
    assert "main.c" in sources
    assert list(sources) == sorted(sources)
    shipped = (*sources, *runtime_files(".h"))
    assert not [name for name in shipped if "fuzz" in name or "test" in name]
    assert symbol_list("no such list.txt") == ()


def test_libc_is_wrapped_on_musl_and_taken_over_on_glibc() -> None:
    wrapped, exports = taken_over(None)
    assert {"open", "_PyConfig_InitPathConfig"} <= set(wrapped)
    assert exports == ()
    wrapped, exports = taken_over("2.17")
    assert all(name.startswith(("_Py", "X509_")) for name in wrapped)
    assert {"open", "open64", "dlopen"} <= set(exports)
