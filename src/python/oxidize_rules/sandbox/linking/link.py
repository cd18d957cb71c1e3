"""Links an executable with lld and checks the result; tells what is wrong in the user's terms.

    python -m oxidize_rules.sandbox.linking.link REQUEST.json

REQUEST.json (all paths relative to the folder that the program runs in):

    zig, sysroot        the zig program; the folder written by sandbox/toolchain/sysroot.py
    output, report      the executable to write; the portability report (JSON) to write
    map                 a link map to write, or null
    objects             [[path, what it belongs to], ...] in the order of the link
    static_libraries    [[path, what needs it], ...]
    system_libraries    [[name, what needs it], ...], names as for `-l`
    dynamic_loading     whether a musl executable contains the C library's loader and all of libc
    wrap                a file with one symbol a line: every call of `x` goes to `__wrap_x`
    exports             names and patterns (`*`) of the symbols that loaded libraries may see
    strip               whether symbols are left out
    debug               a file of symbols for debuggers to write (debug_file.py), or null
    link_args           further arguments for lld (also in the compiler's form `-Wl,a,b`)
    inventory           what inventory.py asks for, and the `output` to write it to, or null

With an inventory, the executable also gets an ELF package note (package_note.py), and its bill of
materials in a section that is not loaded (sandbox/elf_section.py).

Nothing is written under `output` unless the link and the check succeed.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys

from oxidize_rules.sandbox.errors import UserError, run

TYPE_CHECKING = False
if TYPE_CHECKING:  # `typing` itself is not imported: it takes 5 ms
    from collections.abc import Iterator, Sequence
    from typing import Any

# Threads get as much stack as on glibc: musl takes the size from PT_GNU_STACK, up to 8 MiB.
STACK_SIZE = 8 * 1024 * 1024
# Libraries of CPython's metadata that have no file of their own: the C library has their content.
MUSL_LIBRARIES = frozenset({"c", "crypt", "dl", "m", "pthread", "resolv", "rt", "util"})
# compiler-rt is part of every sysroot.
COMPILER_LIBRARIES = frozenset({"atomic", "gcc", "gcc_s"})
# Of lld; a whole distribution of the wrong kind makes tens of thousands.
ERROR_LIMIT = 1000
SHOWN_ERRORS = 10
# Written into the folder that the program runs in, for the linker.
PACKAGE_NOTE = "package_note.o"
ERROR = re.compile(r"^(?:\S*ld(?:\.lld)?: )?error: ", re.MULTILINE)
REFERENCE = re.compile(r"^>>>\s+(\S.*?):\(.*?\)(?: in archive (.+))?$", re.MULTILINE)
BITCODE_MAGIC = (b"BC\xc0\xde", b"\xde\xc0\x17\x0b")
BITCODE_PRODUCER = re.compile(r"Producer: '?LLVM ?([\d.]+)")


class Problem:
    """An error of lld: `text` is its first line, `files` the objects that it names."""

    def __init__(self, block: str) -> None:
        lines = block.strip().splitlines()
        self.text = lines[0]
        self.detail = "\n".join(lines[1:])
        self.files = [
            f"{archive}({file})" if archive else file
            for file, archive in REFERENCE.findall(self.detail)
        ]


def parse_problems(output: str) -> list[Problem]:
    """The errors in what lld printed; notes and warnings are left out."""
    parts = ERROR.split(output)[1:]
    end = re.compile(r"^\S*ld(?:\.lld)?: (?:warning|note): ", re.MULTILINE)
    problems = [Problem(end.split(part)[0]) for part in parts if part.strip()]
    return [one for one in problems if not one.text.startswith("too many errors")]


def read_sysroot(folder: str) -> dict[str, Any]:
    try:
        with open(f"{folder}/sysroot.json", encoding="utf-8") as stream:
            content: dict[str, Any] = json.load(stream)
            return content
    except OSError as error:
        raise UserError(f"the sysroot has no sysroot.json: {error}.") from error


def missing_system_libraries(sysroot: dict[str, Any], asked: Sequence[Sequence[str]]) -> list[str]:
    """One line for each asked library that the C library does not come with."""
    known = set(COMPILER_LIBRARIES)
    if sysroot["glibc_floor"] is None:
        known |= MUSL_LIBRARIES
    for path in sysroot["libraries"]:
        match = re.fullmatch(r"lib([^.]+)\..*", os.path.basename(path))
        if match:
            known.add(match.group(1))
    return [
        f"{owner} needs the system library `{name}`, which is not part of the C library for "
        f"{sysroot['target_triple']}; name the extension in `exclude_extensions`."
        for name, owner in asked
        if name not in known
    ]


def expand_link_args(arguments: Sequence[str]) -> list[str]:
    """`-Wl,a,b` is how a compiler is told about linker arguments; lld takes `a b`."""
    return [
        word
        for argument in arguments
        for word in (argument[4:].split(",") if argument.startswith("-Wl,") else [argument])
    ]


def dynamic_list(exports: Sequence[str]) -> str:
    return "{\n" + "".join(f"  {name};\n" for name in exports) + "};\n"


def read_lines(path: str) -> list[str]:
    with open(path, encoding="utf-8") as stream:
        return [line for line in stream.read().split() if line]


def command(
    request: dict[str, Any],
    sysroot: dict[str, Any],
    *,
    output: str,
    exports: str,
    build_id: str = "none",
) -> list[str]:
    """lld's arguments. Archives come in any order: lld looks back into those it has seen."""
    folder = request["sysroot"]
    static = sysroot["dynamic_linker"] is None
    loader = own_loader(request, sysroot)
    arguments = ["-m", sysroot["emulation"], "-o", output]
    if loader:
        # To the kernel this is a static executable; its entry point relocates it, as musl's
        # dynamic linker does with itself.
        arguments += ["-pie", "--no-dynamic-linker", f"--entry={loader['entry']}"]
    elif static:
        arguments += sysroot["pie"]
    else:
        arguments += [*sysroot["pie"], "--dynamic-linker", sysroot["dynamic_linker"]]
    arguments += [
        f"--build-id={build_id}",
        "--hash-style=gnu",
        "--gc-sections",
        "--eh-frame-hdr",
        f"--error-limit={ERROR_LIMIT}",
        "--color-diagnostics=never",
        f"--dynamic-list={exports}",
        "-z", "relro", "-z", "now", "-z", "noexecstack", "-z", "text",
        "-z", f"stack-size={STACK_SIZE}",
    ]  # fmt: skip
    if not loader:
        arguments += ["--exclude-libs=ALL"]
    if static:
        # A third of a megabyte less, and as many page faults; glibc reads it since 2.36 only.
        arguments += ["-z", "pack-relative-relocs"]
    if request["strip"]:
        arguments += ["--strip-all"]
    arguments += [f"--wrap={name}" for name in read_lines(request["wrap"])]
    start = loader["start_objects"] if loader else sysroot["start_objects"]
    arguments += [f"{folder}/{path}" for path in start]
    if loader:
        # First, so that a library's own copy of a function (libedit has wcsdup) is not taken.
        whole = (f"{folder}/{path}" for path in loader["whole_libraries"])
        arguments += ["--whole-archive", *whole, "--no-whole-archive"]
    arguments += [path for path, _ in request["objects"]]
    arguments += [path for path, _ in request["static_libraries"]]
    arguments += expand_link_args(request["link_args"])
    if request["map"]:  # whatever link_args say
        arguments += [f"--Map={request['map']}"]
    if request.get("why_extract"):
        arguments += [f"--why-extract={request['why_extract']}"]
    if request["debug"]:
        arguments += [f"--build-id={build_id}"]  # whatever link_args say
    arguments += ["--as-needed", *(f"{folder}/{path}" for path in sysroot["libraries"])]
    arguments += [f"{folder}/{path}" for path in sysroot["end_objects"]]
    return arguments


