/* Changing the image: refused with the errno that a read-only disk gives. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/xattr.h>
#include <unistd.h>
#include <utime.h>

#include "image_access.h"
#include "vfs.h"
#include "wrap.h"

static int fail(int error) {
    errno = error;
    return -1;
}

/* For calls that change or remove what is there. A read-only disk says EROFS to the removal of a
 * name that is not there, too; but then nothing is refused, and programs that remove what may be
 * missing look for ENOENT. */
static int refuse_change(const struct oxidize_place *place) {
    return fail(place->node == OXIDIZE_NONE ? place->error : EROFS);
}

/* For calls that make a new name. */
static int refuse_new(const struct oxidize_place *place) {
    if (place->node != OXIDIZE_NONE)
        return fail(EEXIST);
    return fail(place->creatable ? EROFS : place->error);
}

/* `declare` and `pass` are all parameters, of which `path` is one and `start` the folder that it is
 * relative to; `refuse` is one of the two above. */
#define WRAP_PATH_FROM(start, name, refuse, declare, pass)                                         \
    REAL(name);                                                                                    \
    WRAP(int, name) declare {                                                                      \
        struct oxidize_place place;                                                                \
        if (oxidize_resolve(start, path, &place))                                                  \
            return refuse(&place);                                                                 \
        path = place.outside;                                                                      \
        return CALL(name) pass;                                                                    \
    }
#define WRAP_PATH(name, refuse, declare, pass)                                                     \
    WRAP_PATH_FROM(AT_FDCWD, name, refuse, declare, pass)
#define WRAP_PATH_AT(name, refuse, declare, pass)                                                  \
    WRAP_PATH_FROM(folder, name, refuse, declare, pass)

#define WRAP_DESCRIPTOR(name, declare, pass)                                                       \
    REAL(name);                                                                                    \
    WRAP(int, name) declare {                                                                      \
        return oxidize_node_of_descriptor(descriptor) == OXIDIZE_NONE ? CALL(name) pass            \
                                                                      : fail(EROFS);               \
    }

/* clang-format off */
WRAP_PATH(mkdir, refuse_new, (const char *path, mode_t mode), (path, mode))
WRAP_PATH_AT(mkdirat, refuse_new, (int folder, const char *path, mode_t mode), (folder, path, mode))
WRAP_PATH(mknod, refuse_new, (const char *path, mode_t mode, dev_t device), (path, mode, device))
WRAP_PATH_AT(mknodat, refuse_new, (int folder, const char *path, mode_t mode, dev_t device),
             (folder, path, mode, device))
WRAP_PATH(mkfifo, refuse_new, (const char *path, mode_t mode), (path, mode))
WRAP_PATH_AT(mkfifoat, refuse_new, (int folder, const char *path, mode_t mode),
             (folder, path, mode))
WRAP_PATH(symlink, refuse_new, (const char *target, const char *path), (target, path))
WRAP_PATH_AT(symlinkat, refuse_new, (const char *target, int folder, const char *path),
             (target, folder, path))
WRAP_PATH(rmdir, refuse_change, (const char *path), (path))
WRAP_PATH(unlink, refuse_change, (const char *path), (path))
WRAP_PATH_AT(unlinkat, refuse_change, (int folder, const char *path, int flags),
             (folder, path, flags))
WRAP_PATH(remove, refuse_change, (const char *path), (path))
WRAP_PATH(chmod, refuse_change, (const char *path, mode_t mode), (path, mode))
WRAP_PATH_AT(fchmodat, refuse_change, (int folder, const char *path, mode_t mode, int flags),
             (folder, path, mode, flags))
WRAP_PATH(chown, refuse_change, (const char *path, uid_t user, gid_t group), (path, user, group))
WRAP_PATH(lchown, refuse_change, (const char *path, uid_t user, gid_t group), (path, user, group))
WRAP_PATH_AT(fchownat, refuse_change,
             (int folder, const char *path, uid_t user, gid_t group, int flags),
             (folder, path, user, group, flags))
WRAP_PATH(utimes, refuse_change, (const char *path, const struct timeval times[2]), (path, times))
WRAP_PATH_AT(utimensat, refuse_change,
             (int folder, const char *path, const struct timespec times[2], int flags),
             (folder, path, times, flags))
WRAP_PATH(setxattr, refuse_change,
          (const char *path, const char *name, const void *value, size_t size, int flags),
          (path, name, value, size, flags))
WRAP_PATH(lsetxattr, refuse_change,
          (const char *path, const char *name, const void *value, size_t size, int flags),
          (path, name, value, size, flags))
WRAP_PATH(removexattr, refuse_change, (const char *path, const char *name), (path, name))
WRAP_PATH(lremovexattr, refuse_change, (const char *path, const char *name), (path, name))

