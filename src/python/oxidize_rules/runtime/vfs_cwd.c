/* Standing in a folder of the image: scripts like to go where they lie, and open what is beside them.
 *
 * The kernel knows no such folder, so this is the one thing about files that the process has to
 * remember: which folder it went to. Relative paths start there until it goes somewhere else, and
 * getcwd() names it. To the kernel the process stays where it was, and so do the programs that it
 * starts.
 *
 * A child of vfork() shares this memory until it runs its program; what it wants to remember would
 * be remembered by its parent. It is told from the process itself by its number. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "image_access.h"
#include "vfs.h"
#include "wrap.h"

static pid_t owner;
static pid_t gone; /* a child of vfork() that went to a folder on disk */
static uint32_t standing = OXIDIZE_NONE;

REAL(chdir);
REAL(fchdir);
REAL(getcwd);

static void renew_owner(void) { owner = getpid(); }

void oxidize_note_process(void) {
    renew_owner();
    pthread_atfork(NULL, NULL, renew_owner);
}

uint32_t oxidize_working_folder(void) {
    uint32_t node = __atomic_load_n(&standing, __ATOMIC_RELAXED);
    return node == OXIDIZE_NONE || (gone && gone == getpid()) ? OXIDIZE_NONE : node;
}

static int enter(const struct oxidize_place *place) {
    const struct oxidize_node *node = oxidize_node(place->node);
    errno = place->error;
    if (node == NULL)
        return -1;
    errno = node->kind == OXIDIZE_DIRECTORY ? EACCES : ENOTDIR;
    if (node->kind != OXIDIZE_DIRECTORY || getpid() != owner)
        return -1;
    __atomic_store_n(&standing, place->node, __ATOMIC_RELAXED);
    return 0;
}

/* After the kernel's answer to a step to a folder on disk. */
static int left(int result) {
    if (result != 0 || oxidize_working_folder() == OXIDIZE_NONE)
        return result;
    if (getpid() == owner)
        __atomic_store_n(&standing, OXIDIZE_NONE, __ATOMIC_RELAXED);
    else
        gone = getpid();
    return 0;
}

WRAP(int, chdir)(const char *path) {
    struct oxidize_place place;
    if (oxidize_resolve(AT_FDCWD, path, &place))
        return enter(&place);
    return left(CALL(chdir)(place.outside));
}

WRAP(int, fchdir)(int descriptor) {
    struct oxidize_place place = {.node = oxidize_node_of_descriptor(descriptor)};
    return place.node == OXIDIZE_NONE ? left(CALL(fchdir)(descriptor)) : enter(&place);
}

/* With libc's extension: without a buffer, one of the right size (or `size`) is allocated. */
static char *name_folder(uint32_t node, char *buffer, size_t size) {
    char path[PATH_MAX];
    size_t needed = oxidize_absolute_path(node, path, sizeof path) + 1;
    errno = EINVAL;
    if (buffer && size == 0)
        return NULL;
    errno = ERANGE;
    if (needed > sizeof path || (size && size < needed))
        return NULL;
    if (buffer == NULL)
        buffer = malloc(size ? size : needed);
    return buffer ? memcpy(buffer, path, needed) : NULL;
}

WRAP(char *, getcwd)(char *buffer, size_t size) {
    uint32_t node = oxidize_working_folder();
    return node == OXIDIZE_NONE ? CALL(getcwd)(buffer, size) : name_folder(node, buffer, size);
}

#ifdef __GLIBC__
char *__getcwd_chk(char *buffer, size_t size, size_t available);
REAL_LAZY(__getcwd_chk);
WRAP(char *, __getcwd_chk)(char *buffer, size_t size, size_t available) {
    uint32_t node = oxidize_working_folder();
    if (node == OXIDIZE_NONE || size > available) /* which libc ends the program for */
        return CALL(__getcwd_chk)(buffer, size, available);
    return name_folder(node, buffer, size);
}

/* libc's own asks the kernel. */
REAL_LAZY(get_current_dir_name);
WRAP(char *, get_current_dir_name)(void) {
    uint32_t node = oxidize_working_folder();
    return node == OXIDIZE_NONE ? CALL(get_current_dir_name)() : name_folder(node, NULL, 0);
}
#endif
