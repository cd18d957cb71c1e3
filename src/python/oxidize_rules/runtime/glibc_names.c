/* On glibc: names beside the usual ones under which libraries call the file functions.
 *
 * What was compiled with _FORTIFY_SOURCE calls functions that check sizes first. Others are calls
 * of the usual ones, but within libc, where ours do not come in. */
#define _GNU_SOURCE
#include "wrap.h"

#ifdef __GLIBC__
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "image_access.h"
#include "vfs.h"

/* These have no mode argument; where a file would be created, libc's own end the process. */
#define WRAP_OPEN_2(name, plain, declare, pass)                                                    \
    int name declare;                                                                              \
    REAL(name);                                                                                    \
    WRAP(int, name) declare {                                                                      \
        bool creates = (flags & O_CREAT) || (flags & O_TMPFILE) == O_TMPFILE;                      \
        return creates ? CALL(name) pass : plain pass;                                             \
    }

WRAP_OPEN_2(__open_2, open, (const char *path, int flags), (path, flags))
WRAP_OPEN_2(__open64_2, open64, (const char *path, int flags), (path, flags))
WRAP_OPEN_2(__openat_2, openat, (int folder, const char *path, int flags), (folder, path, flags))
WRAP_OPEN_2(__openat64_2, openat64, (int folder, const char *path, int flags),
            (folder, path, flags))

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

char *canonicalize_file_name(const char *path);
REAL_LAZY(canonicalize_file_name);
WRAP(char *, canonicalize_file_name)(const char *path) {
    struct oxidize_place place;
    return oxidize_resolve(AT_FDCWD, path, &place) ? realpath(path, NULL)
                                                   : CALL(canonicalize_file_name)(place.outside);
}

/* Nothing of libc's behind them but open(). */
#define WRAP_CREAT(name, plain)                                                                    \
    WRAP(int, name)(const char *path, mode_t mode) {                                               \
        return plain(path, O_CREAT | O_WRONLY | O_TRUNC, mode);                                    \
    }
WRAP_CREAT(creat, open)
WRAP_CREAT(creat64, open64)

/* libc's own makes a stream that reads, of a folder that is always there; then it gets our file
 * under its descriptor. Where ours cannot be opened, libc's own fails, too, and closes the stream. */
#define WRAP_FREOPEN(name, plain)                                                                  \
    REAL_LAZY(name);                                                                               \
    WRAP(FILE *, name)(const char *path, const char *mode, FILE *stream) {                         \
        struct oxidize_place place;                                                                \
        if (!oxidize_resolve(AT_FDCWD, path, &place))                                              \
            return CALL(name)(place.outside, mode, stream);                                        \
        FILE *ours = plain(path, mode);                                                            \
        int error = errno, flags = strchr(mode, 'e') ? O_CLOEXEC : 0;                              \
        FILE *result = CALL(name)(ours ? "/" : path, ours && flags ? "re" : "r", stream);          \
        if (ours && result && dup3(fileno(ours), fileno(result), flags) < 0) {                     \
            error = errno;                                                                         \
            fclose(result);                                                                        \
            result = NULL;                                                                         \
        }                                                                                          \
        if (ours)                                                                                  \
            fclose(ours);                                                                          \
        if (result == NULL)                                                                        \
            errno = error;                                                                         \
        return result;                                                                             \
    }
WRAP_FREOPEN(freopen, fopen)
WRAP_FREOPEN(freopen64, fopen64)
#else
typedef int oxidize_no_names;
#endif
