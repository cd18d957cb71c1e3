"""The archive of a small made-up build, and how the build's own files are read."""

from __future__ import annotations

import io
import json
import os
import tarfile
from pathlib import Path
from typing import Any, Callable

import pytest
import zstandard

from oxidize_rules.sandbox.distribution.distribution_archive import (
    MODIFICATION_TIME,
    Makefile,
    Target,
    create_archive,
    main,
    parse_inittab,
    parse_setup,
)
from oxidize_rules.sandbox.errors import UserError

MUSL = Target("x86_64-unknown-linux-musl", None)
GNU = Target("x86_64-unknown-linux-gnu", "2.17")

CONFIG_C_IN = """
struct _inittab _PyImport_Inittab[] = {
/* -- ADDMODULE MARKER 2 -- */
    {"marshal", PyMarshal_Init},
    {"builtins", NULL},
    /* Sentinel */
    {0, 0}
};
"""
MODULES = "_sha2 _ssl posix _decimal _sqlite3"
CONFIG_C = CONFIG_C_IN.replace(
    "/* -- ADDMODULE MARKER 2 -- */",
    "\n".join(f'    {{"{name}", PyInit_{name}}},' for name in MODULES.split()),
)
SETUP_STDLIB = """\
# -*- makefile -*-
*static*
_sha2 sha2module.c -I$(srcdir)/Modules/_hacl/include Modules/_hacl/libHacl_Hash_SHA2.a
_decimal _decimal/_decimal.c
_ssl _ssl.c      # comment
_sqlite3 _sqlite/module.c \\
    _sqlite/row.c
*shared*
_testcapi _testcapimodule.c
"""
SETUP_BOOTSTRAP = """\
posix posixmodule.c
"""
MAKEFILE = """\
srcdir=.
LIBMPDEC_A= Modules/_decimal/libmpdec/libmpdec.a
LIBMPDEC_OBJS= \\
\t\tModules/_decimal/libmpdec/io.o \\
\t\tModules/_decimal/libmpdec/mpalloc.o
LIBHACL_SHA2_A= Modules/_hacl/libHacl_Hash_SHA2.a
LIBHACL_SHA2_OBJS= Modules/_hacl/Hacl_Hash_SHA2.o
LIBS=\t\t-ldl
LIBM=\t\t-lm
SYSLIBS=\t$(LIBM)
MODULE__DECIMAL_LDFLAGS=-lm $(LIBMPDEC_A)
MODULE__SSL_LDFLAGS=-L/build/deps/lib -lssl -lcrypto -lssl -lcrypto
MODULE__SQLITE3_LDFLAGS=-lsqlite3 -lm

$(LIBMPDEC_A): $(LIBMPDEC_OBJS)
\t-rm -f $@

$(LIBHACL_SHA2_A): $(LIBHACL_SHA2_OBJS)
"""
OBJECTS = (
    "Modules/config.o",
    "Modules/getpath.o",
    "Modules/sha2module.o",
    "Modules/_hacl/Hacl_Hash_SHA2.o",
    "Modules/_decimal/_decimal.o",
    "Modules/_decimal/libmpdec/io.o",
    "Modules/_decimal/libmpdec/mpalloc.o",
    "Modules/_ssl.o",
    "Modules/_sqlite/module.o",
    "Modules/_sqlite/row.o",
    "Modules/posixmodule.o",
    "Objects/abstract.o",
    "Parser/lexer/lexer.o",
    "Python/ceval.o",
    "Programs/python.o",
)
PLATFORM_CONFIG = "install/lib/python3.13/config-3.13-x86_64-linux-musl"
SAID = {
    "abi_tag": "",
    "bytecode_magic_number": "f30d0d0a",
    "config_vars": {"LIBPL": f"/{PLATFORM_CONFIG}"},
    "implementation_cache_tag": "cpython-313",
    "implementation_hex_version": 51185136,
    "implementation_name": "cpython",
    "implementation_version": ["3", "13", "5", "final", "0"],
    "paths": {"stdlib": "install/lib/python3.13", "scripts": "install/bin"},
    "paths_abstract": {"stdlib": "{installed_base}/lib"},
    "platform_tag": "linux-x86_64",
    "suffixes": {"source": [".py"]},
    "version": "3.13.5",
}


def put(root: Path, files: dict[str, str]) -> None:
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)


