"""Reads a wheel and says where each of its files belongs in the image.

The format is the "binary distribution format" of the Python packaging specifications (first
PEP 427): a zip archive whose root goes to site-packages, except for what stands in
`<name>-<version>.data/`, by installation scheme. The installed `RECORD` follows "recording
installed projects" (first PEP 376 and PEP 627).
"""

from __future__ import annotations

import os
import stat

from oxidize_rules.sandbox.errors import UserError
from oxidize_rules.sandbox.images.tree import read_tree

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from zipfile import ZipFile, ZipInfo

# What all files of one wheel may take unpacked, in bytes.
SIZE_LIMIT = 4 << 30
INSTALLER = b"oxidize_rules\n"


class WheelFile:
    """One file of a wheel. `path` is relative to the image's root, `content` its bytes."""

    def __init__(self, path: str, content: bytes, executable: bool) -> None:
        self.path = path
        self.content = content
        self.executable = executable


class Wheel:
    """What a wheel holds.

    files:     what goes into the image, without the wheel's own RECORD
    dropped:   members that have no place in an image (scripts, C headers), as the wheel names them
    tags:      compatibility tags, e.g. `py3-none-any`, each one alone, sorted
    dist_info: the metadata folder, relative to the image's root
    """

    def __init__(
        self, files: list[WheelFile], dropped: list[str], tags: list[str], dist_info: str
    ) -> None:
        self.files = files
        self.dropped = dropped
        self.tags = tags
        self.dist_info = dist_info


def read_wheel(path: str, root: str) -> Wheel:
    """Reads the wheel file, or the folder with a wheel's unpacked content, at `path`.

    root: where site-packages stands in the image, relative to the image's root. Files of the
    scheme `data` go below the image's root itself (it is `sys.prefix`).
    Raises UserError for anything that is no proper wheel.
    """
    members = _members_of_folder(path) if os.path.isdir(path) else _members_of_archive(path)
    name = os.path.basename(os.path.normpath(path))
    dist_info = _dist_info(name, members)
    tags = _check_metadata(name, members, dist_info)
    data_folder = f"{dist_info[: -len('.dist-info')]}.data"
    files: dict[str, WheelFile] = {}
    dropped = []
    for member, (content, executable) in members.items():
        target = _target(name, member, root, data_folder)
        if target is None:
            dropped.append(member)
        elif member in (f"{dist_info}/RECORD", f"{dist_info}/INSTALLER"):
            continue
        elif target in files:
            raise UserError(
                f"wheel `{name}` puts two files at `{target}`. It is broken: use another version."
            )
        else:
            files[target] = WheelFile(target, content, executable)
    installer = f"{_join(root, dist_info)}/INSTALLER"
    files[installer] = WheelFile(installer, INSTALLER, False)
    return Wheel(
        [files[target] for target in sorted(files)], sorted(dropped), tags, _join(root, dist_info)
    )


def installed_record(wheel: Wheel, root: str, files: Iterable[tuple[str, bytes, int]]) -> WheelFile:
    """The RECORD of an installed wheel.

    files: (path relative to the image's root, sha256 digest, size in bytes) of every other file.
    """
    import base64

    path = f"{wheel.dist_info}/RECORD"
    rows = [f"{_field(os.path.relpath(path, root or '.'))},,"]
    for target, digest, size in files:
        encoded = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        rows.append(f"{_field(os.path.relpath(target, root or '.'))},sha256={encoded},{size}")
    rows.sort()
    content = "".join(f"{row}\n" for row in rows).encode("utf-8", "surrogateescape")
    return WheelFile(path, content, False)


def _field(text: str) -> str:
    """A field of a CSV line."""
    if any(character in text for character in ',"\r\n'):
        return '"' + text.replace('"', '""') + '"'
    return text


def _join(root: str, path: str) -> str:
    return f"{root}/{path}" if root else path


def _target(name: str, member: str, root: str, data_folder: str) -> str | None:
    """Where a member goes in the image, None where it is left out."""
    if not member.startswith(f"{data_folder}/"):
        return _join(root, member)
    scheme, _, rest = member[len(data_folder) + 1 :].partition("/")
    if scheme in ("purelib", "platlib") and rest:
        return _join(root, rest)
    if scheme == "data" and rest:
        return rest
    if scheme in ("scripts", "headers") and rest:
        return None
    raise UserError(
        f"wheel `{name}` has `{member}`: `{scheme}` is no installation scheme; expected purelib, "
        "platlib, data, scripts or headers. It is broken: use another version."
    )


