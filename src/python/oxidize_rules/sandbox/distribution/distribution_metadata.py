"""Reads a distribution's PYTHON.json and writes what the build needs of it, checked and mended.

    python -m oxidize_rules.sandbox.distribution.distribution_metadata PYTHON.json MEMBERS OUTPUT
        [--target-triple TRIPLE]

MEMBERS is the list of the archive's files (see `unpack.py`). OUTPUT is JSON with the fields of
`util_rules/distribution.py: PythonDistribution`.

The format is python-build-standalone's (docs/distributions.rst there), versions 7 and 8. Unknown
keys and nulls are tolerated, as are the defects that released archives are known to have:

- `core.static_lib` and `core.shared_lib` name files that do not exist: they are not used;
- `object_file_format` has a stray `%`, `glibc-max-symbol-version` a stray `)`;
- objects of the HACL* hashes belong to no extension and are not listed at all;
- the object with the table of built-in modules is among the core's objects;
- objects are listed twice;
- `license_paths` name files that were not packed, and both OpenSSL licences where only version 3 of
  OpenSSL is linked.
"""

from __future__ import annotations

import argparse
import json
import re
from typing import Any, Dict, List, Optional, Sequence, Set, Tuple

from oxidize_rules.sandbox.errors import UserError, run

FORMAT_VERSIONS = ("7", "8")
TRIPLE = re.compile(r"(x86_64(?:_v[234])?|aarch64)-unknown-linux-(musl|gnu)")
SHOWN = 5

# Test packages of the standard library where the archive does not say (as of CPython 3.13).
TEST_PACKAGES = ("test", "idlelib.idle_test", "lib2to3.tests", "tkinter.test", "unittest.test")


def expect(condition: object, found: str, expected: str, remedy: str) -> None:
    if not condition:
        raise UserError(f"PYTHON.json: found {found}, expected {expected}. {remedy}")


def machine_triple(triple: str) -> str:
    """The triple without x86_64's micro-architecture level. Raises UserError if unsupported."""
    match = TRIPLE.fullmatch(triple)
    if match is None:
        foreign = "windows" in triple or "apple" in triple
        scope = "Windows and macOS are outside the scope." if foreign else "Use one of those."
        raise UserError(
            f"PYTHON.json: found the target triple `{triple}`, expected x86_64 or aarch64, with "
            f"-unknown-linux-musl or -unknown-linux-gnu. {scope}"
        )
    return f"{match.group(1).split('_v')[0]}-unknown-linux-{match.group(2)}"


def text(content: Dict[str, Any], key: str) -> str:
    value = content.get(key)
    expect(
        isinstance(value, str) and value,
        f"no `{key}`" if value is None else f"`{key}` = {value!r}",
        "a string",
        "The archive is not a full one in python-build-standalone's format.",
    )
    return str(value)


def object_file_format(value: str) -> str:
    """ "elf", or "llvm-bitcode:<version>"."""
    if value == "elf":
        return value
    match = re.fullmatch(r"llvm-bitcode:%?(\d+(?:\.\d+)*)", value)
    if match is None:
        raise UserError(
            f"PYTHON.json: found the object file format `{value}`, expected `elf` or "
            "`llvm-bitcode:<version>`. Objects of another system cannot be linked."
        )
    return f"llvm-bitcode:{match.group(1)}"


def glibc_floor(triple: str, features: Sequence[str]) -> Optional[str]:
    """The oldest glibc for a glibc triple: 2.17 where the archive does not say (its validator's
    bound for both architectures)."""
    if not triple.endswith("-gnu"):
        return None
    for feature in features:
        match = re.match(r"glibc-max-symbol-version:(\d+(?:\.\d+)+)", feature)
        if match:
            return match.group(1)
    return "2.17"


def needs_musl(triple: str, options: str, features: Sequence[str]) -> bool:
    """Whether the interpreter wants musl's dynamic loader on the machine that runs it, which hardly
    any has. Before the release 20250311 static builds were not called so in `build_options`."""
    return triple.endswith("-musl") and "static" not in (*options.split("+"), *features)


class Files:
    """The archive's files, and which of them PYTHON.json names in vain."""

    def __init__(self, members: Sequence[str]) -> None:
        self.all: Set[str] = set(members)
        self.missing: List[str] = []

    def present(self, paths: Sequence[str]) -> List[str]:
        """`paths` each once, in order; those that do not exist are noted."""
        unique = list(dict.fromkeys(paths))
        self.missing += [path for path in unique if path not in self.all]
        return unique


def links_of(links: Optional[Sequence[Dict[str, Any]]]) -> Tuple[List[str], List[str]]:
    """Paths of static libraries, and names of libraries that come with the system."""
    static, system = [], []
    for link in links or ():
        if link.get("path_static"):
            static.append(str(link["path_static"]))
        elif link.get("name"):
            # `:libatomic.a` is the linker's way to name a file.
            named = re.fullmatch(r":lib(.+)\.(?:a|so)", str(link["name"]))
            system.append(named.group(1) if named else str(link["name"]))
    return static, system


def extension(name: str, variants: Sequence[Dict[str, Any]], files: Files) -> Dict[str, Any]:
    default = next((one for one in variants if one.get("variant") == "default"), variants[0])
    static, system = links_of(default.get("links"))
    init_function = default.get("init_fn")
    licenses = [str(one) for one in default.get("licenses") or ()]
    paths = [str(one) for one in default.get("license_paths") or () if one in files.all]
    if "Apache-2.0" in licenses and "OpenSSL" in licenses:
        # The names of its libraries matched both versions of OpenSSL; 3 is linked.
        licenses.remove("OpenSSL")
        paths = [path for path in paths if "openssl-1" not in path]
    return {
        "name": name,
        "init_function": None if init_function in (None, "NULL") else str(init_function),
        "objects": files.present([str(one) for one in default.get("objs") or ()]),
        "static_libraries": files.present(static),
        "system_libraries": list(dict.fromkeys(system)),
        "required": bool(default.get("required")),
        "in_core": bool(default.get("in_core")),
        "licenses": licenses,
        "license_paths": paths,
        "license_public_domain": default.get("license_public_domain"),
    }


