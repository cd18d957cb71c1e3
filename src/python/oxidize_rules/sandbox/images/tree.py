"""The files of a folder, as a component takes them in."""

from __future__ import annotations

import os
import stat

from oxidize_rules.sandbox.errors import UserError

TYPE_CHECKING = False
if TYPE_CHECKING:  # `typing` itself is not imported: it takes 5 ms
    from collections.abc import Callable, Sequence


class TreeFile:
    """One file of an input. `path` is relative to the input."""

    __slots__ = ("content", "executable", "path")

    def __init__(self, path: str, content: bytes, executable: bool) -> None:
        self.path = path
        self.content = content
        self.executable = executable


def read_tree(
    folder: str, *, recursive: bool = True, excluded: Callable[[str], bool] = lambda path: False
) -> list[TreeFile]:
    """All files of a folder, sorted by path. Links are followed, within the folder.

    excluded: says of a relative path that it, with all below it, is left out.
    Raises UserError for what is neither file nor folder, and for links that lead out or in circles.
    """
    top = os.path.realpath(folder)
    if not os.path.isdir(top):
        raise UserError(f"there is no folder `{folder}`.")
    found = []

    def visit(relative: str, parents: tuple[str, ...]) -> None:
        with os.scandir(os.path.join(folder, relative)) as entries:
            for entry in sorted(entries, key=lambda entry: os.fsencode(entry.name)):
                path = f"{relative}{entry.name}"
                if excluded(path):
                    continue
                if entry.is_symlink():
                    _check_link(entry.path, path, top, parents)
                if entry.is_dir():
                    if recursive:
                        visit(f"{path}/", (*parents, os.path.realpath(entry.path)))
                elif entry.is_file():
                    with open(entry.path, "rb") as file:
                        executable = bool(os.fstat(file.fileno()).st_mode & stat.S_IXUSR)
                        found.append(TreeFile(_utf8(path), file.read(), executable))
                else:
                    raise UserError(f"`{entry.path}` is neither a file nor a folder; remove it.")

    visit("", (top,))
    found.sort(key=lambda file: file.path.encode("utf-8", "surrogateescape"))
    return found


def _check_link(where: str, path: str, top: str, parents: Sequence[str]) -> None:
    target = os.path.realpath(where)
    if not os.path.exists(target):
        raise UserError(f"`{where}` is a link to `{os.readlink(where)}`, which does not exist.")
    if not os.path.isdir(target):
        return  # in a sandbox, files may well be links to a store; folders never are
    if any(f"{parent}/".startswith(f"{target}/") for parent in parents):
        raise UserError(f"`{where}` is a link to a folder that it stands in; remove it.")
    if not target.startswith(f"{top}/"):
        raise UserError(
            f"`{where}` is a link to the folder `{os.readlink(where)}` outside of the "
            "component; put a folder there instead."
        )


def _utf8(path: str) -> str:
    """A file's name as UTF-8 sees it, whatever the locale."""
    return os.fsencode(path).decode("utf-8", "surrogateescape")