def own_loader(request: dict[str, Any], sysroot: dict[str, Any]) -> dict[str, Any] | None:
    """The sysroot's description of the loader, if it is to be part of the executable."""
    loader: dict[str, Any] | None = sysroot["loader"] if request["dynamic_loading"] else None
    return loader


def exported_names(request: dict[str, Any], sysroot: dict[str, Any]) -> list[str]:
    """Names and patterns of the symbols that loaded libraries may see.

    With a loader inside, the executable is their C library, too, and offers them its wrapped
    functions (see sandbox/toolchain/musl_edits.py).
    """
    loader = own_loader(request, sysroot)
    libc = read_lines(f"{request['sysroot']}/{loader['exports']}") if loader else []
    return [*request["exports"], *(["__wrap_*", *libc] if loader else [])]


class Explainer:
    """Turns lld's errors into ours: which part of the executable, why, and what to do."""

    def __init__(self, request: dict[str, Any], sysroot: dict[str, Any]) -> None:
        self.request, self.sysroot = request, sysroot
        self.owners = dict(request["objects"])
        self.owners.update(dict(request["static_libraries"]))
        self.versions: dict[str, tuple[int, ...]] | None = None

    def owner(self, file: str) -> str:
        """`file` may name a member: `lib/libssl.a(ssl_lib.o)`."""
        path = file.split("(", 1)[0]
        owner = self.owners.get(path)
        if owner is None:
            for known, its_owner in self.owners.items():
                if os.path.basename(known) == os.path.basename(path):
                    owner = its_owner
                    break
        return f"{owner} ({file})" if owner else file

    def explain(self, problem: Problem) -> str:
        for pattern, explain in (
            (r"undefined (?:hidden |protected )?symbol: (.+)", self._undefined),
            (r"duplicate symbol: (.+)", self._duplicate),
            (r"relocation \S+ cannot be used against .*recompile with -fPIC", self._fixed_address),
            (r"cannot open (.+?): (.+)", self._missing_file),
            (r"unknown argument '(.+?)'.*", self._unknown_argument),
            (r"unable to find library (-l\S+)", self._library),
        ):
            match = re.fullmatch(pattern, problem.text)
            if match:
                return explain(problem, match)
        file, colon, why = problem.text.partition(": ")
        if colon and file.split("(", 1)[0] in self.owners:
            return self._unreadable(problem, file, why)
        return f"{problem.text}\n{problem.detail}".rstrip() + self._link_args_hint()

    def _undefined(self, problem: Problem, match: re.Match[str]) -> str:
        symbol = match.group(1)
        users = sorted({self.owner(file) for file in problem.files}) or ["a link argument"]
        who = f"{', '.join(users[:3])} need{'s' if len(users) == 1 else ''} `{symbol}`"
        since = self.glibc_version(symbol)
        if since:
            floor = self.sysroot["glibc_floor"]
            return (
                f"{who}, which needs glibc newer than {floor}: glibc has it since "
                f"{'.'.join(map(str, since))}. Build the code against glibc {floor}, leave it out "
                "(`exclude_extensions`), or raise `glibc_floor`."
            )
        return (
            f"{who}, which nothing in the executable defines."
            f"{self._excluded_hint(symbol)}{self._link_args_hint()}"
        )

    def _duplicate(self, problem: Problem, match: re.Match[str]) -> str:
        both = " and ".join(self.owner(file) for file in problem.files) or problem.detail
        return (
            f"`{match.group(1)}` is defined twice: in {both}. Leave one of them out"
            f"{', or rename the symbol where it is compiled' if len(problem.files) > 1 else ''}."
        )

    def _fixed_address(self, problem: Problem, match: re.Match[str]) -> str:
        users = ", ".join(self.owner(file) for file in problem.files[:1]) or problem.detail
        return (
            f"{users} is not position-independent, as every part of the executable must be. "
            "Compile it with -fPIC or -fPIE."
        )

    def _missing_file(self, problem: Problem, match: re.Match[str]) -> str:
        path, why = match.groups()
        return (
            f"{self.owner(path)} cannot be read: {why}. It is named by the distribution's "
            "PYTHON.json or by `link_args`; check that it is part of the archive."
        )

    def _unknown_argument(self, problem: Problem, match: re.Match[str]) -> str:
        return (
            f"`link_args` has `{match.group(1)}`, which the linker (LLD) does not know. "
            "Give arguments of the linker itself, as `-z` or `--icf=safe`."
        )

    def _library(self, problem: Problem, match: re.Match[str]) -> str:
        return (
            f"the library `{match.group(1)}` is not part of the C library for "
            f"{self.sysroot['target_triple']}.{self._link_args_hint()}"
        )

    def _unreadable(self, problem: Problem, file: str, why: str) -> str:
        producer = BITCODE_PRODUCER.search(problem.text)
        if producer or is_bitcode(file):
            return (
                f"{self.owner(file)} is LLVM bitcode"
                f"{f' of LLVM {producer.group(1)}' if producer else ''}, which the linker cannot "
                f"read ({why}): most likely it is older than the compiler that wrote it. Use an "
                "archive with ELF objects (build options `noopt` or `pgo`), or a newer zig."
            )
        return f"{self.owner(file)} cannot be linked: {why}.\n{problem.detail}".rstrip()

    def _excluded_hint(self, symbol: str) -> str:
        if not symbol.startswith("PyInit_"):
            return ""
        return " The table of built-in modules names a module whose objects are not linked."

    def _link_args_hint(self) -> str:
        arguments = self.request["link_args"]
        return f"\n`link_args` is {' '.join(arguments)}" if arguments else ""

    def glibc_version(self, symbol: str) -> tuple[int, ...] | None:
        """The version that glibc has `symbol` since, if it is beyond the floor."""
        floor = self.sysroot["glibc_floor"]
        if floor is None:
            return None
        if self.versions is None:
            from oxidize_rules.sandbox.linking.glibc_symbols import read_versions

            zig_lib = os.path.join(os.path.dirname(self.request["zig"]), "lib")
            self.versions = read_versions(zig_lib, self.sysroot["zig_target"])
        since = self.versions.get(symbol)
        return since if since and since > tuple(map(int, floor.split("."))) else None

    def users_of(self, symbol: str) -> list[str]:
        """Which of the linked objects refer to `symbol`; used only for a message."""
        from oxidize_rules.sandbox.elf_reader import BadElf

        found = []
        for path, _ in (*self.request["objects"], *self.request["static_libraries"]):
            try:
                found += [self.owner(file) for file in files_that_need(path, symbol)]
            except (OSError, BadElf):
                continue
        return found


