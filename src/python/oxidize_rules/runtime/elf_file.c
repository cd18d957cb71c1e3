#include "elf_file.h"

#include <elf.h>
#include <string.h>

#if defined(__x86_64__)
#define MACHINE EM_X86_64
#elif defined(__aarch64__)
#define MACHINE EM_AARCH64
#endif

/* Copied, since nothing in a damaged file need be aligned. */
static bool read_at(const struct oxidize_elf *elf, uint64_t at, void *into, size_t size) {
    if (at > elf->size || size > elf->size - at)
        return false;
    memcpy(into, elf->bytes + at, size);
    return true;
}

static bool read_header(const struct oxidize_elf *elf, ElfW(Ehdr) *header) {
    return read_at(elf, 0, header, sizeof *header) &&
           memcmp(header->e_ident, ELFMAG, SELFMAG) == 0 &&
           header->e_ident[EI_CLASS] == ELFCLASS64 && header->e_ident[EI_DATA] == ELFDATA2LSB &&
           header->e_machine == MACHINE && header->e_type == ET_DYN &&
           header->e_phentsize == sizeof(ElfW(Phdr));
}

static bool segment_at(const struct oxidize_elf *elf, const ElfW(Ehdr) *header, unsigned index,
                       ElfW(Phdr) *segment) {
    uint64_t at = header->e_phoff + index * sizeof *segment;
    return at >= header->e_phoff && read_at(elf, at, segment, sizeof *segment);
}

/* Where in the file a part of the loaded library comes from: at least one byte, at most `*room`,
 * which is given back. */
static bool offset_of(const struct oxidize_elf *elf, uint64_t address, uint64_t *at,
                      uint64_t *room) {
    ElfW(Ehdr) header;
    ElfW(Phdr) segment;
    if (!read_header(elf, &header))
        return false;
    for (unsigned i = 0; i < header.e_phnum && segment_at(elf, &header, i, &segment); i++) {
        uint64_t behind = address - segment.p_vaddr;
        if (segment.p_type != PT_LOAD || address < segment.p_vaddr || behind >= segment.p_filesz)
            continue;
        *at = segment.p_offset + behind;
        *room = segment.p_filesz - behind;
        return *at >= behind && *at < elf->size;
    }
    return false;
}

static bool dynamic_entry(const struct oxidize_elf *elf, uint64_t index, ElfW(Dyn) *entry) {
    return index < elf->dynamic_count &&
           read_at(elf, elf->dynamic_at + index * sizeof *entry, entry, sizeof *entry) &&
           entry->d_tag != DT_NULL;
}

/* The first value of that kind. */
static bool value_of(const struct oxidize_elf *elf, ElfW(Sxword) tag, uint64_t *value) {
    ElfW(Dyn) entry;
    for (uint64_t i = 0; dynamic_entry(elf, i, &entry); i++) {
        if (entry.d_tag == tag) {
            *value = entry.d_un.d_val;
            return true;
        }
    }
    return false;
}

static bool find_dynamic(struct oxidize_elf *elf) {
    ElfW(Ehdr) header;
    ElfW(Phdr) segment;
    if (!read_header(elf, &header))
        return false;
    for (unsigned i = 0; i < header.e_phnum && segment_at(elf, &header, i, &segment); i++) {
        if (segment.p_type != PT_DYNAMIC)
            continue;
        if (segment.p_offset > elf->size || segment.p_filesz > elf->size - segment.p_offset)
            return false;
        elf->dynamic_at = segment.p_offset;
        elf->dynamic_count = segment.p_filesz / sizeof(ElfW(Dyn));
        return true;
    }
    return false;
}

bool oxidize_elf_open(struct oxidize_elf *elf, const uint8_t *bytes, uint64_t size) {
    *elf = (struct oxidize_elf){.bytes = bytes, .size = bytes ? size : 0};
    uint64_t address, strings_size, room;
    if (!find_dynamic(elf) || !value_of(elf, DT_STRTAB, &address) ||
        !value_of(elf, DT_STRSZ, &strings_size) ||
        !offset_of(elf, address, &elf->strings_at, &room))
        return false;
    uint64_t rest = elf->size - elf->strings_at;
    room = room < rest ? room : rest;
    elf->strings_size = strings_size < room ? strings_size : room;
    return true;
}

/* The text at that place of the table, if it ends within. */
static const char *text_at(const struct oxidize_elf *elf, uint64_t place) {
    if (place >= elf->strings_size)
        return NULL;
    const char *text = (const char *)elf->bytes + elf->strings_at + place;
    return memchr(text, '\0', (size_t)(elf->strings_size - place)) ? text : NULL;
}

const char *oxidize_elf_text(const struct oxidize_elf *elf, ElfW(Sxword) tag, uint64_t *cursor) {
    ElfW(Dyn) entry;
    while (dynamic_entry(elf, *cursor, &entry)) {
        ++*cursor;
        const char *text = entry.d_tag == tag ? text_at(elf, entry.d_un.d_val) : NULL;
        if (text)
            return text;
    }
    return NULL;
}

const char *oxidize_elf_first_text(const struct oxidize_elf *elf, ElfW(Sxword) tag) {
    uint64_t cursor = 0;
    return oxidize_elf_text(elf, tag, &cursor);
}

/* The table of defined versions: a chain of ElfW(Verdef), each with its name in the first
 * ElfW(Verdaux). The chain goes forward only, so that it ends. */
struct versions {
    const struct oxidize_elf *elf;
    uint64_t at, left;
};

static bool first_version(const struct oxidize_elf *elf, struct versions *versions) {
    uint64_t address, room;
    *versions = (struct versions){.elf = elf};
    return value_of(elf, DT_VERDEF, &address) && value_of(elf, DT_VERDEFNUM, &versions->left) &&
           offset_of(elf, address, &versions->at, &room);
}

/* The next version's name, or NULL. `*damaged` is set if the chain breaks off. */
static const char *next_version(struct versions *versions, bool *damaged) {
    ElfW(Verdef) version;
    ElfW(Verdaux) first;
    if (versions->left == 0)
        return NULL;
    bool whole = read_at(versions->elf, versions->at, &version, sizeof version) &&
                 read_at(versions->elf, versions->at + version.vd_aux, &first, sizeof first);
    const char *name = whole ? text_at(versions->elf, first.vda_name) : NULL;
    *damaged = name == NULL;
    versions->left = whole && version.vd_next ? versions->left - 1 : 0;
    versions->at += whole ? version.vd_next : 0;
    return name;
}

static bool has_version(const struct oxidize_elf *elf, const char *wanted) {
    struct versions versions;
    bool damaged = false;
    const char *name;
    if (!first_version(elf, &versions))
        return false;
    while ((name = next_version(&versions, &damaged)) != NULL)
        if (strcmp(name, wanted) == 0)
            return true;
    return false;
}

bool oxidize_elf_has_versions_of(const struct oxidize_elf *elf, const struct oxidize_elf *wanted) {
    struct versions versions;
    bool damaged = false;
    const char *name;
    if (!first_version(wanted, &versions))
        return false;
    while ((name = next_version(&versions, &damaged)) != NULL)
        if (!has_version(elf, name))
            return false;
    return !damaged;
}
