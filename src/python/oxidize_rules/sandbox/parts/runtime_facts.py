"""What every executable contains beside Python: the C library, the compiler's and our own runtime.

    python -m oxidize_rules.sandbox.parts.runtime_facts OUTPUT --libc musl|glibc --texts FOLDER
        --zig FOLDER --zig-version VERSION [--musl-license FILE --musl-version VERSION]

FOLDERs: the texts of `oxidize_rules.texts`; zig's tree (`ziglang`), whose licence texts are taken.
OUTPUT becomes a folder as sandbox/parts/facts.py describes it. Paths of objects and archives begin
with `sysroot/` where they are of the sysroot, and with `runtime/` where they are our own.

Sources of the licences:

- musl: its COPYRIGHT ("musl as a whole is licensed under ... the MIT license").
- compiler-rt is zig's, written in Zig: LICENSE of zig (MIT), and the notices at the head of
  lib/compiler_rt/*.zig, which name LLVM's compiler-rt (Apache-2.0 WITH LLVM-exception) and musl's
  mathematical functions (MIT) as what they were ported from.
- glibc's start objects and libc_nonshared.a: the notices at the head of sysdeps/x86_64/start.S,
  csu/elf-init-2.33.c and stdlib/atexit.c of glibc, which permit to link them into any program.
- gcc's libraries: COPYING.RUNTIME of gcc.
"""

from __future__ import annotations

import argparse
import os
import re
from typing import Any, Dict, Optional

from oxidize_rules.sandbox.errors import run
from oxidize_rules.sandbox.parts import facts
from oxidize_rules.sandbox.parts.facts import Texts, new_part

GCC_VERSION = "10.2.1"  # of util_rules/gcc_libraries.py
GLIBC_NOTICES = ("lib/libc/glibc/sysdeps/x86_64/start.S", "lib/libc/glibc/sysdeps/aarch64/start.S")


def read(path: str) -> bytes:
    with open(path, "rb") as stream:
        return stream.read()


def first_comment(source: str) -> str:
    """The notice at the head of a C or assembler file."""
    match = re.search(r"/\*(.*?)\*/", source, re.DOTALL)
    if match is None:
        raise ValueError("the file has no comment at its head")
    lines = match.group(1).strip().splitlines()
    return "\n".join(line.strip() for line in lines) + "\n"


def musl(version: Optional[str], license: str, texts: Texts) -> Dict[str, Any]:
    return new_part(
        "libc:musl",
        "musl",
        version=version,
        license="MIT",
        license_from="COPYRIGHT of musl",
        texts=[["COPYRIGHT", texts.add(read(license))]],
        purl=f"pkg:generic/musl@{version}",
        supplier="Rich Felker, et al.",
        homepage="https://musl.libc.org",
        download=f"https://musl.libc.org/releases/musl-{version}.tar.gz",
        archives=["sysroot/lib/libc.a", "sysroot/lib/libmalloc.a"],
        objects=["sysroot/lib/*.o"],
    )


def glibc(zig: str, texts: Texts) -> Dict[str, Any]:
    """Not glibc itself, which is the machine's: what glibc has each program linked with."""
    path = next((one for one in GLIBC_NOTICES if os.path.isfile(f"{zig}/{one}")), None)
    if path is None:
        raise RuntimeError(f"zig's tree has none of {', '.join(GLIBC_NOTICES)}")
    notice = first_comment(read(f"{zig}/{path}").decode("utf-8", "replace"))
    return new_part(
        "libc:glibc",
        "glibc's start objects",
        license="LGPL-2.1-or-later WITH GCC-exception-2.0-note",
        license_from="the notices at the head of their sources",
        texts=[[os.path.basename(path), texts.add(notice.encode())]],
        purl="pkg:generic/glibc",
        supplier="Free Software Foundation",
        homepage="https://www.gnu.org/software/libc/",
        archives=["sysroot/lib/libc_nonshared.a"],
        objects=["sysroot/lib/*.o"],
    )


def compiler_runtime(zig: str, version: str, texts: Texts) -> Dict[str, Any]:
    return new_part(
        "compiler-runtime:compiler-rt",
        "zig's compiler_rt",
        version=version,
        license="MIT AND Apache-2.0 WITH LLVM-exception",
        license_from="LICENSE of zig, and the notices in lib/compiler_rt",
        texts=[
            ["LICENSE of zig", texts.add(read(f"{zig}/LICENSE"))],
            ["LICENSE.TXT of LLVM", texts.add(read(f"{zig}/lib/libunwind/LICENSE.TXT"))],
        ],
        purl=f"pkg:generic/zig@{version}",
        supplier="Zig contributors",
        homepage="https://ziglang.org",
        archives=["sysroot/lib/libcompiler_rt.a"],
    )


def gcc(folder: str, texts: Texts) -> Dict[str, Any]:
    return new_part(
        "library:gcc-runtime",
        "gcc's libstdc++ and libgcc_s",
        version=GCC_VERSION,
        license="GPL-3.0-or-later WITH GCC-exception-3.1",
        license_from="COPYING.RUNTIME of gcc",
        texts=[
            [name, texts.add(read(f"{folder}/{name}"))]
            for name in ("GPL-3.0.txt", "GCC-exception-3.1.txt")
        ],
        purl=f"pkg:generic/gcc@{GCC_VERSION}",
        supplier="Free Software Foundation",
        homepage="https://gcc.gnu.org",
        component="library:gcc",
        drop="set `[oxidize-gcc-libraries].embed` to false",
    )


def own_runtime(folder: str, texts: Texts) -> Dict[str, Any]:
    return new_part(
        "runtime:oxidize_rules",
        "oxidize_rules",
        license="MIT",
        license_from="LICENSE of oxidize_rules",
        texts=[["LICENSE", texts.add(read(f"{folder}/oxidize_rules.txt"))]],
        purl="pkg:generic/oxidize_rules",
        supplier="The oxidize_rules authors",
        objects=["runtime/*.o", "inittab.o", "package_note.o"],
    )


def main(argv: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="runtime_facts")
    parser.add_argument("output")
    parser.add_argument("--libc", choices=("musl", "glibc"), required=True)
    parser.add_argument("--texts", required=True)
    parser.add_argument("--zig", required=True)
    parser.add_argument("--zig-version", required=True)
    parser.add_argument("--musl-license")
    parser.add_argument("--musl-version")
    options = parser.parse_args(argv)
    texts = Texts()
    parts = [
        compiler_runtime(options.zig, options.zig_version, texts),
        own_runtime(options.texts, texts),
    ]
    if options.libc == "musl":
        parts.append(musl(options.musl_version, options.musl_license, texts))
    else:
        parts += [glibc(options.zig, texts), gcc(options.texts, texts)]
    os.makedirs(options.output, exist_ok=True)
    facts.write(options.output, parts, texts)


if __name__ == "__main__":
    run(main)