def normalize(content: Dict[str, Any], members: Sequence[str]) -> Dict[str, Any]:
    """Raises UserError for what cannot be used."""
    version = content.get("version")
    expect(
        str(version) in FORMAT_VERSIONS,
        f"format version {version!r}",
        f"one of {', '.join(FORMAT_VERSIONS)}",
        "Use an archive of another release, or a newer oxidize_rules.",
    )
    triple = machine_triple(text(content, "target_triple"))
    build = content.get("build_info")
    expect(
        isinstance(build, dict) and isinstance(build.get("core"), dict),
        "no `build_info`",
        "the objects to link",
        "Use a *full* archive: `install_only` ones have no objects.",
    )
    assert isinstance(build, dict)
    options = str(content.get("build_options") or content.get("optimizations") or "")
    abi = str(content.get("python_abi_tag") or "")
    expect(
        "d" not in abi and "debug" not in options.split("+"),
        "a debug build (build option `debug`)",
        "a release build",
        "Its objects are not optimised and need the debug ABI: use `noopt`, `lto` or `pgo+lto`.",
    )
    expect(
        "t" not in abi and "freethreaded" not in options.split("+"),
        "a free-threaded build",
        "a build with the GIL",
        "Use the archive without `freethreaded` in its name.",
    )
    files = Files(members)
    extensions = [
        extension(name, variants, files)
        for name, variants in sorted((build.get("extensions") or {}).items())
        if variants
    ]
    claimed = {path for one in extensions for path in one["objects"]}
    inittab = str(build.get("inittab_object") or "build/Modules/config.o")
    core = [
        path
        for path in files.present([str(one) for one in build["core"].get("objs") or ()])
        if path != inittab and path not in claimed
    ]
    listed = claimed.union(core)
    core += sorted(
        path
        for path in files.all
        if re.fullmatch(r"build/Modules/_hacl/.*\.o", path) and path not in listed
    )
    _, core_system = links_of(build["core"].get("links"))
    features = content.get("crt_features") or ()
    config_vars = content.get("python_config_vars") or {}
    python_version = text(content, "python_version")
    paths = content.get("python_paths") or {}
    result = {
        "target_triple": triple,
        "python_version": python_version,
        "build_options": options,
        "object_file_format": object_file_format(str(build.get("object_file_format"))),
        "glibc_floor": glibc_floor(triple, features),
        "needs_musl": needs_musl(triple, options, features),
        "bytecode_magic": str(content.get("python_bytecode_magic_number") or ""),
        "core_objects": core,
        "core_system_libraries": list(dict.fromkeys(core_system)),
        "extensions": extensions,
        "test_packages": sorted(content.get("python_stdlib_test_packages") or TEST_PACKAGES),
        "has_mimalloc": str(config_vars.get("WITH_MIMALLOC")) == "1",
        "python_exe": text(content, "python_exe"),
        "stdlib_path": str(paths.get("stdlib") or f"install/lib/python{short(python_version)}"),
        "include_path": str(
            paths.get("include") or f"install/include/python{short(python_version)}"
        ),
        "licenses": [str(one) for one in content.get("licenses") or ()],
        "license_path": content.get("license_path"),
    }
    files.present(
        [
            str(result["python_exe"]),
            f"{result['stdlib_path']}/os.py",
            f"{result['include_path']}/Python.h",
        ]
    )
    if files.missing:
        more = f" and {len(files.missing) - SHOWN} more" if len(files.missing) > SHOWN else ""
        raise UserError(
            f"PYTHON.json names files that the archive does not have: "
            f"{', '.join(files.missing[:SHOWN])}{more}. The archive is incomplete: download it "
            "again, or build it again."
        )
    return result


def short(version: str) -> str:
    return ".".join(version.split(".")[:2])


def main(argv: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="distribution_metadata")
    parser.add_argument("metadata")
    parser.add_argument("members")
    parser.add_argument("output")
    parser.add_argument("--target-triple")
    options = parser.parse_args(argv)
    try:
        with open(options.metadata, encoding="utf-8") as stream:
            content = json.load(stream)
    except (ValueError, RecursionError) as error:  # JSON and UTF-8 errors alike
        raise UserError(f"PYTHON.json is not JSON: {error}. The archive is damaged.") from error
    expect(isinstance(content, dict), "a list or a value", "an object", "The archive is damaged.")
    with open(options.members, encoding="utf-8", errors="surrogateescape") as stream:
        members = stream.read().split("\n")[:-1]
    try:
        result = normalize(content, members)
    except (AttributeError, IndexError, KeyError, TypeError) as error:
        raise UserError(
            f"PYTHON.json does not have the shape that its format describes ({error!r}). Use an "
            "archive of python-build-standalone, or one that was written in its format."
        ) from error
    if options.target_triple and options.target_triple != result["target_triple"]:
        raise UserError(
            f"the field `target_triple` is `{options.target_triple}`, but the archive is for "
            f"`{result['target_triple']}`. Correct the field, or use the archive for that target."
        )
    with open(options.output, "w", encoding="utf-8") as stream:
        json.dump(result, stream, indent=1, sort_keys=True)


if __name__ == "__main__":
    run(main)
