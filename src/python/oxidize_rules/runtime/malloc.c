/* On musl: the C allocation functions of the whole executable, from the mimalloc inside CPython.
 * musl's own is 2 to 40 times slower on allocation-heavy work; this also serves OpenSSL, SQLite
 * and every extension. These stand before libc's archives, so that everything in libc uses them, too.
 */
#include <pyconfig.h>
#include <stdlib.h>

#if defined(WITH_MIMALLOC) && !defined(__GLIBC__)
#include <malloc.h>
#include <stddef.h>

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
#elif defined(__GLIBC__)
/* glibc's allocator stays: extension modules loaded later share it. It gives each block from 128 KiB
 * on a mapping of its own, until it sees a larger one freed, and then keeps blocks up to that size
 * in the heap. So one is freed here: numpy's temporaries would pay for new pages each time, 30 times
 * as much. Whether python3 does is luck: it depends on what it has read before. */
__attribute__((constructor)) static void raise_mapping_threshold(void) {
    void *volatile block = malloc(1 << 20);
    free(block);
}
#else
typedef int oxidize_no_allocator;
#endif
