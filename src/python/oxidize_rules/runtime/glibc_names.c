/* On glibc: names beside the usual ones under which libraries call the file functions.
 *
 * What was compiled with _FORTIFY_SOURCE calls functions that check sizes first; newer code asks
 * statx(), which tells more than stat(). */
#define _GNU_SOURCE
#include "wrap.h"

#ifdef __GLIBC__
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "image_access.h"
#include "vfs.h"

/* These have no mode argument; where a file would be created, libc's own end the process. */
#define WRAP_OPEN(name, plain, declare, pass)                                                      \
    int name declare;                                                                              \
    REAL(name);                                                                                    \
    WRAP(int, name) declare {                                                                      \
        bool creates = (flags & O_CREAT) || (flags & O_TMPFILE) == O_TMPFILE;                      \
        return creates ? CALL(name) pass : plain pass;                                             \
    }

WRAP_OPEN(__open_2, open, (const char *path, int flags), (path, flags))
WRAP_OPEN(__open64_2, open64, (const char *path, int flags), (path, flags))
WRAP_OPEN(__openat_2, openat, (int folder, const char *path, int flags), (folder, path, flags))
WRAP_OPEN(__openat64_2, openat64, (int folder, const char *path, int flags), (folder, path, flags))

/* `room` is the buffer's size as the compiler knows it. libc's own end the process if it is not
 * enough. */
char *__realpath_chk(const char *path, char *buffer, size_t room);
REAL(__realpath_chk);
WRAP(char *, __realpath_chk)(const char *path, char *buffer, size_t room) {
    struct oxidize_place place;
    bool inside = oxidize_resolve(AT_FDCWD, path, &place) && room >= PATH_MAX;
    return inside ? realpath(path, buffer) : CALL(__realpath_chk)(path, buffer, room);
}

ssize_t __readlink_chk(const char *path, char *buffer, size_t size, size_t room);
REAL(__readlink_chk);
WRAP(ssize_t, __readlink_chk)(const char *path, char *buffer, size_t size, size_t room) {
    return size > room ? CALL(__readlink_chk)(path, buffer, size, room)
                       : readlink(path, buffer, size);
}

ssize_t __readlinkat_chk(int folder, const char *path, char *buffer, size_t size, size_t room);
REAL(__readlinkat_chk);
WRAP(ssize_t, __readlinkat_chk)
(int folder, const char *path, char *buffer, size_t size, size_t room) {
    return size > room ? CALL(__readlinkat_chk)(folder, path, buffer, size, room)
                       : readlinkat(folder, path, buffer, size);
}

REAL(euidaccess);
WRAP(int, euidaccess)(const char *path, int mode) {
    struct oxidize_place place;
    return oxidize_resolve(AT_FDCWD, path, &place) ? eaccess(path, mode)
                                                   : CALL(euidaccess)(place.outside, mode);
}

static struct statx_timestamp to_timestamp(struct timespec time) {
    return (struct statx_timestamp){.tv_sec = time.tv_sec, .tv_nsec = (uint32_t)time.tv_nsec};
}

static void fill_statx(uint32_t node, struct statx *result) {
    struct stat status;
    oxidize_fill_stat(node, &status);
    memset(result, 0, sizeof *result);
    result->stx_mask = STATX_BASIC_STATS;
    result->stx_blksize = (uint32_t)status.st_blksize;
    result->stx_nlink = (uint32_t)status.st_nlink;
    result->stx_mode = (uint16_t)status.st_mode;
    result->stx_ino = status.st_ino;
    result->stx_size = (uint64_t)status.st_size;
    result->stx_blocks = (uint64_t)status.st_blocks;
    result->stx_atime = to_timestamp(status.st_atim);
    result->stx_ctime = to_timestamp(status.st_ctim);
    result->stx_mtime = to_timestamp(status.st_mtim);
    result->stx_dev_major = major(status.st_dev);
    result->stx_dev_minor = minor(status.st_dev);
}

/* statx() with an empty path asks about a descriptor, which may be one of ours. */
static bool find_for_statx(int folder, const char *path, int flags, struct oxidize_place *place) {
    if (!(flags & AT_EMPTY_PATH) || path == NULL || *path)
        return oxidize_find(folder, path, place);
    place->outside = path;
    place->node = oxidize_node_of_descriptor(folder);
    return place->node != OXIDIZE_NONE;
}

int statx(int folder, const char *restrict path, int flags, unsigned mask,
          struct statx *restrict result);
REAL(statx);
WRAP(int, statx)
(int folder, const char *restrict path, int flags, unsigned mask, struct statx *restrict result) {
    struct oxidize_place place;
    if (!find_for_statx(folder, path, flags, &place))
        return CALL(statx)(folder, place.outside, flags, mask, result);
    if (place.node == OXIDIZE_NONE)
        return -1;
    fill_statx(place.node, result);
    return 0;
}
#else
typedef int oxidize_no_names;
#endif