def is_bitcode(path: str) -> bool:
    try:
        with open(path, "rb") as stream:
            return stream.read(4) in BITCODE_MAGIC
    except OSError:
        return False


def files_that_need(path: str, symbol: str) -> Iterator[str]:
    """`path`, or the members of this archive, if they refer to `symbol` without defining it."""
    from oxidize_rules.sandbox.elf_reader import ElfFile, archive_members

    with open(path, "rb") as stream:
        data = stream.read()
    if symbol.encode() not in data:
        return
    is_archive = data[:8] == b"!<arch>\n"
    for name, content in archive_members(data) if is_archive else [("", data)]:
        if any(one.name == symbol and not one.defined for one in ElfFile(content).symbols()):
            yield f"{path}({name})" if name else path


def link(
    request: dict[str, Any], sysroot: dict[str, Any], output: str, build_id: str = "none"
) -> None:
    """Runs lld. Raises UserError with every error that it found, translated."""
    explainer = Explainer(request, sysroot)
    missing = missing_system_libraries(sysroot, request["system_libraries"])
    for path, owner in (*request["objects"], *request["static_libraries"]):
        if not os.path.exists(path):
            missing.append(f"{owner}: the file {path} is missing; the distribution names it.")
    if missing:
        raise UserError(told(missing))
    exports, arguments_file = f"{output}.exports", f"{output}.args"
    with open(exports, "w", encoding="utf-8") as stream:
        stream.write(dynamic_list(exported_names(request, sysroot)))
    with open(arguments_file, "w", encoding="utf-8") as stream:
        for word in command(request, sysroot, output=output, exports=exports, build_id=build_id):
            stream.write(quoted(word) + "\n")
    try:
        result = subprocess.run(
            [request["zig"], "ld.lld", f"@{arguments_file}"],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
        )
    finally:
        os.unlink(exports)
        os.unlink(arguments_file)
    text = result.stdout.decode(errors="replace")
    if result.returncode == 0 and os.path.exists(output):
        sys.stderr.write(text)
        return
    problems = parse_problems(text)
    if not problems:
        raise RuntimeError(f"lld ended with exit code {result.returncode}:\n{text}")
    raise UserError(told([explainer.explain(problem) for problem in problems]))