@pytest.fixture
def make_build() -> Callable[[Path], tuple[Path, Path]]:
    def make(root: Path) -> tuple[Path, Path]:
        put(
            root / "out",
            {
                "sysconfig.json": json.dumps(SAID),
                "build/Modules/config.c": CONFIG_C,
                "build/Modules/config.c.in": CONFIG_C_IN,
                "build/Modules/Setup": "# nothing\n",
                "build/Modules/Setup.bootstrap": SETUP_BOOTSTRAP,
                "build/Modules/Setup.local": SETUP_STDLIB,
                "build/Modules/Setup.stdlib": SETUP_STDLIB,
                **{f"build/{name}": name for name in OBJECTS},
                f"{PLATFORM_CONFIG}/Makefile": MAKEFILE,
                f"{PLATFORM_CONFIG}/libpython3.13.a": "!<arch>\n",
                "install/bin/python3.13": "program",
                "install/lib/python3.13/os.py": "",
                "install/lib/python3.13/__pycache__/os.cpython-313.pyc": "bytecode",
                "licenses/LICENSE.cpython.txt": "PSF",
                "licenses/LICENSE.mpdecimal.txt": "BSD",
            },
        )
        (root / "out/install/bin/python3").symlink_to("python3.13")
        put(
            root / "deps",
            {
                **{f"lib/lib{name}.a": name for name in ("ssl", "crypto", "sqlite3")},
                "licenses/LICENSE.openssl-3.txt": "Apache",
                "licenses/LICENSE.sqlite.txt": "blessing",
            },
        )
        return root / "out", root / "deps"

    return make


def read(archive: Path) -> list[tuple[tarfile.TarInfo, bytes]]:
    data = zstandard.ZstdDecompressor().stream_reader(archive.read_bytes()).read()
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        members = []
        for member in tar:
            content = tar.extractfile(member) if member.isfile() else None
            members.append((member, content.read() if content else b""))
        return members


Build = Callable[[Path], "tuple[Path, Path]"]


def extensions(description: dict[str, Any]) -> dict[str, Any]:
    return {name: entry for name, (entry,) in description["build_info"]["extensions"].items()}


def test_the_archive_begins_with_its_description(tmp_path: Path, make_build: Build) -> None:
    output = tmp_path / "x.tar.zst"
    description = create_archive(*make_build(tmp_path), MUSL, output)
    members = read(output)
    names = [member.name for member, _ in members]
    assert names[:2] == ["python/PYTHON.json", "python/build/run_tests.py"]
    assert names[2:] == sorted(names[2:])
    assert json.loads(members[0][1]) == description
    assert description["version"] == "8"
    assert {"python/build/Programs/python.o", "python/build/lib/libssl.a"} <= set(names)
    assert not [name for name in names if name.endswith(".pyc")]
    by_name = {member.name: member for member, _ in members}
    assert by_name["python/install/bin/python3"].linkname == "python3.13"
    assert by_name["python/install/bin/python3.13"].mode == 0o755
    assert by_name["python/build/lib/libssl.a"].mode == 0o644
    assert {(m.mtime, m.uid, m.gid) for m, _ in members} == {(MODIFICATION_TIME, 0, 0)}
    assert not list(tmp_path.glob("*.partial"))


def test_objects_and_libraries_are_those_of_the_build(tmp_path: Path, make_build: Build) -> None:
    description = create_archive(*make_build(tmp_path), MUSL, tmp_path / "x.tar.zst")
    info = description["build_info"]
    assert info["core"]["objs"] == [
        "build/Modules/config.o",
        "build/Modules/getpath.o",
        "build/Objects/abstract.o",
        "build/Parser/lexer/lexer.o",
        "build/Python/ceval.o",
    ]
    assert [link["name"] for link in info["core"]["links"]] == ["dl", "m"]
    assert info["core"]["static_lib"] == f"{PLATFORM_CONFIG}/libpython3.13.a"
    found = extensions(description)
    assert set(found) == {*MODULES.split(), "marshal", "builtins"}
    assert found["builtins"] == {
        "in_core": True,
        "init_fn": "NULL",
        "links": [],
        "objs": [],
        "required": False,
        "variant": "default",
    }
    assert found["posix"]["required"]
    assert found["_sha2"]["objs"] == [
        "build/Modules/sha2module.o",
        "build/Modules/_hacl/Hacl_Hash_SHA2.o",
    ]
    assert found["_decimal"]["objs"][1:] == [
        "build/Modules/_decimal/libmpdec/io.o",
        "build/Modules/_decimal/libmpdec/mpalloc.o",
    ]
    assert found["_decimal"]["links"] == [{"name": "m", "system": True}]
    assert found["_sqlite3"]["objs"] == [
        "build/Modules/_sqlite/module.o",
        "build/Modules/_sqlite/row.o",
    ]
    assert found["_ssl"]["links"] == [
        {"name": "ssl", "path_static": "build/lib/libssl.a"},
        {"name": "crypto", "path_static": "build/lib/libcrypto.a"},
    ]


def test_licenses(tmp_path: Path, make_build: Build) -> None:
    found = extensions(create_archive(*make_build(tmp_path), MUSL, tmp_path / "x.tar.zst"))
    assert found["_ssl"]["licenses"] == ["Apache-2.0"]
    assert found["_ssl"]["license_paths"] == ["licenses/LICENSE.openssl-3.txt"]
    assert found["_sqlite3"]["licenses"] == []
    assert found["_sqlite3"]["license_public_domain"] is True
    assert found["_decimal"]["licenses"] == ["BSD-2-Clause"]
    assert "licenses" not in found["posix"]


