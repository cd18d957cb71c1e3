"""Checks that a finished executable runs where it promises to, and is hardened as it should be.

    python -m oxidize_rules.sandbox.linking.portability FILE --target TRIPLE [--glibc-floor 2.17]
        [--export PATTERN]... [--forbid PATH]... [--unstripped] [--json]

Exit code 0: nothing found; 1: findings, one a line (or all as JSON); 2: bad input.

The rules are data (`policy_for`, `RULES`). Their values for glibc follow what glibc 2.17 has
(RHEL 7, 2014) and what python-build-standalone promises for its own archives.
"""

from __future__ import annotations

import fnmatch
import json
import mmap
import os
import re
import sys

from oxidize_rules.sandbox import elf_reader as elf
from oxidize_rules.sandbox.elf_reader import BadElf, ElfFile
from oxidize_rules.sandbox.errors import UserError, run

TYPE_CHECKING = False
if TYPE_CHECKING:  # `typing` itself is not imported: it takes 5 ms
    from collections.abc import Callable, Iterator, Sequence

EXIT_FINDINGS = 1
PYTHON_API = ("Py*", "_Py*")
# glibc's own parts, which every system with glibc has. libresolv and libgcc_s are not among them:
# the first is not needed by Python, the second is absent from small images.
GLIBC_NEEDED = (
    "libc.so.6",
    "libdl.so.2",
    "libm.so.6",
    "libpthread.so.0",
    "librt.so.1",
    "libutil.so.1",
)
DYNAMIC_LINKERS = {
    "x86_64": "/lib64/ld-linux-x86-64.so.2",
    "aarch64": "/lib/ld-linux-aarch64.so.1",
}
# Folders of one build. `/build` is fine: compilers are told to write it for the real folder, so
# that it is the same in every build and says nothing about the machine.
BUILD_FOLDERS = (
    (b"pants-sandbox-", re.compile(rb"[ -~]{0,120}/pants-sandbox-[A-Za-z0-9]{6}[ -~]{0,120}")),
    (b"/immutable_inputs", re.compile(rb"[ -~]{0,120}/immutable_inputs\w{6}/[ -~]{0,120}")),
)
TRIPLE = re.compile(r"(x86_64|aarch64)-unknown-linux-(musl|gnu)")
EXAMPLES = 5


class Policy:
    """What is expected of an executable. `glibc_floor` is None for a static one."""

    def __init__(
        self,
        target_triple: str,
        glibc_floor: str | None,
        *,
        exports: Sequence[str] = PYTHON_API,
        forbidden_paths: Sequence[str] = (),
        stripped: bool = True,
    ) -> None:
        match = TRIPLE.fullmatch(target_triple)
        if match is None:
            raise UserError(
                f"the target triple `{target_triple}` is not known; expected "
                "`<x86_64 or aarch64>-unknown-linux-<musl or gnu>`."
            )
        self.machine, libc = match.group(1), match.group(2)
        self.static = libc == "musl"
        if not self.static and not re.fullmatch(r"2\.\d+", glibc_floor or ""):
            raise UserError(
                f"the glibc floor is `{glibc_floor}`; for {target_triple} a version such as 2.17 "
                "is expected."
            )
        self.glibc_floor = None if self.static else glibc_floor
        self.needed = () if self.static else GLIBC_NEEDED
        self.interpreter = None if self.static else DYNAMIC_LINKERS[self.machine]
        self.exports = tuple(exports)
        self.forbidden_paths = tuple(forbidden_paths)
        self.stripped = stripped


class Finding:
    """One broken rule. `symbol` names the symbol that it is about, where there is one."""

    def __init__(self, rule: str, message: str, symbol: str = "") -> None:
        self.rule, self.message, self.symbol = rule, message, symbol


def _machine(file: ElfFile, policy: Policy) -> Iterator[str]:
    found = elf.MACHINES.get(file.machine, f"machine {file.machine}")
    if found != policy.machine:
        yield f"it is made for {found}, expected {policy.machine}"
    if file.type != elf.ET_DYN:
        yield "it is not position-independent, so its addresses cannot be randomised"


def _interpreter(file: ElfFile, policy: Policy) -> Iterator[str]:
    if file.interpreter == policy.interpreter:
        return
    found = f"the dynamic linker `{file.interpreter}`" if file.interpreter else "no dynamic linker"
    expected = f"`{policy.interpreter}`" if policy.interpreter else "none: it should be static"
    yield f"it asks for {found}, expected {expected}"


