#include "code_pages.h"

#include "file_pages.h"

/* Bytes: letting go costs a system call, and faults where neighbours of what was read are next. */
#define OFTEN_ENOUGH (1u << 20)

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
    oxidize_let_go_pages(pages->low, pages->high);
}