def link_with_symbols(request: dict[str, Any], sysroot: dict[str, Any], output: str) -> None:
    """As `link`, and writes the file of symbols `<output>.debug` for debuggers.

    The build id comes from the executable's content: one binary, one file of symbols.
    """
    from oxidize_rules.sandbox.linking import debug_file

    link(request, sysroot, output, build_id="sha1")
    with open(output, "rb") as stream:
        _, _, build_id = debug_file.build_id_note(stream.read())
    unstripped = {**request, "strip": False, "map": None, "why_extract": None}
    link(unstripped, sysroot, f"{output}.debug", build_id=f"0x{build_id}")
    name = os.path.basename(request["debug"])
    debug_file.write_debug_file(output, f"{output}.debug", name)


def add_package_note(request: dict[str, Any]) -> None:
    """Adds an object with the ELF package note to those that are linked."""
    from oxidize_rules.sandbox.linking import package_note

    subject = request["inventory"]["subject"]
    machine = subject["target_triple"].partition("-")[0]
    with open(PACKAGE_NOTE, "wb") as stream:
        stream.write(package_note.note_object(machine, package_note.note_text(subject)))
    request["objects"].append([PACKAGE_NOTE, "the package note"])


def bitcode_objects(request: dict[str, Any]) -> list[str]:
    return [path for path, _ in request["objects"] if is_bitcode(path)]


