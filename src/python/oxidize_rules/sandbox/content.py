"""What goes into an executable: globs of modules, and which files they mean.

A glob is a dotted name, in which `*` and `?` stand for characters within one name and `**` for any
names, also none: `email`, `email.*`, `**.tests`. It means each module that it matches with all that
lies below, data files, too. A folder without `__init__.py` counts like a package, and a data file
belongs to its folder.

Paths here are files' paths below a folder of `sys.path`, with `/`.
"""

from __future__ import annotations

import re

TYPE_CHECKING = False
if TYPE_CHECKING:  # `typing` itself is not imported: it takes 5 ms
    from collections.abc import Callable, Iterable, Iterator, Sequence

# In `include_stdlib`: the modules that an executable has if the field is not set.
ORDINARY = ("*", "**")

# What of an installed standard library is never a module: the build's left-overs. Globs of paths.
STDLIB_REFUSE = ("config-*", "lib-dynload", "site-packages")

# What of the standard library an executable has only if `include_stdlib` names it, beside the test
# packages that the distribution tells of.
STDLIB_LEFT_OUT = (
    # Tests and examples.
    *("test", "idlelib.idle_test", "lib2to3.tests", "ctypes.test", "distutils.tests"),
    *("sqlite3.test", "tkinter.test", "unittest.test", "__hello__", "__phello__"),
    "ensurepip",  # needs wheels beside it, and a place on disk to install to
    # Programs of their own, which need Tcl and Tk.
    *("idlelib", "turtledemo"),
)

_GLOB = re.compile(r"(?:\*\*|[\w*?-]+)(?:\.(?:\*\*|[\w*?-]+))*\Z")
_PIECES = re.compile(r"\*|\?")
_MODULE_ENDINGS = ("py", "pyc", "pyi", "so")


def is_glob(text: str) -> bool:
    """Whether `text` can be a glob of modules."""
    return _GLOB.match(text) is not None and not any(
        "**" in name and name != "**" for name in text.split(".")
    )


def place(path: str) -> str:
    """Where in the tree of modules a file belongs, with `/`: `email/mime` for `email/mime/x.txt`
    and for `email/mime/__init__.py`, `email/mime/text` for `email/mime/text.py`."""
    folder, slash, name = path.rpartition("/")
    if folder == "__pycache__" or folder.endswith("/__pycache__"):
        folder = folder[: -len("__pycache__")].rstrip("/")
        slash = "/" if folder else ""
    stem, _, ending = name.partition(".")
    if stem == "__init__" or ending.rpartition(".")[2] not in _MODULE_ENDINGS:
        return folder
    return f"{folder}{slash}{stem}"


def module_matcher(globs: Iterable[str]) -> Callable[[str], bool]:
    """Whether one of the globs means what has that `place`."""
    expressions = [_expression(glob) for glob in globs]
    if not expressions:
        return lambda place: False
    match = re.compile(f"(?:{'|'.join(expressions)})(?:/.*)?", re.DOTALL).fullmatch
    return lambda place: match(place) is not None


def _expression(glob: str) -> str:
    names = glob.split(".")
    text = ""
    for number, name in enumerate(names):
        last = number == len(names) - 1
        if name == "**":
            text += "[^/]+(?:/[^/]+)*" if last else "(?:[^/]+/)*"
            continue
        at = 0
        for piece in _PIECES.finditer(name):
            text += re.escape(name[at : piece.start()])
            text += "[^/]*" if piece.group() == "*" else "[^/]"
            at = piece.end()
        text += re.escape(name[at:]) + ("" if last else "/")
    return text


def parents(place: str) -> Iterator[str]:
    """`a/b` and `a` for `a/b/c`."""
    while "/" in place:
        place = place.rpartition("/")[0]
        yield place


def select(paths: Iterable[str], globs: Iterable[str]) -> set[str]:
    """Those of the files that the globs mean, with the `__init__` files that it takes to import
    them."""
    paths = list(paths)
    matches = module_matcher(globs)
    chosen = {path for path in paths if matches(place(path))}
    homes = {parent for path in chosen for parent in parents(place(path))}
    for path in paths:
        if path.rpartition("/")[2].startswith("__init__.") and place(path) in homes:
            chosen.add(path)
    return chosen


# The standard library


def left_out(test_packages: Iterable[str]) -> tuple[str, ...]:
    """Globs of what `include_stdlib` has to name. `test_packages`: the distribution's."""
    return tuple(sorted({*STDLIB_LEFT_OUT, *test_packages}))


def is_restricted(include_stdlib: Sequence[str] | None) -> bool:
    """Whether the field's value means less than the ordinary modules."""
    return include_stdlib is not None and not any(glob in ORDINARY for glob in include_stdlib)


def naming(include_stdlib: Sequence[str] | None) -> tuple[str, ...]:
    """The globs of the field that name something, without that for the ordinary modules."""
    return tuple(glob for glob in include_stdlib or () if glob not in ORDINARY)


def wants_any(include_stdlib: Sequence[str] | None, packages: Iterable[str]) -> bool:
    """Whether the field can bring in something of one of `packages`, left out by default."""
    return any(
        _touches(glob.split("."), package.split("."))
        for glob in naming(include_stdlib)
        for package in packages
    )


def _touches(glob: Sequence[str], package: Sequence[str]) -> bool:
    """Whether a glob can match the package, something below it, or a package that it is in."""
    for name, other in zip(glob, package):
        if name == "**":
            return True
        if not module_matcher([name])(other):
            return False
    return True
