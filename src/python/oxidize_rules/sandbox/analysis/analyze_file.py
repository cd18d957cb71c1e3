"""An ELF file of unknown origin, read by pyelftools within limits.

Nothing that a file says about itself is believed: counts and offsets are bounded by the file's
size, reading by a budget, and texts by a length. What cannot be read is noted in `problems`, and
the rest of the file is read all the same: section headers may be missing or broken while the part
that the kernel reads is in order.
"""

from __future__ import annotations

import io
import struct
from contextlib import contextmanager
from typing import Any, Iterator, Union

from elftools.common.exceptions import ELFError
from elftools.common.utils import struct_parse
from elftools.construct.core import ConstructError
from elftools.elf.elffile import ELFFile

from oxidize_rules.sandbox.errors import UserError

# What a person may have taken for an ELF file: first bytes, and what such a file is.
OTHER_FORMATS = (
    (b"!<arch>\n", "an archive of object files (ar)"),
    (b"!<thin>\n", "a thin archive of object files (ar)"),
    (b"MZ", "a program or library for Windows (PE)"),
    (b"\xfe\xed\xfa\xce", "a program or library for macOS (Mach-O, 32-bit)"),
    (b"\xce\xfa\xed\xfe", "a program or library for macOS (Mach-O, 32-bit)"),
    (b"\xfe\xed\xfa\xcf", "a program or library for macOS (Mach-O)"),
    (b"\xcf\xfa\xed\xfe", "a program or library for macOS (Mach-O)"),
    (b"\xca\xfe\xba\xbe", "a universal program for macOS (Mach-O) or a Java class"),
    (b"\0asm", "a WebAssembly module"),
    (b"#!", "a script"),
    (b"PK\x03\x04", "a zip file (a wheel, a pex, a jar)"),
    (b"\x1f\x8b", "a file compressed by gzip"),
    (b"\xfd7zXZ\0", "a file compressed by xz"),
    (b"\x28\xb5\x2f\xfd", "a file compressed by zstd"),
    (b"BC\xc0\xde", "LLVM bitcode"),
)
# How pyelftools, and reading beyond an end, fail on damaged files.
READ_ERRORS = (
    *(ELFError, ConstructError, struct.error),
    *(AssertionError, AttributeError, LookupError, TypeError, ValueError, ArithmeticError),
)
TEXT_LIMIT = 4096
SEGMENT_LIMIT = 4096
SECTION_LIMIT = 20_000
DYNAMIC_LIMIT = 20_000
VERSION_LIMIT = 20_000
SYMBOL_LIMIT = 1_000_000
NOTE_LIMIT = 200
NOTE_SIZE_LIMIT = 1 << 20
# Single reads of pyelftools: about 4 seconds.
READ_BUDGET = 2_000_000

Bytes = Union[bytes, Any]  # an `mmap.mmap` is neither for the type checker


class NotElf(UserError):
    """The file is something else; the message says what, in words that follow its name."""


class BudgetExceededError(ELFError):
    """Raised instead of reading on without an end."""


class Stream:
    """What pyelftools reads from: `data`, at most READ_BUDGET times. `read` never copies more than
    there is, whatever is asked for."""

    def __init__(self, data: Bytes) -> None:
        self.data = data
        self.at = 0
        self.left = READ_BUDGET

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self.at = offset + (0, self.at, len(self.data))[whence]
        return self.at

    def tell(self) -> int:
        return self.at

    def read(self, size: int = -1) -> bytes:
        self.left -= 1
        if self.left < 0:
            raise BudgetExceededError("its tables are larger than any that are in order")
        start = self.at
        if not 0 <= start <= len(self.data):
            return b""
        end = len(self.data) if size < 0 else min(start + size, len(self.data))
        content = bytes(self.data[start:end])
        self.at = start + len(content)
        return content


class _Headers(ELFFile):
    """pyelftools' reader, for the headers alone: older ones look up the sections' names at once,
    and refuse a file whose section headers are damaged."""

    def _get_section_header_stringtable(self) -> None:
        return None


class Symbol:
    """An entry of a symbol table. `version` and `library` are "" where there are none."""

    __slots__ = ("info", "library", "name", "other", "section", "size", "value", "version")

    def __init__(self, name: str, info: int, other: int, section: int, value: int, size: int):
        self.name = name
        self.info, self.other, self.section = info, other, section
        self.value, self.size = value, size
        self.library = self.version = ""

    @property
    def defined(self) -> bool:
        return self.section != 0

    @property
    def is_function(self) -> bool:
        return self.info & 15 in (2, 10)  # STT_FUNC, STT_GNU_IFUNC

    @property
    def is_indirect(self) -> bool:
        return self.info & 15 == 10


