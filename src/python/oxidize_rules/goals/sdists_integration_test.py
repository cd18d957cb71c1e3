"""Packages without wheels, built from their sdists: each backend, and what a failure says."""

from __future__ import annotations

import io
import tarfile
import time
from pathlib import Path
from typing import Iterator, Mapping

import pytest

from oxidize_rules.goals.testing_binaries import output
from oxidize_rules.goals.testing_repository import Project
from oxidize_rules.goals.testing_scratch import scratch_project

# A new one for each run: Pants keeps what pip found by requirement and by folder, and where tests
# run over a kept store in folders of the same names, it would bring back an earlier run's files.
VERSION = f"1.{time.time_ns()}"
MODULE = """
#include <Python.h>
static PyObject *answer(PyObject *self, PyObject *none) { return PyLong_FromLong(%d); }
static PyMethodDef methods[] = {{"answer", answer, METH_NOARGS, NULL}, {NULL, NULL, 0, NULL}};
static PyModuleDef module = {PyModuleDef_HEAD_INIT, "%s", NULL, -1, methods};
PyMODINIT_FUNC PyInit_%s(void) { return PyModule_Create(&module); }
"""
CXX_MODULE = r"""
#include <Python.h>
#include <map>
#include <sstream>
#include <stdexcept>
#include <string>
static PyObject *answer(PyObject *, PyObject *argument) {
    std::map<std::string, int> known{{"a", 1}, {"b", 2}};
    try {
        std::ostringstream text;
        text << known.at(PyUnicode_AsUTF8(argument)) * 1.5;
        return PyUnicode_FromString(text.str().c_str());
    } catch (const std::out_of_range &error) {
        PyErr_SetString(PyExc_KeyError, "caught");
        return nullptr;
    }
}
static PyMethodDef methods[] = {{"answer", answer, METH_O, nullptr}, {}};
static PyModuleDef module = {PyModuleDef_HEAD_INIT, "with_cmake", nullptr, -1, methods};
PyMODINIT_FUNC PyInit_with_cmake(void) { return PyModule_Create(&module); }
"""


def pyproject(name: str, requires: str, backend: str) -> str:
    return (
        f"[build-system]\nrequires = [{requires}]\nbuild-backend = '{backend}'\n"
        f"[project]\nname = '{name}'\nversion = '{VERSION}'\n"
    )


# By project: the files of its source archive.
SDISTS: Mapping[str, Mapping[str, str]] = {
    "with-setuptools": {
        # No pyproject.toml: the older way.
        "setup.py": "from setuptools import Extension, setup\n"
        f"setup(name='with-setuptools', version='{VERSION}',"
        " ext_modules=[Extension('with_setuptools', ['module.c'])])\n",
        "module.c": MODULE % (1, "with_setuptools", "with_setuptools"),
    },
    "with-meson": {
        "pyproject.toml": pyproject("with-meson", "'meson-python', 'cython'", "mesonpy"),
        "meson.build": f"project('with-meson', 'c', 'cython', version: '{VERSION}')\n"
        "py = import('python').find_installation(pure: false)\n"
        "py.extension_module('with_meson', 'with_meson.pyx', install: true)\n",
        "with_meson.pyx": "def answer():\n    cdef int total = 1\n    return total + 1\n",
    },
    "with-cmake": {
        "pyproject.toml": pyproject("with-cmake", "'scikit-build-core'", "scikit_build_core.build"),
        "CMakeLists.txt": "cmake_minimum_required(VERSION 3.20)\n"
        "project(with_cmake LANGUAGES CXX)\n"
        "find_package(Python COMPONENTS Interpreter Development.Module REQUIRED)\n"
        "python_add_library(with_cmake MODULE module.cpp WITH_SOABI)\n"
        "install(TARGETS with_cmake DESTINATION .)\n",
        "module.cpp": CXX_MODULE,
    },
    "no-header": {
        "setup.py": "from setuptools import Extension, setup\n"
        f"setup(name='no-header', version='{VERSION}',"
        " ext_modules=[Extension('no_header', ['module.c'])])\n",
        "module.c": "#include <libpq-fe.h>\n",
    },
    "in-rust": {
        "pyproject.toml": pyproject("in-rust", "'maturin'", "maturin"),
        "Cargo.toml": "[package]\nname = 'in-rust'\n",
    },
}
USE = """
import with_cmake, with_meson, with_setuptools
print(with_setuptools.answer(), with_meson.answer(), with_cmake.answer("b"))
try:
    with_cmake.answer("c")
except KeyError as error:
    print(error, with_cmake.__file__)
"""


def write_sdist(folder: Path, project: str) -> None:
    info = f"Metadata-Version: 2.2\nName: {project}\nVersion: {VERSION}\n"
    name = f"{project.replace('-', '_')}-{VERSION}"
    with tarfile.open(folder / f"{name}.tar.gz", "w:gz") as archive:
        for path, text in {**SDISTS[project], "PKG-INFO": info}.items():
            member = tarfile.TarInfo(f"{name}/{path}")
            member.size = len(text.encode())
            archive.addfile(member, io.BytesIO(text.encode()))


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    project = scratch_project(tmp_path_factory.mktemp("sdists"))
    for name in SDISTS:
        write_sdist(project.root / "wheels", name)
    project.write("main.lock", "".join(f"{name}=={VERSION}\n" for name in SDISTS))
    good = [name for name in SDISTS if name.startswith("with-")]
    build = f'python_requirement(name="good", requirements={good!r})\n'
    for name in ("no-header", "in-rust"):
        build += f'python_requirement(name="{name}", requirements=["{name}"])\n'
    for name in ("good", "no-header", "in-rust"):
        build += (
            f'oxidized_binary(name="bin-{name}", dependencies=[":{name}"], '
            f'target_triple="x86_64-unknown-linux-musl", output_path="{name}")\n'
        )
    project.write("app/BUILD", build)
    yield project
    project.close()


def test_every_backend_builds(project: Project) -> None:
    outcome = project.good("package", "app:bin-good")
    built = [one for one in outcome.processes if one.startswith("Build a wheel of ")]
    assert len(built) == 3, outcome.processes
    out = output([project.root / "dist/good", "-c", USE])
    folder = "/.oxidized/lib/python3.13/site-packages"
    suffix = "cpython-313-x86_64-linux-musl.so"
    assert out == f"1 2 3\n'caught' {folder}/with_cmake.{suffix}\n"


def test_a_missing_library_is_named(project: Project) -> None:
    outcome = project.run("package", "app:bin-no-header")
    assert outcome.returncode == 1
    assert f"the build of `no_header-{VERSION}.tar.gz` (backend " in outcome.log
    assert "'libpq-fe.h' file not found" in outcome.log
    assert "It needs a header that is not there" in outcome.log
    assert "To fix, lock a version with a wheel" in outcome.log
    assert "Traceback" not in outcome.log
    assert not (project.root / "dist/no-header").exists()


def test_rust_is_refused_before_anything_is_built(project: Project) -> None:
    outcome = project.run("package", "app:bin-in-rust")
    assert outcome.returncode == 1
    assert f"in-rust {VERSION}" in outcome.log
    assert "Rust" in outcome.log
    assert not [one for one in outcome.processes if one.startswith("Build ")], outcome.processes
