/* What a shared library in memory says about itself. Every offset is checked against the file's
 * size, so that a damaged library is told as such and never a read outside of it.
 *
 * Format: ELF as in <elf.h>, of this machine's own kind (64 bits, its byte order). */
#ifndef OXIDIZE_ELF_FILE_H
#define OXIDIZE_ELF_FILE_H

#include <link.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct oxidize_elf {
    const uint8_t *bytes;
    uint64_t size;
    uint64_t dynamic_at, dynamic_count; /* the dynamic section: offset in the file, entries */
    uint64_t strings_at, strings_size;  /* the names that it refers to */
};

/* False if the bytes are not a shared library for this machine. */
bool oxidize_elf_open(struct oxidize_elf *elf, const uint8_t *bytes, uint64_t size);

/* The next text of that kind (DT_NEEDED, DT_SONAME, DT_RPATH, DT_RUNPATH), or NULL. `*cursor` is 0
 * at first. */
const char *oxidize_elf_text(const struct oxidize_elf *elf, ElfW(Sxword) tag, uint64_t *cursor);

/* The first text of that kind, or NULL. */
const char *oxidize_elf_first_text(const struct oxidize_elf *elf, ElfW(Sxword) tag);

/* Whether each version of symbols (GLIBCXX_3.4.30) that `wanted` defines is defined by `elf`, too.
 * False for damaged tables. */
bool oxidize_elf_has_versions_of(const struct oxidize_elf *elf, const struct oxidize_elf *wanted);

#endif
