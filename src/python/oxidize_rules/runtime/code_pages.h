/* Memory of bytecode that has been read: once a module is imported, its bytecode is of no use. */
#ifndef OXIDIZE_CODE_PAGES_H
#define OXIDIZE_CODE_PAGES_H

#include <stddef.h>
#include <stdint.h>

/* What was read and may still be in memory. All zero at first. */
struct oxidize_code_pages {
    uintptr_t low, high; /* all of it lies between these */
    size_t size;         /* how many bytes of it were read */
};

/* `size` bytes at `code`, content of the image, have been read. From time to time the pages between
 * all that was read are let go: they are the executable's file's, and come from there if somebody
 * wants them again. errno stays. */
void oxidize_code_was_read(struct oxidize_code_pages *pages, const uint8_t *code, size_t size);

#endif