@pytest.mark.parametrize(
    ("target", "options", "features", "loading", "core"),
    [
        (MUSL, "noopt+static", ["static"], ["builtin"], ["dl", "m"]),
        (
            GNU,
            "noopt",
            ["glibc-dynamic", "glibc-max-symbol-version:2.17"],
            ["builtin", "shared-library"],
            ["dl", "m", "pthread", "rt", "util"],
        ),
    ],
)
def test_what_depends_on_libc(
    tmp_path: Path,
    make_build: Build,
    target: Target,
    options: str,
    features: list[str],
    loading: list[str],
    core: list[str],
) -> None:
    description = create_archive(*make_build(tmp_path), target, tmp_path / "x.tar.zst")
    assert description["target_triple"] == target.triple
    assert description["build_options"] == options
    assert description["crt_features"] == features
    assert description["python_extension_module_loading"] == loading
    assert [link["name"] for link in description["build_info"]["core"]["links"]] == core


def test_same_bytes_from_another_folder_at_another_time(tmp_path: Path, make_build: Build) -> None:
    archives = []
    for name, when, mode in (("a", 10**9, 0o644), ("folder with blanks", 10**8, 0o755)):
        trees = make_build(tmp_path / name)
        for tree in trees:
            for path in tree.rglob("*"):
                if path.is_file() and not path.is_symlink():
                    path.chmod(mode)
                os.utime(path, (when, when), follow_symlinks=False)
        output = tmp_path / f"{name}.tar.zst"
        create_archive(*trees, MUSL, output)
        archives.append(output.read_bytes())
    assert archives[0] == archives[1]


def test_a_missing_license_is_named(tmp_path: Path, make_build: Build) -> None:
    build, libraries = make_build(tmp_path)
    (libraries / "licenses/LICENSE.openssl-3.txt").unlink()
    with pytest.raises(UserError, match=r"licenses/LICENSE\.openssl-3\.txt"):
        create_archive(build, libraries, MUSL, tmp_path / "x.tar.zst")
    assert not list(tmp_path.glob("x.tar.zst*"))


def test_a_missing_library_is_named(tmp_path: Path, make_build: Build) -> None:
    build, libraries = make_build(tmp_path)
    (libraries / "lib/libcrypto.a").unlink()
    with pytest.raises(UserError, match=r"build/lib/libcrypto\.a"):
        create_archive(build, libraries, MUSL, tmp_path / "x.tar.zst")


def test_a_library_of_unknown_license_is_refused(tmp_path: Path, make_build: Build) -> None:
    build, libraries = make_build(tmp_path)
    makefile = build / PLATFORM_CONFIG / "Makefile"
    makefile.write_text(MAKEFILE.replace("-lsqlite3", "-lsqlite3 -lgdbm"))
    with pytest.raises(UserError, match=r"_sqlite3 needs the library gdbm"):
        create_archive(build, libraries, MUSL, tmp_path / "x.tar.zst")


def test_a_module_without_sources_is_refused(tmp_path: Path, make_build: Build) -> None:
    build, libraries = make_build(tmp_path)
    (build / "build/Modules/Setup.bootstrap").write_text("")
    with pytest.raises(UserError, match=r"The module posix"):
        create_archive(build, libraries, MUSL, tmp_path / "x.tar.zst")


def test_glibc_needs_a_floor() -> None:
    with pytest.raises(UserError, match=r"--glibc-floor"):
        main(["--build=b", "--libraries=l", f"--target-triple={GNU.triple}", "--output=o"])


def test_makefile_variables() -> None:
    makefile = Makefile("A=\tx $(B) \\\n\t${C}\nB= y\nC=$(D)\n$(A) z: p $(B); command\nt:=u\n")
    assert makefile.get("A") == "x y"
    assert makefile.prerequisites("z") == ["p", "y"]
    assert makefile.prerequisites("t") == []
    with pytest.raises(ValueError, match="contains itself"):
        Makefile("A=$(A)").get("A")


def test_only_static_modules_of_a_setup_file_count() -> None:
    lines = parse_setup(
        "X = 1\na a.c -lz\n*shared*\nb b.c\n*static*\nc d/c.c\n*disabled*\ne\n", Makefile("")
    )
    assert list(lines) == ["a", "c"]
    assert lines["a"].libraries == ("z",)
    assert lines["c"].objects == ("Modules/d/c.o",)


def test_inittab() -> None:
    assert parse_inittab(CONFIG_C_IN) == {"marshal": "PyMarshal_Init", "builtins": None}
    with pytest.raises(ValueError, match="no table"):
        parse_inittab("int main;")
