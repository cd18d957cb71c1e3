"""What is left of tools and tracebacks where there is bytecode only; told as JSON."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import json
import os
import pkgutil
import runpy
import sys
import textwrap
import traceback
import warnings

import shapes


def error_of(function, *arguments) -> str:
    try:
        return f"no error: {function(*arguments)!r}"
    except Exception as error:
        return f"{type(error).__name__}: {error}"


def facts() -> dict[str, object]:
    spec = importlib.util.find_spec("shapes")
    try:
        shapes.area(-1, 1)
    except ValueError:
        shown = traceback.format_exc()
    return {
        "file": shapes.__file__,
        "cached": spec.cached,
        "loader": [one.__name__ for one in type(spec.loader).__mro__][:2],
        "source": spec.loader.get_source("shapes"),
        "code": spec.loader.get_code("shapes").co_filename,
        "doc": shapes.area.__doc__,
        "getsource": error_of(inspect.getsource, shapes.area),
        "signature": str(inspect.signature(shapes.area)),
        "traceback": shown,
        "listing": sorted(os.listdir(os.path.dirname(shapes.__file__))),
        "stdlib": textwrap.__file__,
        "package": json.__path__ and importlib.util.find_spec("json.decoder").origin,
        "modules": [one.name for one in pkgutil.iter_modules([os.path.dirname(json.__file__)])],
        "reload": importlib.reload(shapes) is shapes,
        "run": runpy.run_module("shapes")["area"](2, 3),
        "run_path": runpy.run_path(shapes.__file__)["area"](2, 3),
        "warning": warnings.formatwarning("so", UserWarning, shapes.area.__code__.co_filename, 8),
        "by_path_finder": importlib.machinery.PathFinder.find_spec("shapes").origin,
    }


def main() -> int:
    if sys.argv[1:] == ["fail"]:
        shapes.area(-1, 1)
    print(json.dumps(facts()))
    return 0
