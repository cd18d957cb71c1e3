/* Files of the image that a child of posix_spawn() is to have open.
 *
 * libc opens them in the child, where it asks the kernel alone, and nobody else reads its list of
 * what is to be done. So the file is opened here when it is put on the list, and the child opens it
 * again by the descriptor's name, with a position of its own. The descriptor stays until the list
 * is destroyed. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "image_access.h"
#include "vfs.h"
#include "wrap.h"

/* The actions before it may close or replace small numbers, which programs choose. */
#define OUT_OF_THE_WAY 500
/* What has been done when the file is opened here, and what a name below /proc cannot take. */
#define ONCE_ONLY (O_CREAT | O_EXCL | O_TRUNC | O_NOFOLLOW)

struct opened {
    struct opened *next;
    const posix_spawn_file_actions_t *actions;
    int descriptor;
    char path[32]; /* here, since glibc before 2.20 does not copy it */
};

static struct opened *all;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static void discard(struct opened *one) {
    close(one->descriptor);
    free(one);
}

/* Opens the file as the child would. NULL: it cannot be opened, and errno says why. */
static struct opened *open_here(const char *path, int flags, mode_t mode) {
    struct opened *one = malloc(sizeof *one);
    if (one == NULL)
        return NULL;
    int low = open(path, flags | O_CLOEXEC, mode);
    if (low < 0) {
        free(one);
        return NULL;
    }
    one->descriptor = fcntl(low, F_DUPFD_CLOEXEC, OUT_OF_THE_WAY);
    if (one->descriptor < 0) /* fewer are allowed */
        one->descriptor = low;
    else
        close(low);
    snprintf(one->path, sizeof one->path, "/proc/self/fd/%d", one->descriptor);
    if (access(one->path, F_OK) == 0)
        return one;
    discard(one);
    errno = EACCES; /* no /proc: ENOENT would say that the image has no such file */
    return NULL;
}

static void remember(struct opened *one) {
    pthread_mutex_lock(&lock);
    one->next = all;
    all = one;
    pthread_mutex_unlock(&lock);
}

/* A path that is relative means what the child's folder makes of it, on disk. */
static bool is_inside(const char *path) {
    struct oxidize_place place;
    return path && *path == '/' && oxidize_resolve(AT_FDCWD, path, &place) &&
           place.node != OXIDIZE_NONE;
}

REAL_LAZY(posix_spawn_file_actions_addopen);
WRAP(int, posix_spawn_file_actions_addopen)
(posix_spawn_file_actions_t *restrict actions, int descriptor, const char *restrict path,
 int flags, mode_t mode) {
    if (!is_inside(path))
        return CALL(posix_spawn_file_actions_addopen)(actions, descriptor, path, flags, mode);
    struct opened *one = open_here(path, flags, mode);
    if (one == NULL)
        return errno;
    one->actions = actions;
    int error = CALL(posix_spawn_file_actions_addopen)(actions, descriptor, one->path,
                                                       flags & ~ONCE_ONLY, mode);
    if (error)
        discard(one);
    else
        remember(one);
    return error;
}

REAL_LAZY(posix_spawn_file_actions_destroy);
WRAP(int, posix_spawn_file_actions_destroy)(posix_spawn_file_actions_t *actions) {
    pthread_mutex_lock(&lock);
    for (struct opened **place = &all; *place;) {
        struct opened *one = *place;
        if (one->actions == actions) {
            *place = one->next;
            discard(one);
        } else {
            place = &one->next;
        }
    }
    pthread_mutex_unlock(&lock);
    return CALL(posix_spawn_file_actions_destroy)(actions);
}
