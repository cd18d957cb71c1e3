/* The content of a file of the image, copied into a descriptor. */
#define _GNU_SOURCE
#include "vfs.h"

#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#include "file_pages.h"
#include "image_access.h"
#include "inflate.h"

#define LARGE (1u << 20) /* bytes; below it a system call costs more than it frees */

bool oxidize_write_all(int descriptor, const uint8_t *bytes, uint64_t size) {
    off_t at = 0;
    while (size > 0) {
        /* At most 1 GiB: the kernel cuts a write at 2 GiB. pwrite leaves the position at 0. */
        size_t chunk = size < (1u << 30) ? (size_t)size : (1u << 30);
        ssize_t done = pwrite(descriptor, bytes, chunk, at);
        if (done < 0 && errno == EINTR)
            continue;
        if (done <= 0)
            return false;
        bytes += done;
        at += done;
        size -= (uint64_t)done;
    }
    return true;
}

void oxidize_let_go(const uint8_t *content, uint64_t size) {
    if (size >= LARGE)
        oxidize_let_go_pages((uintptr_t)content, (uintptr_t)content + size);
}

/* Through memory of its own: a mapping of the file would end the process (SIGBUS) where a write
 * fails, and open() may be called where malloc() may not give as much. */
static bool copy_inflated(int descriptor, const struct oxidize_node *node, const uint8_t *stored) {
    size_t size = (size_t)node->size;
    void *buffer = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (buffer == MAP_FAILED)
        return false;
    bool good = oxidize_inflate(buffer, size, stored, node->stored);
    if (!good)
        errno = EIO;
    good = good && oxidize_write_all(descriptor, buffer, size);
    int error = errno;
    munmap(buffer, size);
    errno = error;
    return good;
}

bool oxidize_copy_content(int descriptor, const struct oxidize_node *node) {
    const uint8_t *stored = oxidize_compressed(node);
    if (stored)
        return copy_inflated(descriptor, node, stored);
    const uint8_t *content = oxidize_content(node);
    if (content == NULL)
        return true; /* a folder */
    bool written = oxidize_write_all(descriptor, content, node->size);
    oxidize_let_go(content, node->size);
    return written;
}
