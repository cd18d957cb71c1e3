/* On musl, in an executable that is its own loader: how the loader reads libraries of the image.
 *
 * musl's dynlink.c calls these in place of open(), read(), mmap(), ... (sandbox/toolchain/musl_edits.py). A
 * library is mapped straight from the executable's file: its pages are shared and read when they
 * are used. Where the executable cannot be opened again (no /proc, not readable), a memfd holds a
 * copy; where the kernel has none either, anonymous memory does.
 *
 * The loader works on one file at a time, under its lock; the one of the image is `current`. No
 * descriptor stays open: programs that close all of theirs must not close ours. */
#define _GNU_SOURCE
#include "vfs.h"

#ifndef __GLIBC__
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <unistd.h>

#include "image_access.h"

#define NO_DESCRIPTOR 0x7fffffff /* stands for a copy in memory; no kernel gives it */
#define PROBE_SIZE 4096

extern const ElfW(Ehdr) __ehdr_start __attribute__((visibility("hidden")));

static struct {
    int descriptor; /* of the executable, or NO_DESCRIPTOR; -1: the loader's file is not ours */
    uint32_t node;
    const uint8_t *content;
    size_t size;
    off_t offset; /* of the content in the executable's file */
} current = {.descriptor = -1};

static bool no_new_code; /* why the last library could not be loaded */

static bool is_current(int descriptor) {
    return current.descriptor != -1 && descriptor == current.descriptor;
}

/* Where in the executable's file a part of its memory comes from, or -1. */
static off_t file_offset(const uint8_t *address, size_t size) {
    const uint8_t *base = (const uint8_t *)&__ehdr_start;
    const ElfW(Phdr) *segment = (const ElfW(Phdr) *)(const void *)(base + __ehdr_start.e_phoff);
    for (int i = 0; i < __ehdr_start.e_phnum; i++, segment++) {
        const uint8_t *start = base + segment->p_vaddr;
        if (segment->p_type == PT_LOAD && address >= start &&
            (size_t)(address - start) + size <= segment->p_filesz)
            return (off_t)segment->p_offset + (address - start);
    }
    return -1;
}

/* Whether the file has the library's first and last bytes where the executable has them. */
static bool has_content(int descriptor) {
    uint8_t buffer[PROBE_SIZE];
    size_t length = current.size < sizeof buffer ? current.size : sizeof buffer;
    size_t last = current.size - length;
    return pread(descriptor, buffer, length, current.offset) == (ssize_t)length &&
           memcmp(buffer, current.content, length) == 0 &&
           pread(descriptor, buffer, length, current.offset + (off_t)last) == (ssize_t)length &&
           memcmp(buffer, current.content + last, length) == 0;
}

static int open_checked(const char *path) {
    int descriptor = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (descriptor >= 0 && !has_content(descriptor)) {
        close(descriptor);
        return -1;
    }
    return descriptor;
}

/* The executable's own file, or -1. What a set-user-ID program is told of its path is not used: its
 * caller may put another file there between two calls. */
static int open_executable(void) {
    current.offset = file_offset(current.content, current.size);
    if (current.offset < 0 || getauxval(AT_SECURE))
        return -1;
    int descriptor = open_checked("/proc/self/exe");
    return descriptor >= 0 ? descriptor : open_checked((const char *)getauxval(AT_EXECFN));
}

static int open_library(uint32_t index) {
    const struct oxidize_node *node = oxidize_node(index);
    const uint8_t *content = node ? oxidize_content(node) : NULL;
    if (content == NULL || node->size == 0) {
        errno = node && node->kind == OXIDIZE_DIRECTORY ? EISDIR : ENOEXEC;
        return -1;
    }
    current.node = index;
    current.content = content;
    current.size = (size_t)node->size;
    current.descriptor = open_executable();
    if (current.descriptor >= 0)
        return current.descriptor;
    int copy = oxidize_open_memory(index, O_CLOEXEC);
    if (copy >= 0)
        return copy;
    return current.descriptor = NO_DESCRIPTOR;
}

int oxidize_library_open(const char *path, int flags) {
    struct oxidize_place place;
    current.descriptor = -1;
    no_new_code = false;
    if (!oxidize_find(AT_FDCWD, path, &place))
        return open(place.outside, flags);
    return place.node == OXIDIZE_NONE ? -1 : open_library(place.node);
}

ssize_t oxidize_library_read(int descriptor, void *buffer, size_t size, off_t offset) {
    if (!is_current(descriptor))
        return pread(descriptor, buffer, size, offset);
    if (offset < 0 || (size_t)offset >= current.size)
        return 0;
    size_t rest = current.size - (size_t)offset;
    size_t length = size < rest ? size : rest;
    memcpy(buffer, current.content + offset, length);
    return (ssize_t)length;
}

int oxidize_library_stat(int descriptor, struct stat *status) {
    if (!is_current(descriptor))
        return fstat(descriptor, status);
    oxidize_fill_stat(current.node, status);
    return 0;
}

/* Memory with a copy of the content at `offset`. */
static void *map_copy(void *address, size_t size, int protection, int flags, off_t offset) {
    void *memory =
        mmap(address, size, PROT_READ | PROT_WRITE, flags | MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
        return memory;
    size_t at = (size_t)offset < current.size ? (size_t)offset : current.size;
    size_t rest = current.size - at;
    memcpy(memory, current.content + at, size < rest ? size : rest);
    if (mprotect(memory, size, protection) == 0)
        return memory;
    int error = errno;
    no_new_code = error == EACCES;
    munmap(memory, size);
    errno = error;
    return MAP_FAILED;
}

void *oxidize_library_map(void *address, size_t size, int protection, int flags, int descriptor,
                          off_t offset) {
    if (!is_current(descriptor))
        return mmap(address, size, protection, flags, descriptor, offset);
    if (descriptor == NO_DESCRIPTOR)
        return map_copy(address, size, protection, flags, offset);
    return mmap(address, size, protection, flags, descriptor, current.offset + offset);
}

/* For the loader's message: what errno says, or more where it would mislead. */
const char *oxidize_library_problem(void) {
    return no_new_code ? "this system lets no memory become code (PR_SET_MDWE, SELinux), and there "
                         "is no file to map it from: the executable cannot be opened to be read, "
                         "and the kernel has no memfd_create()"
                       : strerror(errno);
}

int oxidize_library_close(int descriptor) {
    if (!is_current(descriptor))
        return close(descriptor);
    current.descriptor = -1;
    return descriptor == NO_DESCRIPTOR ? 0 : close(descriptor);
}
#else
typedef int oxidize_no_library;
#endif
