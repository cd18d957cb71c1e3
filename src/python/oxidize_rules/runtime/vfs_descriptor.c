/* Which node an open descriptor stands for: told by its modification time (see vfs.h). */
#define _GNU_SOURCE
#include "vfs.h"

#include <errno.h>

#include "image_access.h"
#include "wrap.h"

REAL(fstat);

uint32_t oxidize_node_of_stat(const struct stat *status) {
    /* On glibc fstat() may be a function around __fxstat(), which is wrapped as well. */
    if (status->st_dev == OXIDIZE_DEVICE)
        return (uint32_t)(status->st_ino - 1);
    if (!S_ISREG(status->st_mode) || status->st_nlink != 0 ||
        status->st_mtim.tv_sec != OXIDIZE_MTIME)
        return OXIDIZE_NONE;
    uint32_t index = (uint32_t)status->st_mtim.tv_nsec;
    const struct oxidize_node *node = oxidize_node(index);
    bool right = node && (uint64_t)status->st_size == node->size;
    return right ? index : OXIDIZE_NONE;
}

uint32_t oxidize_node_of_descriptor(int descriptor) {
    struct stat status;
    int error = errno;
    int failed = CALL(fstat)(descriptor, &status);
    errno = error;
    return failed ? OXIDIZE_NONE : oxidize_node_of_stat(&status);
}