/* Only the kernel can lock a process in, and it knows no such folder. */
static int refuse_to_enter(const struct oxidize_place *place) {
    const struct oxidize_node *node = oxidize_node(place->node);
    if (node == NULL)
        return fail(place->error);
    return fail(node->kind == OXIDIZE_DIRECTORY ? EACCES : ENOTDIR);
}
WRAP_PATH(chroot, refuse_to_enter, (const char *path), (path))

/* Nothing happens in the image; there is nothing for the kernel to watch either. */
static int refuse_to_watch(const struct oxidize_place *place) {
    return fail(place->node == OXIDIZE_NONE ? place->error : EACCES);
}
WRAP_PATH(inotify_add_watch, refuse_to_watch, (int watches, const char *path, uint32_t mask),
          (watches, path, mask))

static int refuse_truncation(const struct oxidize_place *place) {
    const struct oxidize_node *node = oxidize_node(place->node);
    if (node && node->kind == OXIDIZE_DIRECTORY)
        return fail(EISDIR);
    return refuse_change(place);
}
WRAP_PATH(truncate, refuse_truncation, (const char *path, off_t size), (path, size))

/* Open files of the image: what would change them, our mark among it (vfs.h). */
WRAP_DESCRIPTOR(fchmod, (int descriptor, mode_t mode), (descriptor, mode))
WRAP_DESCRIPTOR(fchown, (int descriptor, uid_t user, gid_t group), (descriptor, user, group))
WRAP_DESCRIPTOR(futimens, (int descriptor, const struct timespec times[2]), (descriptor, times))
WRAP_DESCRIPTOR(fsetxattr,
                (int descriptor, const char *name, const void *value, size_t size, int flags),
                (descriptor, name, value, size, flags))
WRAP_DESCRIPTOR(fremovexattr, (int descriptor, const char *name), (descriptor, name))

#ifdef __GLIBC__
/* Those of musl call the ones above. */
WRAP_PATH(utime, refuse_change, (const char *path, const struct utimbuf *times), (path, times))
WRAP_PATH(lutimes, refuse_change, (const char *path, const struct timeval times[2]), (path, times))
WRAP_PATH_AT(futimesat, refuse_change,
             (int folder, const char *path, const struct timeval times[2]), (folder, path, times))
WRAP_DESCRIPTOR(futimes, (int descriptor, const struct timeval times[2]), (descriptor, times))
WRAP_PATH(truncate64, refuse_truncation, (const char *path, off64_t size), (path, size))
#endif
/* clang-format on */

/* Two paths. Between the image and a disk: another file system (EXDEV, on which callers such as
 * shutil.move() copy instead). Returns 1 when neither is in the image. */
static int refuse_two(const struct oxidize_place *from, bool from_inside,
                      const struct oxidize_place *to, bool to_inside) {
    if (!from_inside && !to_inside)
        return 1;
    if (from_inside && from->node == OXIDIZE_NONE)
        return fail(from->error);
    if (to_inside && to->node == OXIDIZE_NONE && !to->creatable)
        return fail(to->error);
    return fail(from_inside && to_inside ? EROFS : EXDEV);
}

#define WRAP_TWO(name)                                                                             \
    REAL(name);                                                                                    \
    WRAP(int, name)(const char *from, const char *to) {                                            \
        struct oxidize_place source, target;                                                       \
        bool from_inside = oxidize_resolve(AT_FDCWD, from, &source);                               \
        bool to_inside = oxidize_resolve(AT_FDCWD, to, &target);                                   \
        int result = refuse_two(&source, from_inside, &target, to_inside);                         \
        return result <= 0 ? result : CALL(name)(source.outside, target.outside);                  \
    }

WRAP_TWO(rename)
WRAP_TWO(link)

REAL(renameat);
WRAP(int, renameat)(int from_folder, const char *from, int to_folder, const char *to) {
    struct oxidize_place source, target;
    bool from_inside = oxidize_resolve(from_folder, from, &source);
    bool to_inside = oxidize_resolve(to_folder, to, &target);
    int result = refuse_two(&source, from_inside, &target, to_inside);
    if (result <= 0)
        return result;
    return CALL(renameat)(from_folder, source.outside, to_folder, target.outside);
}

REAL(linkat);
WRAP(int, linkat)(int from_folder, const char *from, int to_folder, const char *to, int flags) {
    struct oxidize_place source, target;
    bool from_inside = oxidize_resolve(from_folder, from, &source);
    bool to_inside = oxidize_resolve(to_folder, to, &target);
    int result = refuse_two(&source, from_inside, &target, to_inside);
    if (result <= 0)
        return result;
    return CALL(linkat)(from_folder, source.outside, to_folder, target.outside, flags);
}
