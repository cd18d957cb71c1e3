#define _GNU_SOURCE /* madvise */
#include "code_pages.h"

#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

/* Bytes: letting go costs a system call, and faults where neighbours of what was read are next. */
#define OFTEN_ENOUGH (1u << 20)

static void let_go(uintptr_t low, uintptr_t high) {
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    uintptr_t start = (low + page - 1) & -page;
    uintptr_t end = high & -page;
    int error = errno;
    if (start < end) /* refused where memory is locked: then it stays */
        madvise((void *)start, end - start, MADV_DONTNEED);
    errno = error;
}

void oxidize_code_was_read(struct oxidize_code_pages *pages, const uint8_t *code, size_t size) {
    uintptr_t low = (uintptr_t)code, high = low + size;
    if (pages->size == 0 || low < pages->low)
        pages->low = low;
    if (pages->size == 0 || high > pages->high)
        pages->high = high;
    pages->size += size;
    if (pages->size < OFTEN_ENOUGH)
        return;
    pages->size = 0;
    let_go(pages->low, pages->high);
}
