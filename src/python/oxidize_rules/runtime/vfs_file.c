/* Opening a file or folder of the image: a sealed memfd, or where the kernel has none an unlinked
 * temporary file. */
#define _GNU_SOURCE
#include "vfs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "image_access.h"
#include "trace.h"
#include "wrap.h"

/* From linux/memfd.h and linux/fcntl.h, which older C libraries do not show. */
#define MEMFD_CLOEXEC 0x1u
#define MEMFD_ALLOW_SEALING 0x2u
#define MEMFD_NOEXEC_SEAL 0x8u
#define ADD_SEALS (1024 + 9)
#define SEAL_SEAL 0x1
#define SEAL_SHRINK 0x2
#define SEAL_GROW 0x4
#define SEAL_FUTURE_WRITE 0x10

/* Flags of open() that the kernel keeps for an open file. */
#define KEPT_FLAGS (O_CLOEXEC | O_PATH | O_NONBLOCK | O_APPEND)

REAL(open);
REAL(openat);
REAL(fopen);
REAL(futimens);

int oxidize_new_memfd(const char *name, int flags) {
    unsigned common = MEMFD_ALLOW_SEALING | (flags & O_CLOEXEC ? MEMFD_CLOEXEC : 0);
    long descriptor = syscall(__NR_memfd_create, name, common | MEMFD_NOEXEC_SEAL);
    if (descriptor < 0 && errno == EINVAL) /* before Linux 6.3 */
        descriptor = syscall(__NR_memfd_create, name, common);
    return (int)descriptor;
}

/* Whether the file stands where the system lets no code be mapped. */
static bool no_code(int descriptor) {
    struct statvfs status;
    return fstatvfs(descriptor, &status) == 0 && (status.f_flag & ST_NOEXEC);
}

/* A new file in a folder, with a name that this process has not used before. */
static int new_file(const char *folder, char *name, size_t size, int flags) {
    static unsigned count;
    unsigned number = __atomic_add_fetch(&count, 1, __ATOMIC_RELAXED);
    int length = snprintf(name, size, "%s/.oxidized-%u-XXXXXX", folder, number);
    if (length < 0 || (size_t)length >= size)
        return -1;
    return mkostemp(name, flags & O_CLOEXEC);
}

int oxidize_new_temporary(char *name, size_t size, int flags, bool for_code) {
    const char *folders[] = {getenv("TMPDIR"), "/dev/shm", "/tmp", "/var/tmp"};
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) {
        if (folders[i] == NULL || *folders[i] != '/')
            continue;
        int descriptor = new_file(folders[i], name, size, flags);
        if (descriptor >= 0 && !(for_code && no_code(descriptor)))
            return descriptor;
        if (descriptor >= 0) {
            unlink(name);
            close(descriptor);
        }
    }
    errno = ENFILE; /* open() may give it, and "too many open files" hints at a missing resource */
    return -1;
}

/* Not SEAL_WRITE: before Linux 6.7 that also forbids a shared read-only mmap(). */
void oxidize_seal(int descriptor) {
    const int size_seals = SEAL_SHRINK | SEAL_GROW | SEAL_SEAL;
    if (fcntl(descriptor, ADD_SEALS, size_seals | SEAL_FUTURE_WRITE) < 0)
        fcntl(descriptor, ADD_SEALS, size_seals); /* before Linux 5.1 */
}

static bool mark(int descriptor, uint32_t node) {
    struct timespec times[2] = {{.tv_sec = OXIDIZE_MTIME}, {.tv_sec = OXIDIZE_MTIME}};
    times[1].tv_nsec = node;
    return CALL(futimens)(descriptor, times) == 0;
}

static bool fill(int descriptor, uint32_t index, const struct oxidize_node *node) {
    return oxidize_copy_content(descriptor, node) && mark(descriptor, index);
}

/* Close, keep errno, and turn "no space left" into what open() may give. */
static int give_up(int descriptor) {
    int error = errno;
    close(descriptor);
    errno = error == ENOSPC ? ENOMEM : error;
    return -1;
}

/* Where the kernel has no memfd: a file without a name, open for reading only. */
static int open_temporary(uint32_t index, const struct oxidize_node *node, int flags) {
    char name[256];
    int writer = oxidize_new_temporary(name, sizeof name, flags, false);
    if (writer < 0)
        return -1;
    int reader = CALL(open)(name, O_RDONLY | (flags & KEPT_FLAGS));
    unlink(name);
    if (reader < 0 || !fill(writer, index, node)) {
        if (reader >= 0)
            give_up(reader);
        return give_up(writer);
    }
    close(writer);
    return reader;
}

int oxidize_open_memory(uint32_t index, int flags) {
    const struct oxidize_node *node = oxidize_node(index);
    /* The name shows in /proc/<pid>/fd; the kernel takes up to 249 bytes. */
    char name[200];
    snprintf(name, sizeof name, "oxidized:%s", node ? oxidize_string(node->path) : "");
    int descriptor = node ? oxidize_new_memfd(name, flags) : -1;
    if (descriptor < 0)
        return -1;
    if (!fill(descriptor, index, node))
        return give_up(descriptor);
    oxidize_seal(descriptor);
    return descriptor;
}