def embed_inventory(request: dict[str, Any], output: str) -> str:
    """The inventory of the linked file, from its link map; its bill of materials goes into it."""
    import zlib

    from oxidize_rules.sandbox import elf_section
    from oxidize_rules.sandbox.linking import inventory
    from oxidize_rules.sandbox.linking.link_map import parse
    from oxidize_rules.sandbox.parts import cyclonedx

    with open(request["map"], "rb") as stream:
        link_map = parse(stream.read())
    if request["why_extract"]:
        with open(request["why_extract"], encoding="utf-8") as text:
            link_map.add_bitcode(f"{output}.lto", bitcode_objects(request), text.read())
    facts = inventory.read_facts(request["inventory"]["facts"])
    made = inventory.make_inventory(request["inventory"], facts, link_map)
    document = json.dumps(
        cyclonedx.document(made), separators=(",", ":"), sort_keys=True, ensure_ascii=False
    )
    with open(output, "r+b") as file:
        elf_section.append_section(
            file, elf_section.SBOM_SECTION, zlib.compress(document.encode(), 9)
        )
    return inventory.encode(made)


def quoted(word: str) -> str:
    """A word of a response file (quoting of LLVM's GNU command line tokenizer)."""
    escaped = word.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def told(problems: Sequence[str]) -> str:
    """All problems in one message, each once."""
    unique = list(dict.fromkeys(problems))
    more = len(unique) - SHOWN_ERRORS
    lines = unique[:SHOWN_ERRORS] + ([f"... and {more} more"] if more > 0 else [])
    if len(lines) == 1:
        return f"the executable cannot be linked: {lines[0]}"
    return "the executable cannot be linked:\n" + "\n".join(f"- {line}" for line in lines)


def check(request: dict[str, Any], sysroot: dict[str, Any], output: str) -> str:
    """The portability report of the linked file. Raises UserError when a rule is broken."""
    from oxidize_rules.sandbox.linking import portability

    policy = portability.Policy(
        sysroot["target_triple"],
        sysroot["glibc_floor"],
        exports=exported_names(request, sysroot),
        forbidden_paths=[path for path in (os.getcwd(),) if path.count("/") > 1],
        stripped=request["strip"],
    )
    description, findings = portability.check_file(output, policy)
    if findings:
        explainer = Explainer(request, sysroot)
        lines = []
        for finding in findings:
            users = explainer.users_of(finding.symbol) if finding.symbol else []
            wanted = f"; wanted by {', '.join(users[:3])}" if users else ""
            lines.append(f"{finding.message}{wanted} (rule {finding.rule})")
        raise UserError(
            "the linked executable breaks its promises"
            f"{' (`link_args` may be the reason)' if request['link_args'] else ''}:\n"
            + "\n".join(f"- {line}" for line in lines)
        )
    return portability.report(sysroot["target_triple"], description, findings)


def main(argv: list[str]) -> None:
    if len(argv) != 1:
        raise UserError("usage: link REQUEST.json")
    with open(argv[0], encoding="utf-8") as stream:
        request = json.load(stream)
    sysroot = read_sysroot(request["sysroot"])
    output, told = request["output"], request["inventory"]
    temporary, symbols, link_map, why_extract = (
        f"{output}.part{end}" for end in ("", ".debug", ".map", ".why")
    )
    os.makedirs(os.path.dirname(output) or ".", exist_ok=True)
    try:
        if told:
            request["map"] = request["map"] or link_map
            # An archive of bitcode comes with objects of bitcode, such as the module that needs it.
            request["why_extract"] = bitcode_objects(request) and why_extract
            add_package_note(request)
        if request["debug"]:
            link_with_symbols(request, sysroot, temporary)
        else:
            link(request, sysroot, temporary)
        made = embed_inventory(request, temporary) if told else ""
        text = check(request, sysroot, temporary)
        if told:
            with open(told["output"], "w", encoding="utf-8") as stream:
                stream.write(made)
        if request["report"]:
            with open(request["report"], "w", encoding="utf-8") as stream:
                stream.write(text)
        if request["debug"]:
            os.replace(symbols, request["debug"])
        os.replace(temporary, output)
    finally:
        for path in (temporary, symbols, link_map, why_extract, PACKAGE_NOTE):
            if os.path.exists(path):
                os.unlink(path)


if __name__ == "__main__":
    run(main)