def _dist_info(name: str, members: Iterable[str]) -> str:
    """The name of the wheel's metadata folder."""
    found = sorted(
        {m.partition("/")[0] for m in members if m.partition("/")[0].endswith(".dist-info")}
    )
    if len(found) > 1:
        project = _normal(name.split("-")[0])
        found = [folder for folder in found if _normal(folder.split("-")[0]) == project] or found
    if len(found) != 1:
        what = (
            f"several .dist-info folders ({', '.join(found)})" if found else "no .dist-info folder"
        )
        raise UserError(
            f"wheel `{name}` has {what}; expected exactly one. It is broken, or no wheel: "
            "use another version of the project."
        )
    return found[0]


def _normal(project: str) -> str:
    return project.replace("-", "_").replace(".", "_").lower()


def _check_metadata(name: str, members: dict[str, tuple[bytes, bool]], dist_info: str) -> list[str]:
    """Checks the wheel's version of the format; returns its tags."""
    for required in ("WHEEL", "METADATA"):
        if f"{dist_info}/{required}" not in members:
            raise UserError(
                f"wheel `{name}` has no `{dist_info}/{required}`. "
                "It is broken: use another version."
            )
    version = ""
    tags = set()
    for line in members[f"{dist_info}/WHEEL"][0].decode("utf-8", "replace").splitlines():
        key, _, value = line.partition(":")
        value = value.strip()
        if key.lower() == "wheel-version":
            version = value
        elif key.lower() == "tag":
            tags.update(_single_tags(value))
    if version.partition(".")[0] != "1":
        found = f"version `{version}`" if version else "no Wheel-Version"
        raise UserError(
            f"wheel `{name}` is of {found} of the wheel format; versions 1.x are understood. "
            "Use another version of the project."
        )
    return sorted(tags)


def _single_tags(tag: str) -> list[str]:
    """`py2.py3-none-any` stands for two tags."""
    parts = tag.split("-")
    if len(parts) != 3:
        return [tag]
    return [
        f"{python}-{abi}-{platform}"
        for python in parts[0].split(".")
        for abi in parts[1].split(".")
        for platform in parts[2].split(".")
    ]


def _members_of_folder(path: str) -> dict[str, tuple[bytes, bool]]:
    return {entry.path: (entry.content, entry.executable) for entry in read_tree(path)}


def _members_of_archive(path: str) -> dict[str, tuple[bytes, bool]]:
    import zipfile
    import zlib

    name = os.path.basename(path)
    try:
        with zipfile.ZipFile(path) as archive:
            return _read_archive(name, archive)
    except FileNotFoundError:
        raise UserError(f"there is no wheel at `{path}`.") from None
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, OSError) as error:
        raise UserError(
            f"wheel `{name}` cannot be read: {error}. The file is damaged or no wheel: "
            "fetch it again, or use another version of the project."
        ) from error


def _read_archive(name: str, archive: ZipFile) -> dict[str, tuple[bytes, bool]]:
    members: dict[str, tuple[bytes, bool]] = {}
    infos = [info for info in archive.infolist() if not info.is_dir()]
    total = sum(info.file_size for info in infos)
    if total > SIZE_LIMIT:
        raise UserError(
            f"wheel `{name}` unpacks to {total} bytes; at most {SIZE_LIMIT} are accepted."
        )
    for info in infos:
        _check_member(name, info)
        if info.filename in members:
            raise UserError(
                f"wheel `{name}` has two members `{info.filename}`. It is broken: "
                "use another version."
            )
        mode = info.external_attr >> 16
        members[info.filename] = (archive.read(info), bool(mode & 0o111))
    return members


def _check_member(name: str, info: ZipInfo) -> None:
    member = info.filename
    problem = ""
    if (
        member.startswith("/")
        or "\\" in member
        or not {"", ".", ".."}.isdisjoint(member.split("/"))
    ):
        problem = "leaves the wheel's tree or is no plain relative path"
    elif stat.S_IFMT(info.external_attr >> 16) not in (0, stat.S_IFREG):
        problem = "is no regular file"
    elif info.flag_bits & 1:
        problem = "is encrypted"
    if problem:
        raise UserError(
            f"wheel `{name}` has the member `{member}`, which {problem}. It is refused: "
            "use another version of the project."
        )
