/* Programs and scripts of the image that are to be run. */
#ifndef OXIDIZE_VFS_EXEC_H
#define OXIDIZE_VFS_EXEC_H

#include "vfs.h"

struct oxidize_program {
    int descriptor; /* -1: it cannot be run, and errno says why */
    char path[32];  /* for execve(), as long as the descriptor is open */
};

/* Whether `*path` is in the image. If so, `program` is a copy that the kernel can run; if not,
 * `*path` is what to ask libc for.
 *
 * The child of posix_spawn() calls this too, on the few kilobytes of stack that musl gives it:
 * only absolute paths are looked at. */
OXIDIZE_HIDDEN bool oxidize_open_program(const char **path, struct oxidize_program *program);

/* Whether `program->path` leads to it: not without /proc. Else errno is EACCES. */
OXIDIZE_HIDDEN bool oxidize_has_name(const struct oxidize_program *program);

/* Run it in this process. Returns -1 if that fails. */
OXIDIZE_HIDDEN int oxidize_run_program(struct oxidize_program *program, char *const arguments[],
                                       char *const environment[]);

#endif