def _needed(file: ElfFile, policy: Policy) -> Iterator[str]:
    allowed = set(policy.needed)
    if policy.interpreter:
        allowed.add(os.path.basename(policy.interpreter))
    for library in file.needed:
        if library not in allowed:
            listed = ", ".join(sorted(allowed)) or "none"
            yield f"it needs the shared library {library}; allowed: {listed}"


def _run_path(file: ElfFile, policy: Policy) -> Iterator[str]:
    for value in (*file.values(elf.DT_RPATH), *file.values(elf.DT_RUNPATH)):
        yield f"it looks for libraries in `{file.dynamic_string(value)}` (RPATH)"


def _relro(file: ElfFile, policy: Policy) -> Iterator[str]:
    if file.segment(elf.PT_GNU_RELRO) is None:
        yield "its relocated data stays writable (no PT_GNU_RELRO)"


def _bind_now(file: ElfFile, policy: Policy) -> Iterator[str]:
    flags, flags_1 = file.value(elf.DT_FLAGS) or 0, file.value(elf.DT_FLAGS_1) or 0
    now = flags & elf.DF_BIND_NOW or flags_1 & elf.DF_1_NOW
    if file.dynamic and not now and file.value(elf.DT_BIND_NOW) is None:
        yield "its functions are bound lazily (no BIND_NOW)"


def _stack(file: ElfFile, policy: Policy) -> Iterator[str]:
    segment = file.segment(elf.PT_GNU_STACK)
    if segment is None or segment.flags & elf.PF_X:
        yield "its stack is executable"


def _text_relocations(file: ElfFile, policy: Policy) -> Iterator[str]:
    flags = file.value(elf.DT_FLAGS) or 0
    if flags & elf.DF_TEXTREL or file.value(elf.DT_TEXTREL) is not None:
        yield "its code is changed by relocations when it starts (TEXTREL)"


def _writable_code(file: ElfFile, policy: Policy) -> Iterator[str]:
    for one in file.segments:
        if one.type == elf.PT_LOAD and one.flags & elf.PF_W and one.flags & elf.PF_X:
            yield f"the part at address {one.address:#x} is writable and executable"


def _exports(file: ElfFile, policy: Policy) -> Iterator[str]:
    patterns = [one for one in policy.exports if "*" in one]
    allowed = re.compile("|".join(map(fnmatch.translate, patterns)) or "$^")
    exact = set(policy.exports)
    names = [
        one.name
        for one in file.dynamic_symbols()
        if one.defined and not one.local and not one.hidden
        if one.name not in exact and not allowed.match(one.name)
    ]
    if names:
        more = f" and {len(names) - EXAMPLES} more" if len(names) > EXAMPLES else ""
        yield (
            f"it exports {', '.join(sorted(names)[:EXAMPLES])}{more}; only "
            f"{', '.join(patterns)}{' and the C library' if exact.difference(patterns) else ''} "
            "should be visible to libraries"
        )


def _stripped(file: ElfFile, policy: Policy) -> Iterator[str]:
    if policy.stripped and elf.SHT_SYMTAB in file.section_types():
        yield "it is not stripped"


def _build_folder(file: ElfFile, policy: Policy) -> Iterator[str]:
    found = []
    for word, pattern in BUILD_FOLDERS:
        at = file.data.find(word)
        while at >= 0:
            match = pattern.search(file.data, max(0, at - 120), at + 240)
            if match:
                found.append(match.group().decode())
                break
            at = file.data.find(word, at + 1)
    found += [one for one in policy.forbidden_paths if file.data.find(os.fsencode(one)) >= 0]
    for path in found:
        yield f"it holds a path of the build: `{path}`"


# Name of the rule, and the function that says how a file breaks it.
RULES: tuple[tuple[str, Callable[[ElfFile, Policy], Iterator[str]]], ...] = (
    ("machine", _machine),
    ("interpreter", _interpreter),
    ("needed", _needed),
    ("run-path", _run_path),
    ("relro", _relro),
    ("bind-now", _bind_now),
    ("stack", _stack),
    ("text-relocations", _text_relocations),
    ("writable-code", _writable_code),
    ("exports", _exports),
    ("stripped", _stripped),
    ("build-folder", _build_folder),
)


