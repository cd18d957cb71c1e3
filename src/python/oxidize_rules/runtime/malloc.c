/* On musl: the C allocation functions of the whole executable, from the mimalloc inside CPython.
 * musl's own is 2 to 40 times slower on allocation-heavy work; this also serves OpenSSL, SQLite
 * and every extension. These definitions stand before libc's archives, whose own are not used.
 *
 * Every libc function that returns a block for free() must end here. zig 0.17 has some of musl
 * rewritten in zig as one object with an allocator of its own, which strdup(), strndup(),
 * wcsdup(), reallocarray() and valloc() in it call directly: so those stand here, too. */
#include <pyconfig.h>
#include <stdlib.h>

#if defined(WITH_MIMALLOC) && !defined(__GLIBC__)
#include <errno.h>
#include <malloc.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>
#include <wchar.h>

/* From CPython's copy of mimalloc.h, which the installed headers lack. */
void *mi_malloc(size_t size);
void *mi_calloc(size_t count, size_t size);
void *mi_realloc(void *block, size_t size);
void mi_free(void *block);
void *mi_memalign(size_t alignment, size_t size);
int mi_posix_memalign(void **block, size_t alignment, size_t size);
void *mi_aligned_alloc(size_t alignment, size_t size);
size_t mi_usable_size(const void *block);

void *malloc(size_t size) { return mi_malloc(size); }
void *calloc(size_t count, size_t size) { return mi_calloc(count, size); }
void *realloc(void *block, size_t size) { return mi_realloc(block, size); }
void free(void *block) { mi_free(block); }
void *memalign(size_t alignment, size_t size) { return mi_memalign(alignment, size); }
void *aligned_alloc(size_t alignment, size_t size) { return mi_aligned_alloc(alignment, size); }
size_t malloc_usable_size(void *block) { return mi_usable_size(block); }
int posix_memalign(void **block, size_t alignment, size_t size) {
    return mi_posix_memalign(block, alignment, size);
}

void *reallocarray(void *block, size_t count, size_t size) {
    if (size && count > SIZE_MAX / size) {
        errno = ENOMEM;
        return NULL;
    }
    return mi_realloc(block, count * size);
}

void *valloc(size_t size) { return mi_memalign((size_t)sysconf(_SC_PAGESIZE), size); }

char *strndup(const char *text, size_t limit) {
    size_t length = strnlen(text, limit);
    char *copy = mi_malloc(length + 1);
    if (copy == NULL)
        return NULL;
    copy[length] = '\0';
    return memcpy(copy, text, length);
}

char *strdup(const char *text) {
    size_t size = strlen(text) + 1;
    char *copy = mi_malloc(size);
    return copy ? memcpy(copy, text, size) : NULL;
}

wchar_t *wcsdup(const wchar_t *text) {
    size_t count = wcslen(text) + 1;
    wchar_t *copy = mi_calloc(count, sizeof *copy);
    return copy ? wmemcpy(copy, text, count) : NULL;
}
#else
/* glibc's allocator stays: extension modules loaded later share it. */
typedef int oxidize_no_allocator;
#endif