/* Open for reading only, under the same number. A memfd is open for writing, too: its seals refuse
 * that, but not before the kernel has changed the time by which we know the file. Without /proc it
 * stays so. */
static void make_read_only(int descriptor, int flags) {
    char path[32];
    snprintf(path, sizeof path, "/proc/self/fd/%d", descriptor);
    int reader = CALL(open)(path, O_RDONLY | (flags & KEPT_FLAGS));
    if (reader < 0)
        return;
    dup3(reader, descriptor, flags & O_CLOEXEC);
    close(reader);
}

int oxidize_open_node(uint32_t index, int flags) {
    const struct oxidize_node *node = oxidize_node(index);
    if (node == NULL) {
        errno = ENOENT;
        return -1;
    }
    int before = errno;
    int descriptor = oxidize_open_memory(index, flags);
    if (descriptor >= 0)
        make_read_only(descriptor, flags);
    else if (errno != EMFILE && errno != ENFILE && errno != ENOMEM && errno != EIO)
        descriptor = open_temporary(index, node, flags);
    if (descriptor >= 0)
        errno = before;
    return descriptor;
}

static int refuse(int error) {
    errno = error;
    return -1;
}

int oxidize_open_place(const struct oxidize_place *place, int flags) {
    bool creates = flags & O_CREAT, temporary = (flags & O_TMPFILE) == O_TMPFILE;
    bool writes = (flags & O_ACCMODE) != O_RDONLY || (flags & O_TRUNC);
    if (flags & O_PATH)
        creates = writes = false;
    if (place->node == OXIDIZE_NONE)
        return refuse(creates && place->creatable ? EROFS : place->error);
    const struct oxidize_node *node = oxidize_node(place->node);
    bool folder = node && node->kind == OXIDIZE_DIRECTORY;
    if (creates && (flags & O_EXCL))
        return refuse(EEXIST);
    if ((flags & O_DIRECTORY) && !folder)
        return refuse(ENOTDIR);
    if (folder && temporary)
        return refuse(EROFS);
    if (folder && (creates || writes))
        return refuse(EISDIR);
    if (writes)
        return refuse(EROFS);
    if (oxidize_tracing && node && !folder)
        oxidize_trace("file", oxidize_string(node->path));
    return oxidize_open_node(place->node, flags);
}

/* The mode argument of open() is there only where a file may be created. */
#define MODE_ARGUMENT(flags, mode)                                                                 \
    mode_t mode = 0;                                                                               \
    if (((flags) & O_CREAT) || ((flags) & O_TMPFILE) == O_TMPFILE) {                               \
        va_list arguments;                                                                         \
        va_start(arguments, flags);                                                                \
        mode = va_arg(arguments, mode_t);                                                          \
        va_end(arguments);                                                                         \
    }

/* One function for each libc name. */
#define WRAP_OPEN(name)                                                                            \
    WRAP(int, name)(const char *path, int flags, ...) {                                            \
        struct oxidize_place place;                                                                \
        MODE_ARGUMENT(flags, mode)                                                                 \
        if (oxidize_resolve(AT_FDCWD, path, &place))                                               \
            return oxidize_open_place(&place, flags);                                              \
        return CALL(name)(place.outside, flags, mode);                                             \
    }

#define WRAP_OPENAT(name)                                                                          \
    WRAP(int, name)(int folder, const char *path, int flags, ...) {                                \
        struct oxidize_place place;                                                                \
        MODE_ARGUMENT(flags, mode)                                                                 \
        if (oxidize_resolve(folder, path, &place))                                                 \
            return oxidize_open_place(&place, flags);                                              \
        return CALL(name)(folder, place.outside, flags, mode);                                     \
    }

/* A stream on a place in the image. */
static FILE *open_stream(const struct oxidize_place *place, const char *mode) {
    if (*mode == '\0' || strchr("rwa", *mode) == NULL) {
        errno = EINVAL;
        return NULL;
    }
    int flags = *mode == 'r' ? O_RDONLY : O_WRONLY | O_CREAT | (*mode == 'w' ? O_TRUNC : 0);
    if (strchr(mode, '+'))
        flags = (flags & ~O_ACCMODE) | O_RDWR;
    if (strchr(mode, 'e'))
        flags |= O_CLOEXEC;
    if (strchr(mode, 'x'))
        flags |= O_EXCL;
    int descriptor = oxidize_open_place(place, flags);
    FILE *stream = descriptor < 0 ? NULL : fdopen(descriptor, "r");
    if (descriptor >= 0 && stream == NULL)
        close(descriptor);
    return stream;
}

#define WRAP_FOPEN(name)                                                                           \
    WRAP(FILE *, name)(const char *path, const char *mode) {                                       \
        struct oxidize_place place;                                                                \
        if (oxidize_resolve(AT_FDCWD, path, &place))                                               \
            return open_stream(&place, mode);                                                      \
        return CALL(name)(place.outside, mode);                                                    \
    }

WRAP_OPEN(open)
WRAP_OPENAT(openat)
WRAP_FOPEN(fopen)

#ifdef __GLIBC__
REAL(open64);
REAL(openat64);
REAL(fopen64);
WRAP_OPEN(open64)
WRAP_OPENAT(openat64)
WRAP_FOPEN(fopen64)
#endif
