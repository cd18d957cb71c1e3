"""The changes to musl's source that make an executable its own dynamic loader, as data.

Each edit names a file of musl 1.2.5, a text that stands there exactly once (the anchor), and what
takes its place. An anchor that is missing or not unique means that musl has changed: then `apply`
raises, and a person has to look. What the edited loader does as a whole is told in docs/design.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from oxidize_rules.sandbox.errors import UserError

LOADER = "ldso/dynlink.c"
ICONV = "src/locale/iconv.c"


@dataclass(frozen=True)
class Edit:
    """In `file`, `anchor` becomes `replacement`. With `until`, all from `anchor` up to (and
    without) `until`, which must follow it, goes too."""

    file: str
    why: str
    anchor: str
    replacement: str
    until: str = ""


EDITS = (
    Edit(
        LOADER,
        "Files of the image are opened, read and mapped by the runtime (runtime/library.c).",
        anchor="#define malloc __libc_malloc\n",
        replacement="""\
int oxidize_library_open(const char *, int);
ssize_t oxidize_library_read(int, void *, size_t, off_t);
int oxidize_library_stat(int, struct stat *);
void *oxidize_library_map(void *, size_t, int, int, int, off_t);
int oxidize_library_close(int);
const char *oxidize_library_problem(void);
#define open oxidize_library_open
#define read(fd, buf, size) oxidize_library_read(fd, buf, size, 0)
#define pread oxidize_library_read
#define fstat oxidize_library_stat
#define mmap oxidize_library_map
#define close oxidize_library_close
#define malloc __libc_malloc
""",
    ),
    Edit(
        LOADER,
        "A library that asks for a function which the executable wraps gets the wrapper.",
        anchor="""\
