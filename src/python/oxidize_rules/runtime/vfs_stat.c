/* Asking about a path: stat(), access(), readlink(), realpath() and their kin. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "image_access.h"
#include "vfs.h"
#include "wrap.h"

void oxidize_fill_stat(uint32_t index, struct stat *status) {
    const struct oxidize_node *node = oxidize_node(index);
    struct timespec when = {.tv_sec = OXIDIZE_MTIME, .tv_nsec = index};
    bool folder = node && node->kind == OXIDIZE_DIRECTORY;
    uint64_t size = node ? node->size : 0;
    memset(status, 0, sizeof *status);
    status->st_mode = folder ? S_IFDIR | 0555 : S_IFREG | (node && node->executable ? 0555 : 0444);
    status->st_dev = OXIDIZE_DEVICE;
    status->st_ino = (ino_t)index + 1;
    status->st_nlink = folder ? 2 : 1;
    status->st_size = (off_t)size;
    status->st_blksize = 4096;
    status->st_blocks = (blkcnt_t)((size + 511) / 512);
    status->st_atim = status->st_ctim = when;
    status->st_mtim = when;
}

/* After libc's fstat(): if it was a descriptor of ours, tell about its node. */
static int finish_fstat(int result, struct stat *status) {
    uint32_t node = result == 0 ? oxidize_node_of_stat(status) : OXIDIZE_NONE;
    if (node != OXIDIZE_NONE)
        oxidize_fill_stat(node, status);
    return result;
}

/* One function for each libc name: `kind` is the struct, which has the layout of struct stat. */
#define WRAP_STAT(name, kind)                                                                      \
    REAL(name);                                                                                    \
    WRAP(int, name)(const char *path, struct kind *status) {                                       \
        struct oxidize_place place;                                                                \
        _Static_assert(sizeof(struct kind) == sizeof(struct stat), "same layout");                 \
        if (!oxidize_find(AT_FDCWD, path, &place))                                                 \
            return CALL(name)(place.outside, status);                                              \
        if (place.node == OXIDIZE_NONE)                                                            \
            return -1;                                                                             \
        oxidize_fill_stat(place.node, (struct stat *)(void *)status);                              \
        return 0;                                                                                  \
    }

#define WRAP_FSTAT(name, kind)                                                                     \
    REAL(name);                                                                                    \
    WRAP(int, name)(int descriptor, struct kind *status) {                                         \
        return finish_fstat(CALL(name)(descriptor, status), (struct stat *)(void *)status);        \
    }

#define WRAP_FSTATAT(name, kind)                                                                   \
    REAL(name);                                                                                    \
    WRAP(int, name)(int folder, const char *path, struct kind *status, int flags) {                \
        struct oxidize_place place;                                                                \
        if (!oxidize_find(folder, path, &place))                                                   \
            return finish_fstat(CALL(name)(folder, place.outside, status, flags),                  \
                                (struct stat *)(void *)status);                                    \
        if (place.node == OXIDIZE_NONE)                                                            \
            return -1;                                                                             \
        oxidize_fill_stat(place.node, (struct stat *)(void *)status);                              \
        return 0;                                                                                  \
    }

WRAP_STAT(stat, stat)
WRAP_STAT(lstat, stat)
WRAP_FSTAT(fstat, stat)
WRAP_FSTATAT(fstatat, stat)

#ifdef __GLIBC__
WRAP_STAT(stat64, stat64)
WRAP_STAT(lstat64, stat64)
WRAP_FSTAT(fstat64, stat64)
WRAP_FSTATAT(fstatat64, stat64)

/* Names that objects compiled against a glibc before 2.33 use. `version` is the struct's layout
 * number, of which 64-bit machines have one. */
#define WRAP_XSTAT(name, kind)                                                                     \
    int name(int version, const char *path, struct kind *status);                                  \
    REAL(name);                                                                                    \
    WRAP(int, name)(int version, const char *path, struct kind *status) {                          \
        struct oxidize_place place;                                                                \
        if (!oxidize_find(AT_FDCWD, path, &place))                                                 \
            return CALL(name)(version, place.outside, status);                                     \
        if (place.node == OXIDIZE_NONE)                                                            \
            return -1;                                                                             \
        oxidize_fill_stat(place.node, (struct stat *)(void *)status);                              \
        return 0;                                                                                  \
    }

#define WRAP_FXSTAT(name, kind)                                                                    \
    int name(int version, int descriptor, struct kind *status);                                    \
    REAL(name);                                                                                    \
    WRAP(int, name)(int version, int descriptor, struct kind *status) {                            \
        return finish_fstat(CALL(name)(version, descriptor, status),                               \
                            (struct stat *)(void *)status);                                        \
    }

