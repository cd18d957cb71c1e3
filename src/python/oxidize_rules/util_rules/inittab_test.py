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
    link_parts,
)
from oxidize_rules.util_rules.runtime import runtime_sources, symbol_list
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
    ),
)


def choose(*excluded: str) -> list[str]:
    request = InittabRequest(Address("toolchains"), None, excluded, where="//app:bin")
    return [one.name for one in chosen_extensions(request, DISTRIBUTION)]


def test_the_core_comes_last_as_in_cpython() -> None:
    assert choose() == ["_hashlib", "_ssl", "cmath", "math", "posix", "sys"]
    assert choose("_ssl", "math") == ["_hashlib", "cmath", "posix", "sys"]


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
    sources = runtime_sources()
    assert "main.c" in sources
    assert list(sources) == sorted(sources)
    assert not [name for name in sources if "fuzz" in name or "test" in name]
    assert "open" in symbol_list("wrap.txt")
    assert symbol_list("no such list.txt") == ()
