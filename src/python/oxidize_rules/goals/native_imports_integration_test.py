"""Extension modules of wheels, as the importer of a packaged executable shows them."""

from __future__ import annotations

import pytest

from oxidize_rules.goals.testing_binaries import Packaged, output, package

# Of each extension module in the executable: what our finder says is what CPython's own says.
COMPARE = """
import importlib.machinery, os, sys
finder = sys.meta_path[0]
site = sys.prefix + "/lib/python%d.%d/site-packages" % sys.version_info[:2]
fields = ("name", "origin", "cached", "has_location", "parent", "loader_state",
          "submodule_search_locations", "loader")
alike = []
for folder, _, files in sorted(os.walk(site)):
    for file in sorted(files):
        suffix = next((s for s in importlib.machinery.EXTENSION_SUFFIXES if file.endswith(s)), None)
        parts = os.path.relpath(folder, site).split("/") if folder != site else []
        parts.append(file[: -len(suffix or "")])
        if suffix is None or not all(part.isidentifier() for part in parts):
            continue
        name, path = ".".join(parts), [folder] if len(parts) > 1 else None
        ours = finder.find_spec(name, path)
        theirs = importlib.machinery.PathFinder.find_spec(name, path)
        assert type(ours.loader) is importlib.machinery.ExtensionFileLoader, (name, ours)
        for field in fields:
            assert getattr(ours, field) == getattr(theirs, field), (name, field)
        alike.append(name)
print(*alike, sep="\\n")
"""
# A folder earlier on sys.path has its own module of that name, as a developer's may.
SHADOWED = """
import os, sys, tempfile
with tempfile.TemporaryDirectory() as folder:
    with open(os.path.join(folder, "_cffi_backend.py"), "w") as file:
        file.write("own = True")
    sys.path.insert(0, folder)
    import _cffi_backend
    print(_cffi_backend.own)
"""


@pytest.fixture(scope="session")
def native() -> Packaged:
    return package(("native_small",))


def test_extension_modules_look_as_from_an_installation(native: Packaged, libc: str) -> None:
    env = {"OXIDIZED_INTERPRETER": "1"}
    found = output([native("native_small", libc), "-c", COMPARE], env=env).split()
    assert {"_cffi_backend", "markupsafe._speedups", "yaml._yaml", "lxml.etree"} <= set(found)


def test_other_modules_come_first_as_on_disk(native: Packaged, libc: str) -> None:
    env = {"OXIDIZED_INTERPRETER": "1"}
    assert output([native("native_small", libc), "-c", SHADOWED], env=env) == "True\n"
