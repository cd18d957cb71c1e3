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

_FROZEN = "frozen into the interpreter; the files show what runs"
# What the interpreter does not start without: it stays if `include_stdlib` has no `"*"`, and
# `exclude` cannot name it. Globs of modules, with the reason.
STDLIB_START = {
    "encodings": "the codecs of standard streams and file names, whatever the locale",
    "encodings.aliases": "encodings",
    "encodings.utf_8": "the file system's encoding",
    "encodings.ascii": "the locale C",
    "encodings.latin_1": "the locale POSIX of some systems",
    "importlib": "`-m`, and every module that imports by name",
    "importlib._abc": "importlib.util",
    "types": "importlib.util",
    "linecache": "the interpreter registers the code of `-c` with it",
    "warnings": "`-W`, PYTHONWARNINGS",
    "_oxidized_ctypes": "ours: what ctypes.util says of libraries in the image",
    "_oxidized_platform": "ours: what platform says of the C library",
    **dict.fromkeys(
        (
            *("_collections_abc", "_sitebuiltins", "abc", "codecs", "genericpath", "io", "ntpath"),
            *("os", "posixpath", "runpy", "site", "stat", "zipimport"),
            *("importlib._bootstrap", "importlib._bootstrap_external"),
            *("importlib.machinery", "importlib.util"),
        ),
        _FROZEN,
    ),
}
# Of those, packages that stay without all that is in them.
_BARE_PACKAGES = {"importlib"}

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


def filter_files(
    paths: Iterable[str], path_entry: str, *, keep: Sequence[str] | None, drop: Sequence[str]
) -> dict[str, str]:
    """Which files of a component go, and the field that says so: `include_stdlib` or `exclude`.

    paths: relative to the image's root. Files outside of `path_entry`, and those beside its
    modules, belong to no module and stay.
    """
    start = f"{path_entry}/" if path_entry else ""
    inner = [path[len(start) :] for path in paths if path.startswith(start)]
    kept = None if keep is None else select(inner, keep)
    excluded = module_matcher(drop)
    gone = {}
    for path in inner:
        where = place(path)
        if not where or path.partition("/")[0].endswith(".dist-info"):
            continue
        if excluded(where):
            gone[start + path] = "exclude"
        elif kept is not None and path not in kept:
            gone[start + path] = "include_stdlib"
    return gone


def module_name(path: str, path_entry: str) -> str | None:
    """The dotted name of the module that a file, relative to the image's root, is or belongs to."""
    start = f"{path_entry}/" if path_entry else ""
    if not path.startswith(start) or not path.endswith((".py", ".pyc", ".so")):
        return None
    parts = place(path[len(start) :]).split("/")
    return ".".join(parts) if all(part.isidentifier() for part in parts) else None


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


def start_globs() -> tuple[str, ...]:
    """What a restricted standard library keeps in any case."""
    return tuple(glob for glob in STDLIB_START if glob not in _BARE_PACKAGES)


def needed_at_start(glob: str) -> str | None:
    """What of `STDLIB_START` a glob of `exclude` means, if anything."""
    excluded = module_matcher([glob])
    return next((name for name in STDLIB_START if excluded(name.replace(".", "/"))), None)


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
