/* On musl: the part of dlopen() that a static executable can offer: itself.
 *
 * `dlopen(NULL)` and `dlsym()` look into the executable's own dynamic symbol table, which a
 * static-pie has for the names of `--dynamic-list`. So `ctypes.pythonapi` and `CDLL(None)` work.
 * musl's own functions are weak, so these win; a C library with a loader (`__GLIBC__`) keeps its. */
#define _GNU_SOURCE
#include <dlfcn.h>

#ifndef __GLIBC__
#include <link.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

extern const ElfW(Dyn) _DYNAMIC[] __attribute__((visibility("hidden")));
extern const ElfW(Ehdr) __ehdr_start __attribute__((visibility("hidden")));

#define BLOOM_BITS (8 * (uint32_t)sizeof(ElfW(Addr)))

/* Per thread, as dlerror() wants it. */
static _Thread_local char message[256];
static _Thread_local int failed;

static char self; /* its address is the handle */

/* A table that the dynamic section names. musl leaves those addresses as they are in the file. */
static const void *table(ElfW(Sxword) tag) {
    for (const ElfW(Dyn) *entry = _DYNAMIC; entry->d_tag != DT_NULL; entry++)
        if (entry->d_tag == tag)
            return (const char *)&__ehdr_start + entry->d_un.d_ptr;
    return NULL;
}

static uint32_t hash_of(const char *name) {
    uint32_t hash = 5381;
    for (; *name; name++)
        hash = hash * 33 + (uint8_t)*name;
    return hash;
}

/* Format: "GNU hash section", as glibc's elf/dl-lookup.c and LLD write and read it. */
static const ElfW(Sym) *look_up(const char *name) {
    const uint32_t *header = table(DT_GNU_HASH);
    const ElfW(Sym) *symbols = table(DT_SYMTAB);
    const char *strings = table(DT_STRTAB);
    if (!header || !symbols || !strings || header[0] == 0)
        return NULL;
    uint32_t bucket_count = header[0], first = header[1], words = header[2], shift = header[3];
    const ElfW(Addr) *bloom = (const ElfW(Addr) *)(const void *)(header + 4);
    const uint32_t *buckets = (const uint32_t *)(const void *)(bloom + words);
    const uint32_t *chains = buckets + bucket_count;
    uint32_t hash = hash_of(name);
    ElfW(Addr) word = bloom[(hash / BLOOM_BITS) % words];
    ElfW(Addr) both = ((ElfW(Addr))1 << (hash % BLOOM_BITS)) |
                      ((ElfW(Addr))1 << ((hash >> shift) % BLOOM_BITS));
    uint32_t index = buckets[hash % bucket_count];
    if ((word & both) != both || index < first)
        return NULL;
    for (;; index++) {
        uint32_t chain = chains[index - first];
        if ((chain | 1) == (hash | 1) && strcmp(strings + symbols[index].st_name, name) == 0)
            return &symbols[index];
        if (chain & 1)
            return NULL;
    }
}

static void *fail(const char *format, const char *name) {
    snprintf(message, sizeof message, format, name);
    failed = 1;
    return NULL;
}

void *dlopen(const char *name, int flags) {
    (void)flags;
    if (name == NULL || *name == '\0')
        return &self;
    return fail("%.150s: this executable is static and cannot load shared libraries", name);
}

int dlclose(void *handle) {
    (void)handle;
    return 0;
}

char *dlerror(void) {
    if (!failed)
        return NULL;
    failed = 0;
    return message;
}

void *dlsym(void *restrict handle, const char *restrict name) {
    (void)handle;
    const ElfW(Sym) *symbol = look_up(name);
    if (symbol == NULL)
        return fail("undefined symbol: %.200s", name);
    return (char *)(uintptr_t)&__ehdr_start + symbol->st_value;
}
#else
typedef int oxidize_no_loader;
#endif