def clean(text: Union[str, bytes], limit: int = 200) -> str:
    """The text on one line, without what would control a terminal, shortened."""
    if isinstance(text, bytes):
        text = text.decode("utf-8", errors="replace")
    shown = "".join(one if one.isprintable() else "\N{REPLACEMENT CHARACTER}" for one in text)
    return shown if len(shown) <= limit else shown[: limit - 3] + "..."


def other_format(data: Bytes) -> str:
    """What the file is if it is no ELF file, in words."""
    if len(data) == 0:
        return "empty"
    start = bytes(data[:16])
    for magic, words in OTHER_FORMATS:
        if start.startswith(magic):
            return words
    return "of no known format"


class ElfInput:
    """`segments` and `sections` are pyelftools' headers, sections with their names; `dynamic` is
    the list of (tag, value), tags as `DT_NEEDED` or a number. Raises NotElf."""

    def __init__(self, data: Bytes) -> None:
        self.data = data
        self.size = len(data)
        self.problems: list[str] = []
        self.stream = Stream(data)
        if bytes(data[:4]) != b"\x7fELF":
            raise NotElf(f"it is {other_format(data)}, not an ELF file")
        try:
            self.elf: Any = _Headers(self.stream)  # type: ignore[arg-type, no-untyped-call, unused-ignore]
        except READ_ERRORS as error:
            raise NotElf(
                f"it begins as an ELF file, but its header is damaged or cut off ({reason(error)})"
            ) from error
        self.is_64: bool = self.elf.elfclass == 64
        self.order = "<" if self.elf.little_endian else ">"
        self.header: Any = self.elf.header
        self.segments: list[Any] = []
        with self.guard("program headers"):
            self.segments += self._read_segments()
        self.sections: list[tuple[str, Any]] = []
        with self.guard("section headers"):
            self._read_sections()
        if not self.segments and self.header["e_type"] in ("ET_EXEC", "ET_DYN"):
            self.problems.append("it has no program headers, so that nothing can load it")
        self._loads = [one for one in self.segments if one["p_type"] == "PT_LOAD"]
        if any(one["p_offset"] + one["p_filesz"] > self.size for one in self._loads):
            self.problems.append("it is cut off: a part that would be loaded lies beyond its end")
        self.dynamic: list[tuple[Any, int]] = []
        with self.guard("dynamic section"):
            self._read_dynamic()

    @contextmanager
    def guard(self, what: str) -> Iterator[None]:
        """Notes that a part of the file cannot be read, and goes on."""
        try:
            yield
        except READ_ERRORS as error:
            self.problems.append(f"its {what} cannot be read ({reason(error)})")

    # Headers

    def _read_segments(self) -> Iterator[Any]:
        count = self.elf.num_segments()
        if count > SEGMENT_LIMIT:
            self.problems.append(f"it claims {count} program headers; {SEGMENT_LIMIT} were read")
        for number in range(min(count, SEGMENT_LIMIT)):
            yield self._parsed("Elf_Phdr", self.elf._segment_offset(number))

    def _read_sections(self) -> None:
        if not self.header["e_shoff"]:
            return
        count = self.elf.num_sections()
        if count > SECTION_LIMIT:
            self.problems.append(f"it claims {count} section headers; {SECTION_LIMIT} were read")
        headers = []
        for number in range(min(count, SECTION_LIMIT)):
            headers.append(self._parsed("Elf_Shdr", self.elf._section_offset(number)))
            self.sections = [("", one) for one in headers] if number < 1 else self.sections
        names_at, names_size = 0, 0
        index = self.elf.get_shstrndx()
        if index < len(headers):
            names_at, names_size = headers[index]["sh_offset"], headers[index]["sh_size"]
        self.sections = [
            (
                self.text(names_at + one["sh_name"]) if one["sh_name"] < names_size else "",
                one,
            )
            for one in headers
        ]

    def _parsed(self, structure: str, offset: int) -> Any:
        if not 0 <= offset < self.size:
            raise ELFError(f"offset {offset:#x} lies beyond its end")
        return struct_parse(getattr(self.elf.structs, structure), self.stream, offset)  # type: ignore[no-untyped-call, unused-ignore]

    def _read_dynamic(self) -> None:
        segment = self.segment("PT_DYNAMIC")
        if segment is None or self.segment_is_empty(segment):
            return
        structure = self.elf.structs.Elf_Dyn
        step = structure.sizeof()
        size = min(segment["p_filesz"], self.size - segment["p_offset"])
        for offset in range(0, min(size, DYNAMIC_LIMIT * step), step):
            entry = self._parsed("Elf_Dyn", segment["p_offset"] + offset)
            if entry["d_tag"] == "DT_NULL":
                return
            self.dynamic.append((entry["d_tag"], entry["d_val"]))
        self.problems.append("its dynamic section has no end")

    def segment_is_empty(self, segment: Any) -> bool:
        """Files of symbols alone keep the headers of what was taken out."""
        return bool(
            segment["p_filesz"] == 0
            or any(
                header["sh_type"] == "SHT_NOBITS" and header["sh_addr"] == segment["p_vaddr"]
                for _, header in self.sections
                if segment["p_type"] == "PT_DYNAMIC" and header["sh_size"]
            )
        )

    def segment(self, name: str) -> Any:
        return next((one for one in self.segments if one["p_type"] == name), None)

    def section(self, name: str) -> Any:
        return next((header for one, header in self.sections if one == name), None)

    def values(self, tag: str) -> list[int]:
        return [value for one, value in self.dynamic if one == tag]

    def value(self, tag: str) -> int | None:
        return next(iter(self.values(tag)), None)

    # Content

    def content(self, offset: int, size: int) -> bytes:
        """At most what there is."""
        if offset < 0 or size < 0:
            return b""
        return bytes(self.data[offset : offset + size])

    def text(self, offset: int) -> str:
        """The text at an offset in the file, up to its NUL, without control characters."""
        if not 0 <= offset < self.size:
            raise ELFError(f"a name at {offset:#x} lies beyond its end")
        found = self.content(offset, TEXT_LIMIT)
        return clean(found.split(b"\0", 1)[0], TEXT_LIMIT)

    def offset(self, address: int) -> int:
        """Where in the file the byte of an address lies. Raises ELFError."""
        for one in self._loads:
            if one["p_vaddr"] <= address < one["p_vaddr"] + one["p_filesz"]:
                return int(one["p_offset"] + address - one["p_vaddr"])
        raise ELFError(f"address {address:#x} lies in no part of the file")

    def address(self, offset: int) -> int | None:
        """The address at which a byte of the file is loaded."""
        for one in self._loads:
            if one["p_offset"] <= offset < one["p_offset"] + one["p_filesz"]:
                return int(one["p_vaddr"] + offset - one["p_offset"])
        return None

    def dynamic_text(self, offset: int) -> str:
        table, size = self.value("DT_STRTAB"), self.value("DT_STRSZ")
        if table is None or size is None or offset >= size:
            raise ELFError("a name in its dynamic section lies outside the table of names")
        return self.text(self.offset(table) + offset)

    def notes(self) -> Iterator[tuple[str, int, bytes]]:
        """(owner, type, description) of its notes, each once: of segments, else of sections."""
        places = [
            (one["p_offset"], one["p_filesz"], one["p_align"])
            for one in self.segments
            if one["p_type"] == "PT_NOTE"
        ]
        places += [
            (one["sh_offset"], one["sh_size"], one["sh_addralign"])
            for _, one in self.sections
            if one["sh_type"] == "SHT_NOTE"
        ]
        seen: set[int] = set()
        for start, size, align in places:
            at, end = start, min(start + size, self.size)
            while at + 12 <= end and len(seen) < NOTE_LIMIT:
                name_size, text_size, kind = struct.unpack_from(f"{self.order}III", self.data, at)
                name_at = at + 12
                text_at = name_at + (name_size + 3 & ~3)
                following = text_at + text_size
                following += -following % (8 if align == 8 else 4)
                if text_size > NOTE_SIZE_LIMIT or text_at + text_size > end:
                    if at not in seen:
                        self.problems.append("a note reaches beyond its end")
                        seen.add(at)
                    break
                if at not in seen:
                    seen.add(at)
                    owner = self.content(name_at, min(name_size, 64)).split(b"\0", 1)[0]
                    yield clean(owner, 64), kind, self.content(text_at, text_size)
                at = following

    # Symbols

    def version_needs(self) -> Iterator[tuple[str, str, int]]:
        """(library, version, index) of each version it needs, whether a symbol uses it or not."""
        at, count = self.value("DT_VERNEED"), self.value("DT_VERNEEDNUM") or 0
        if at is None:
            return
        offset, left = self.offset(at), VERSION_LIMIT
        for _ in range(min(count, VERSION_LIMIT)):
            need = self._parsed("Elf_Verneed", offset)
            library = self.dynamic_text(need["vn_file"])
            aux_at = offset + need["vn_aux"]
            for _ in range(need["vn_cnt"]):
                left -= 1
                if left < 0:
                    raise ELFError("it needs more versions than any library has")
                aux = self._parsed("Elf_Vernaux", aux_at)
                yield library, self.dynamic_text(aux["vna_name"]), aux["vna_other"] & 0x7FFF
                if not aux["vna_next"]:
                    break
                aux_at += aux["vna_next"]
            if not need["vn_next"]:
                return
            offset += need["vn_next"]

    def dynamic_symbols(self) -> Iterator[Symbol]:
        """The symbols that the loader sees, with the versions that it asks for."""
        table = self.value("DT_SYMTAB")
        if table is None:
            return
        count = self._dynamic_symbol_count()
        names = self.value("DT_STRTAB")
        if names is None or not count:
            return
        versions: dict[int, tuple[str, str]] = {}
        with self.guard("table of needed versions"):
            versions.update(
                (index, (library, name)) for library, name, index in self.version_needs()
            )
        versym = self.value("DT_VERSYM")
        versym_at = None if versym is None else self.offset(versym)
        for number, symbol in enumerate(
            self._symbols(self.offset(table), count, self.offset(names))
        ):
            if versym_at is not None and versym_at + 2 * number + 2 <= self.size:
                (index,) = struct.unpack_from(f"{self.order}H", self.data, versym_at + 2 * number)
                symbol.library, symbol.version = versions.get(index & 0x7FFF, ("", ""))
            if number:
                yield symbol

    def symbols(self) -> Iterator[Symbol]:
        """The symbols that debuggers see; none in a stripped file."""
        for _, header in self.sections:
            if header["sh_type"] == "SHT_SYMTAB" and header["sh_link"] < len(self.sections):
                names = self.sections[header["sh_link"]][1]
                entry = 24 if self.is_64 else 16
                yield from self._symbols(
                    header["sh_offset"],
                    header["sh_size"] // entry,
                    names["sh_offset"],
                )

    def _symbols(self, offset: int, count: int, names_at: int) -> Iterator[Symbol]:
        layout = struct.Struct(self.order + ("IBBHQQ" if self.is_64 else "IIIBBH"))
        if not 0 <= offset < self.size:
            raise ELFError("its table of symbols lies beyond its end")
        there = (self.size - offset) // layout.size
        if min(count, there) > SYMBOL_LIMIT:
            self.problems.append(f"it has {count} symbols; {SYMBOL_LIMIT} were read")
        count = min(count, there, SYMBOL_LIMIT)
        content = self.content(offset, count * layout.size)
        for entry in layout.iter_unpack(content):
            if self.is_64:
                name, info, other, section, value, size = entry
            else:
                name, value, size, info, other, section = entry
            at = names_at + name
            end = at if not 0 <= at < self.size else self.data.find(b"\0", at, at + TEXT_LIMIT)
            text = self.content(at, end - at) if end > at else b""
            yield Symbol(clean(text, TEXT_LIMIT), info, other, section, value, size)

    def _dynamic_symbol_count(self) -> int:
        """As the tables of hashes say; else as the section headers say."""
        sysv, gnu = self.value("DT_HASH"), self.value("DT_GNU_HASH")
        if sysv is not None:
            return int(struct.unpack_from(f"{self.order}II", self.data, self.offset(sysv))[1])
        if gnu is None:
            header = self.section(".dynsym")
            entry = 24 if self.is_64 else 16
            return header["sh_size"] // entry if header is not None else 0
        offset = self.offset(gnu)
        buckets, first, bloom, _ = struct.unpack_from(f"{self.order}IIII", self.data, offset)
        buckets_at = offset + 16 + (8 if self.is_64 else 4) * bloom
        if buckets_at + 4 * buckets > self.size:
            raise ELFError("its table of hashes reaches beyond its end")
        last = 0
        for (bucket,) in struct.iter_unpack(
            f"{self.order}I", self.content(buckets_at, 4 * buckets)
        ):
            last = max(last, bucket)
        if last < first:
            return int(first)
        # A chain ends with the first hash whose lowest bit is set.
        chain_at = buckets_at + 4 * buckets + 4 * (last - first)
        for number in range(min(SYMBOL_LIMIT, max(0, self.size - chain_at) // 4)):
            (value,) = struct.unpack_from(f"{self.order}I", self.data, chain_at + 4 * number)
            if value & 1:
                return int(last) + number + 1
        raise ELFError("its table of hashes has no end")


def reason(error: BaseException) -> str:
    """Why something could not be read, in a few words."""
    if isinstance(error, ELFError) and not isinstance(error, BudgetExceededError):
        return clean(str(error)) or "damaged"
    if isinstance(error, BudgetExceededError):
        return str(error)
    return "it reaches beyond the end, or is damaged"
