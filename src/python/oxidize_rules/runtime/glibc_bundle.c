/* On glibc: a library without content that needs others.
 *
 * Opening it makes the dynamic linker load all of them in one go: so it resolves their symbols,
 * runs their constructors and tells their circles as if it had found them itself. */
#include <stddef.h> /* for __GLIBC__ */
#include <stdlib.h>

#ifdef __GLIBC__
#include <elf.h>
#include <string.h>

#include "glibc_load.h"

#if defined(__x86_64__)
#define MACHINE EM_X86_64
#elif defined(__aarch64__)
#define MACHINE EM_AARCH64
#endif
#define PAGE 0x10000 /* of all supported machines, the largest */
#define SEGMENTS 3
#define OTHER_ENTRIES 5

/* The file: header, segments, dynamic section, the one empty symbol, the names. */
struct layout {
    size_t dynamic_at, dynamic_size, symbol_at, strings_at, strings_size, size;
};

static struct layout lay_out(const struct oxidize_load *load) {
    struct layout layout = {.strings_size = 1};
    for (size_t i = 0; i < load->count; i++)
        layout.strings_size += strlen(load->members[i].file.path) + 1;
    layout.dynamic_at = sizeof(ElfW(Ehdr)) + SEGMENTS * sizeof(ElfW(Phdr));
    layout.dynamic_size = (load->count + OTHER_ENTRIES) * sizeof(ElfW(Dyn));
    layout.symbol_at = layout.dynamic_at + layout.dynamic_size;
    layout.strings_at = layout.symbol_at + sizeof(ElfW(Sym));
    layout.size = layout.strings_at + layout.strings_size;
    return layout;
}

static void write_header(uint8_t *file) {
    ElfW(Ehdr) header = {
        .e_ident = {ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB, EV_CURRENT},
        .e_type = ET_DYN,
        .e_machine = MACHINE,
        .e_version = EV_CURRENT,
        .e_phoff = sizeof header,
        .e_ehsize = sizeof header,
        .e_phentsize = sizeof(ElfW(Phdr)),
        .e_phnum = SEGMENTS,
        .e_shentsize = sizeof(ElfW(Shdr)),
    };
    memcpy(file, &header, sizeof header);
}

/* Writable, since the dynamic linker notes addresses in the dynamic section. Without
 * PT_GNU_STACK it would take the library for one that wants an executable stack. */
static void write_segments(uint8_t *file, const struct layout *layout) {
    ElfW(Phdr) segments[SEGMENTS] = {
        {.p_type = PT_LOAD,
         .p_flags = PF_R | PF_W,
         .p_filesz = layout->size,
         .p_memsz = layout->size,
         .p_align = PAGE},
        {.p_type = PT_DYNAMIC,
         .p_flags = PF_R | PF_W,
         .p_offset = layout->dynamic_at,
         .p_vaddr = layout->dynamic_at,
         .p_paddr = layout->dynamic_at,
         .p_filesz = layout->dynamic_size,
         .p_memsz = layout->dynamic_size,
         .p_align = sizeof(ElfW(Addr))},
        {.p_type = PT_GNU_STACK, .p_flags = PF_R | PF_W, .p_align = 16},
    };
    memcpy(file + sizeof(ElfW(Ehdr)), segments, sizeof segments);
}

static uint8_t *write_entry(uint8_t *at, ElfW(Sxword) tag, size_t value) {
    ElfW(Dyn) entry = {.d_tag = tag, .d_un.d_val = value};
    memcpy(at, &entry, sizeof entry);
    return at + sizeof entry;
}

uint8_t *oxidize_write_bundle(const struct oxidize_load *load, size_t *size) {
    struct layout layout = lay_out(load);
    uint8_t *file = calloc(1, layout.size);
    if (file == NULL)
        return NULL;
    write_header(file);
    write_segments(file, &layout);
    uint8_t *at = file + layout.dynamic_at;
    size_t string = 1; /* the first one is empty */
    for (size_t i = 0; i < load->count; i++) {
        const char *path = load->members[i].file.path;
        at = write_entry(at, DT_NEEDED, string);
        memcpy(file + layout.strings_at + string, path, strlen(path) + 1);
        string += strlen(path) + 1;
    }
    at = write_entry(at, DT_STRTAB, layout.strings_at);
    at = write_entry(at, DT_STRSZ, layout.strings_size);
    at = write_entry(at, DT_SYMTAB, layout.symbol_at);
    write_entry(at, DT_SYMENT, sizeof(ElfW(Sym))); /* DT_NULL is the 0 behind it */
    *size = layout.size;
    return file;
}
#else
typedef int oxidize_no_bundle;
#endif