def version_number(version: str) -> tuple[int, ...]:
    """`GLIBC_2.3.4` and `2.3.4` give (2, 3, 4); what is no version (`GLIBC_PRIVATE`) gives ()."""
    match = re.fullmatch(r"(?:GLIBC_)?(\d+(?:\.\d+)*)", version)
    return tuple(int(part) for part in match.group(1).split(".")) if match else ()


def _symbol_versions(file: ElfFile, policy: Policy) -> Iterator[Finding]:
    """Version nodes count even when no symbol uses them: the loader asks for them all the same."""
    if policy.glibc_floor is None:
        return
    floor = version_number(policy.glibc_floor)

    def why_bad(version: str) -> str:
        number = version_number(version)
        if not number:
            return "which is not a version of glibc's public interface"
        return f"but the glibc floor is {policy.glibc_floor}" if number > floor else ""

    explained = set()
    for symbol in file.dynamic_symbols():
        if symbol.version and why_bad(symbol.version):
            explained.add((symbol.library, symbol.version))
            yield Finding(
                "symbol-version",
                f"it needs {symbol.name} of {symbol.library} in version {symbol.version}, "
                f"{why_bad(symbol.version)}",
                symbol.name,
            )
    for library, version, _ in file.version_needs():
        if why_bad(version) and (library, version) not in explained:
            yield Finding(
                "symbol-version",
                f"it needs version {version} of {library}, {why_bad(version)} (no symbol of that "
                "version is used, but the loader insists on it)",
            )


def check(file: ElfFile, policy: Policy) -> list[Finding]:
    findings = [Finding(name, text) for name, rule in RULES for text in rule(file, policy)]
    return [*findings, *_symbol_versions(file, policy)]


def describe(file: ElfFile) -> dict[str, object]:
    """What the file says about itself, for a report."""
    versions = [version_number(version) for _, version, _ in file.version_needs()]
    highest = max((one for one in versions if one), default=None)
    return {
        "size": len(file.data),
        "machine": elf.MACHINES.get(file.machine, str(file.machine)),
        "interpreter": file.interpreter,
        "needed": file.needed,
        "glibc_symbol_version": ".".join(map(str, highest)) if highest else None,
        "exported_symbols": sum(
            1 for one in file.dynamic_symbols() if one.defined and not one.local and not one.hidden
        ),
    }


def check_file(path: str, policy: Policy) -> tuple[dict[str, object], list[Finding]]:
    """The description and the findings of a file. Raises UserError when it cannot be read."""
    try:
        with (
            open(path, "rb") as stream,
            mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as data,
        ):
            file = ElfFile(data)  # type: ignore[arg-type]
            return describe(file), check(file, policy)
    except (OSError, ValueError) as error:
        raise UserError(f"cannot read {path}: {error}.") from error
    except BadElf as error:
        raise UserError(f"{path} cannot be checked: {error}.") from error


def report(target_triple: str, description: dict[str, object], findings: Sequence[Finding]) -> str:
    """The report as JSON text."""
    content = {
        "format": 1,
        "target_triple": target_triple,
        **description,
        "findings": [
            {
                "rule": one.rule,
                "message": one.message,
                **({"symbol": one.symbol} if one.symbol else {}),
            }
            for one in findings
        ],
    }
    return json.dumps(content, indent=1) + "\n"


def main(argv: list[str]) -> None:
    import argparse

    parser = argparse.ArgumentParser(prog="portability")
    parser.add_argument("file")
    parser.add_argument("--target", required=True, help="target triple")
    parser.add_argument("--glibc-floor")
    parser.add_argument("--export", action="append", default=[], help="pattern of a symbol's name")
    parser.add_argument(
        "--forbid", action="append", default=[], help="path that must not be inside"
    )
    parser.add_argument("--unstripped", action="store_true")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(argv)
    policy = Policy(
        options.target,
        options.glibc_floor,
        exports=(*PYTHON_API, *options.export),
        forbidden_paths=options.forbid,
        stripped=not options.unstripped,
    )
    description, findings = check_file(options.file, policy)
    if options.json:
        sys.stdout.write(report(options.target, description, findings))
    else:
        for finding in findings:
            print(f"{options.file}: {finding.message}.")
    if findings:
        sys.exit(EXIT_FINDINGS)


if __name__ == "__main__":
    run(main)
