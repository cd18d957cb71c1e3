"""For tests: small archives in the format of python-build-standalone's full archives, whole or
broken in chosen ways. The shapes are those of real `PYTHON.json` files, with few entries.
"""

from __future__ import annotations

import copy
import io
import json
import tarfile
from typing import Any, Iterable, List, Mapping, Optional, Tuple, Union

import zstandard

MUSL = "x86_64-unknown-linux-musl"
GNU = "x86_64-unknown-linux-gnu"
STDLIB = "install/lib/python3.13"
HACL = "build/Modules/_hacl/Hacl_Hash_SHA2.o"

Link = Mapping[str, Any]


def variant(name: str, links: Iterable[Link] = (), **fields: Any) -> List[dict[str, Any]]:
    """An extension's entry, as `build_info.extensions` has it."""
    return [
        {
            "in_core": False,
            "init_fn": f"PyInit_{name}",
            "links": list(links),
            "objs": [f"build/Modules/{name}.o"],
            "required": False,
            "variant": "default",
            **fields,
        }
    ]


def static_link(name: str) -> Link:
    return {"name": name, "path_static": f"build/lib/lib{name}.a"}


def python_json(**changes: Any) -> dict[str, Any]:
    """The metadata of a static musl build, with the defects that every released one has.

    `changes` replace keys of the top level; `build_info` is merged into the one that is here.
    """
    build_info = {
        "object_file_format": "elf",
        "inittab_object": "build/Modules/config.o",
        "inittab_source": "build/Modules/config.c",
        "inittab_cflags": ["-std=c99", "-DNDEBUG", "-DPy_BUILD_CORE"],
        "core": {
            "objs": [
                "build/Objects/abstract.o",
                "build/Python/frozen.o",
                "build/Modules/config.o",  # the table that is replaced
                "build/Modules/main.o",
                "build/Objects/abstract.o",  # twice
            ],
            "links": [{"name": "dl", "system": True}, {"name": "dl", "system": True}],
            # Says gnu in archives for musl, and names no file.
            "static_lib": f"{STDLIB}/config-3.13-x86_64-linux-gnu/libpython3.13.a",
        },
        "extensions": {
            "_ssl": variant(
                "_ssl",
                [static_link("crypto"), static_link("ssl"), static_link("crypto")],
                licenses=["Apache-2.0", "OpenSSL"],
                license_paths=[
                    "licenses/LICENSE.openssl-1.1.txt",
                    "licenses/LICENSE.openssl-3.txt",
                ],
                license_public_domain=False,
            ),
            "zlib": variant(
                "zlib",
                [static_link("z")],
                licenses=["Zlib"],
                license_paths=["licenses/LICENSE.zlib-ng.txt", "licenses/LICENSE.zlib.txt"],
            ),
            "_sha2": variant("_sha2"),  # its HACL object is listed nowhere
            "math": variant("math", [{"name": "m", "system": True}]),
            "posix": variant("posix", required=True),
            "sys": variant("sys", init_fn="NULL", objs=[], in_core=True),
        },
    }
    content: dict[str, Any] = {
        "version": "8",
        "target_triple": MUSL,
        "build_options": "noopt+static",
        "optimizations": "noopt+static",
        "python_tag": "cp313",
        "python_version": "3.13.15",
        "python_major_minor_version": "3.13",
        "python_abi_tag": "",
        "python_implementation_name": "cpython",
        "python_implementation_hex_version": 51187696,
        "python_bytecode_magic_number": "f30d0d0a",
        "python_config_vars": {"WITH_MIMALLOC": "1", "prefix": "/install"},
        "python_exe": "install/bin/python3.13",
        "python_paths": {
            "stdlib": STDLIB,
            "purelib": f"{STDLIB}/site-packages",
            "include": "install/include/python3.13",
        },
        "python_stdlib_platform_config": f"{STDLIB}/config-3.13-x86_64-linux-musl",
        "python_stdlib_test_packages": ["test", "idlelib.idle_test"],
        "crt_features": ["static"],
        "licenses": ["Python-2.0", "CNRI-Python"],
        "license_path": "licenses/LICENSE.cpython.txt",
        "run_tests": "build/run_tests.py",
    }
    content = copy.deepcopy({**content, "build_info": build_info})
    content["build_info"].update(changes.pop("build_info", {}))
    content.update(changes)
    return content


def named_files(content: Mapping[str, Any]) -> List[str]:
    """The files that an archive with this metadata has, sorted: those that real ones have too."""
    build = content["build_info"]
    named = {
        *build["core"]["objs"],
        HACL,
        content["python_exe"],
        f"{STDLIB}/os.py",
        f"{STDLIB}/encodings/__init__.py",
        f"{STDLIB}/test/__init__.py",
        f"{STDLIB}/site-packages/pip/__init__.py",
        f"{STDLIB}/config-3.13-x86_64-linux-musl/Makefile",
        f"{STDLIB}/config-3.13-x86_64-linux-musl/libpython3.13.a",
        "install/include/python3.13/Python.h",
        "build/Programs/python.o",
        "licenses/LICENSE.cpython.txt",
        "licenses/LICENSE.openssl-1.1.txt",
        "licenses/LICENSE.openssl-3.txt",
        "licenses/LICENSE.zlib.txt",
    }
    for (one,) in build["extensions"].values():
        named |= set(one["objs"])
        named |= {link["path_static"] for link in one["links"] if "path_static" in link}
    return sorted(named)


Entry = Tuple[Union[str, tarfile.TarInfo], bytes]


def link(name: str, target: str, kind: bytes = tarfile.SYMTYPE) -> Entry:
    """A member that is a link, a device, a FIFO, ... of the kind `tarfile` names."""
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info, b""


def tar(entries: Iterable[Entry]) -> bytes:
    """A tar archive of the given members, in their order."""
    output = io.BytesIO()
    with tarfile.open(fileobj=output, mode="w") as archive:
        for name, content in entries:
            info = tarfile.TarInfo(name) if isinstance(name, str) else name
            if info.isreg():
                info.size = len(content)
                if "/bin/" in info.name:
                    info.mode = 0o755
            archive.addfile(info, io.BytesIO(content))
    return output.getvalue()


def entries(content: Optional[Mapping[str, Any]] = None, interpreter: bytes = b"") -> List[Entry]:
    """The members of a whole archive: metadata first, the rest sorted, one symbolic link.

    `interpreter` is what the program `python3.13` consists of.
    """
    content = python_json() if content is None else content
    members: List[Entry] = [("python/PYTHON.json", json.dumps(content, indent=1).encode())]
    for name in named_files(content):
        text = interpreter if name == content["python_exe"] else f"/* {name} */\n".encode()
        members.append((f"python/{name}", text))
    return [*members, link("python/install/bin/python3", "python3.13")]


def compress(data: bytes, **options: Any) -> bytes:
    return zstandard.ZstdCompressor(**options).compress(data)


def archive(
    content: Optional[Mapping[str, Any]] = None, *more: Entry, interpreter: bytes = b""
) -> bytes:
    """A `.tar.zst` with `content` as its PYTHON.json, and `more` members at its end."""
    return compress(tar([*entries(content, interpreter), *more]))