#if defined(__GNUC__)
__attribute__((always_inline))
#endif
static inline struct symdef find_sym2(""",
        replacement="""\
/* What `--wrap` did to the executable's own objects: `open` means `__wrap_open`. */
static Sym *wrapper_of(struct dso *dso, Sym *sym, const char *s)
{
	static const char prefix[] = "__wrap_";
	char name[sizeof prefix + 24];
	size_t l = strlen(s);
	/* Python's own interface is most of what is looked up, and not wrapped. */
	if (*s == 'P' || *s == '_' || l > 24 || !dso->ghashtab) return sym;
	memcpy(name, prefix, sizeof prefix - 1);
	memcpy(name + sizeof prefix - 1, s, l + 1);
	uint32_t h = gnu_hash(name);
	Sym *found = gnu_lookup_filtered(h, dso->ghashtab, dso, name,
		h / (8*sizeof(size_t)), 1ul << h % (8*sizeof(size_t)));
	return found && found->st_shndx ? found : sym;
}

static inline struct symdef find_sym2(""",
    ),
    Edit(
        LOADER,
        "(the same)",
        anchor="\t\tdef.sym = sym;\n\t\tdef.dso = dso;\n\t\tbreak;\n",
        replacement="""\
		def.sym = dso == &ldso ? wrapper_of(dso, sym, s) : sym;
		def.dso = dso;
		break;
""",
    ),
    Edit(
        LOADER,
        "The executable is in the list of libraries from the start: it is its head.",
        anchor="""\
		if (!ldso.prev) {
			tail->next = &ldso;
			ldso.prev = tail;
			tail = &ldso;
		}
		return &ldso;
""",
        replacement="\t\treturn &ldso;\n",
    ),
    Edit(
        LOADER,
        "Libraries are looked for in the image, then in musl's usual folders, and nowhere else.",
        anchor="\t\tif (fd == -1) {\n\t\t\tif (!sys_path) {\n",
        until='\t\t\tif (!sys_path) sys_path = "/lib:/usr/local/lib:/usr/lib";\n',
        replacement="\t\tif (fd == -1) {\n",
    ),
    Edit(
        LOADER,
        "(the same)",
        anchor='sys_path = "/lib:/usr/local/lib:/usr/lib";',
        replacement='sys_path = "/.oxidized/lib:/lib:/usr/local/lib:/usr/lib";',
    ),
    Edit(
        LOADER,
        "A library for glibc is refused, rather than found to work or to crash later.",
        anchor="\t\tstruct dso *dep = load_library(p->strings + p->dynv[i+1], p);\n",
        replacement="""\
		const char *wanted = p->strings + p->dynv[i+1];
		if (!strcmp(wanted, "libc.so.6") || !strncmp(wanted, "ld-linux", 8)) {
			error("%s: this library is for glibc (it needs %s), "
				"but this executable has musl as its C library",
				p->name, wanted);
			if (runtime) longjmp(*rtld_fail, 1);
			continue;
		}
		struct dso *dep = load_library(wanted, p);
""",
    ),
    Edit(
        LOADER,
        "Why a library of the image cannot be mapped is not always told by an error's number.",
        anchor='\t\t\t"Error loading shared library %s: %m",\n\t\t\tfile);\n',
        replacement="""\
			"Error loading shared library %s: %s",
			file, oxidize_library_problem());
""",
    ),
    Edit(
        LOADER,
        "(the same)",
        anchor="""\
			error("Error loading shared library %s: %m (needed by %s)",
				p->strings + p->dynv[i+1], p->name);
""",
        replacement="""\
			error("Error loading shared library %s: %s (needed by %s)",
				p->strings + p->dynv[i+1], oxidize_library_problem(), p->name);
""",
    ),
    Edit(
        LOADER,
        "Stage 3 starts with program and loader in one file: there is no other program.",
        anchor="\tstatic struct dso app, vdso;\n",
        replacement="\tstatic struct dso vdso;\n\thidden void _start(void);\n#define app ldso\n",
    ),
    Edit(
        LOADER,
        "The host's LD_LIBRARY_PATH and LD_PRELOAD name libraries for other programs.",
        anchor="""\
	/* Only trust user/env if kernel says we're not suid/sgid */
	if (!libc.secure) {
		env_path = getenv("LD_LIBRARY_PATH");
		env_preload = getenv("LD_PRELOAD");
	}
""",
        replacement="",
    ),
    Edit(
        LOADER,
        "The program is not to be found or loaded: only its thread-local data is still unknown.",
        anchor="\t/* If the main program was already loaded by the kernel,\n",
        until="\tif (app.tls.size) {\n\t\tlibc.tls_head",
        replacement="""\
	Phdr *phdr = ldso.phdr;
	for (i=ldso.phnum; i; i--, phdr=(void *)((char *)phdr + ldso.phentsize)) {
		if (phdr->p_type != PT_TLS) continue;
		ldso.tls.image = laddr(&ldso, phdr->p_vaddr);
		ldso.tls.len = phdr->p_filesz;
		ldso.tls.size = phdr->p_memsz;
		ldso.tls.align = phdr->p_align;
	}
	char *execfn = (aux[0] & (1UL<<AT_EXECFN)) ? (char *)aux[AT_EXECFN] : 0;
	if (execfn && strncmp(execfn, "/proc/", 6))
		ldso.name = execfn;
	else if (argv[0])
		ldso.name = argv[0];
""",
    ),
    Edit(
        LOADER,
        "The allocator is not musl's, so unused parts of pages are not given to it.",
        anchor="""\
	/* Donate unused parts of app and library mapping to malloc */
	reclaim_gaps(&app);
	reclaim_gaps(&ldso);
""",
        replacement="",
    ),
    Edit(
        LOADER,
        "Stage 2 has relocated everything; what is left is to protect it.",
        anchor="\treloc_all(app.next);\n\treloc_all(&app);\n",
        replacement="""\
	ldso.relocated = 1;
	if (ldso.relro_start != ldso.relro_end)
		__syscall(SYS_mprotect, laddr(&ldso, ldso.relro_start),
			ldso.relro_end-ldso.relro_start, PROT_READ);
""",
    ),
    Edit(
        LOADER,
        "The kernel's entry point was the loader itself; the program's own is the usual one.",
        anchor="\tCRTJMP((void *)aux[AT_ENTRY], argv-1);\n\tfor(;;);\n}\n",
        replacement="\tCRTJMP((void *)_start, argv-1);\n\tfor(;;);\n}\n#undef app\n",
    ),
    Edit(
        ICONV,
        "CVE-2025-26519: EUC-KR input beyond the last row was taken for valid.",
        anchor="\t\t\t\tif (c >= 93 || c>=0xc6-0x81 && d>0x52)\n",
        replacement="\t\t\t\tif (c > 0xc6-0x81 || c==0xc6-0x81 && d>0x52)\n",
    ),
    Edit(
        ICONV,
        "CVE-2025-26519: a wrong decoder must not move the output beyond its buffer.",
        anchor="\t\t\t} else k = wctomb_utf8(*out, c);\n",
        replacement="\t\t\t} else k = wctomb_utf8(*out, c);\n\t\t\tif (k > 4) goto ilseq;\n",
    ),
)


def apply(source: Path, edits: tuple[Edit, ...] = EDITS) -> None:
    """Changes the files below `source`, the folder of musl's source. Raises UserError."""
    for edit in edits:
        path = source / edit.file
        try:
            text = path.read_text(encoding="utf-8")
        except OSError as error:
            raise UserError(f"musl's source has no {edit.file}: {error}.") from error
        path.write_text(edited(text, edit), encoding="utf-8")


def edited(text: str, edit: Edit) -> str:
    """`text` with one edit made. Raises UserError unless its anchors are there, and once."""
    count = text.count(edit.anchor)
    start = text.find(edit.anchor)
    end = start + len(edit.anchor)
    if count == 1 and edit.until:
        end = text.find(edit.until, end)
    if count != 1 or end < 0:
        lines = edit.anchor.strip().splitlines()
        found = f"found it {count} times" if count != 1 else "found no end of it"
        raise UserError(
            f"musl's {edit.file} is not the file that the edits were made for: expected "
            f"`{lines[0]}` once, {found} ({edit.why}). Use the pinned version of musl."
        )
    return text[:start] + edit.replacement + text[end:]