#define WRAP_FXSTATAT(name, kind)                                                                  \
    int name(int version, int folder, const char *path, struct kind *status, int flags);           \
    REAL(name);                                                                                    \
    WRAP(int, name)(int version, int folder, const char *path, struct kind *status, int flags) {   \
        struct oxidize_place place;                                                                \
        if (!oxidize_find(folder, path, &place))                                                   \
            return finish_fstat(CALL(name)(version, folder, place.outside, status, flags),         \
                                (struct stat *)(void *)status);                                    \
        if (place.node == OXIDIZE_NONE)                                                            \
            return -1;                                                                             \
        oxidize_fill_stat(place.node, (struct stat *)(void *)status);                              \
        return 0;                                                                                  \
    }

WRAP_XSTAT(__xstat, stat)
WRAP_XSTAT(__xstat64, stat64)
WRAP_XSTAT(__lxstat, stat)
WRAP_XSTAT(__lxstat64, stat64)
WRAP_FXSTAT(__fxstat, stat)
WRAP_FXSTAT(__fxstat64, stat64)
WRAP_FXSTATAT(__fxstatat, stat)
WRAP_FXSTATAT(__fxstatat64, stat64)
#endif

/* access() of a node for the modes that were asked. */
static int access_node(uint32_t index, int mode) {
    const struct oxidize_node *node = oxidize_node(index);
    if (index == OXIDIZE_NONE || node == NULL)
        return -1; /* errno is set */
    if (mode & W_OK) {
        errno = EROFS;
        return -1;
    }
    if ((mode & X_OK) && node->kind == OXIDIZE_FILE && !node->executable) {
        errno = EACCES;
        return -1;
    }
    return 0;
}

REAL(access);
WRAP(int, access)(const char *path, int mode) {
    struct oxidize_place place;
    if (oxidize_find(AT_FDCWD, path, &place))
        return access_node(place.node, mode);
    return CALL(access)(place.outside, mode);
}

REAL(eaccess);
WRAP(int, eaccess)(const char *path, int mode) {
    struct oxidize_place place;
    if (oxidize_find(AT_FDCWD, path, &place))
        return access_node(place.node, mode);
    return CALL(eaccess)(place.outside, mode);
}

REAL(faccessat);
WRAP(int, faccessat)(int folder, const char *path, int mode, int flags) {
    struct oxidize_place place;
    if (oxidize_find(folder, path, &place))
        return access_node(place.node, mode);
    return CALL(faccessat)(folder, place.outside, mode, flags);
}

/* There are no symbolic links in the image. */
static int not_a_link(const struct oxidize_place *place) {
    if (place->node != OXIDIZE_NONE)
        errno = EINVAL;
    return -1;
}

REAL(readlink);
WRAP(ssize_t, readlink)(const char *restrict path, char *restrict buffer, size_t size) {
    struct oxidize_place place;
    if (oxidize_find(AT_FDCWD, path, &place))
        return not_a_link(&place);
    return CALL(readlink)(place.outside, buffer, size);
}

REAL(readlinkat);
WRAP(ssize_t, readlinkat)
(int folder, const char *restrict path, char *restrict buffer, size_t size) {
    struct oxidize_place place;
    if (oxidize_find(folder, path, &place))
        return not_a_link(&place);
    return CALL(readlinkat)(folder, place.outside, buffer, size);
}

REAL(realpath);
WRAP(char *, realpath)(const char *restrict path, char *restrict buffer) {
    struct oxidize_place place;
    if (!oxidize_find(AT_FDCWD, path, &place))
        return CALL(realpath)(place.outside, buffer);
    if (place.node == OXIDIZE_NONE)
        return NULL;
    char *result = buffer ? buffer : malloc(PATH_MAX);
    if (result && oxidize_absolute_path(place.node, result, PATH_MAX) >= PATH_MAX) {
        if (buffer == NULL)
            free(result);
        errno = ENAMETOOLONG;
        return NULL;
    }
    return result;
}

/* No file of the image has extended attributes. */
#define WRAP_GETXATTR(name)                                                                        \
    REAL(name);                                                                                    \
    WRAP(ssize_t, name)(const char *path, const char *attribute, void *value, size_t size) {       \
        struct oxidize_place place;                                                                \
        if (!oxidize_find(AT_FDCWD, path, &place))                                                 \
            return CALL(name)(place.outside, attribute, value, size);                              \
        if (place.node != OXIDIZE_NONE)                                                            \
            errno = ENODATA;                                                                       \
        return -1;                                                                                 \
    }

#define WRAP_LISTXATTR(name)                                                                       \
    REAL(name);                                                                                    \
    WRAP(ssize_t, name)(const char *path, char *list, size_t size) {                               \
        struct oxidize_place place;                                                                \
        if (!oxidize_find(AT_FDCWD, path, &place))                                                 \
            return CALL(name)(place.outside, list, size);                                          \
        return place.node == OXIDIZE_NONE ? -1 : 0;                                                \
    }

WRAP_GETXATTR(getxattr)
WRAP_GETXATTR(lgetxattr)
WRAP_LISTXATTR(listxattr)
WRAP_LISTXATTR(llistxattr)
