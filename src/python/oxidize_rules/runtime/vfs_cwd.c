/* Standing in a folder of the image: scripts like to go where they lie, and open what is beside them.
 *
 * Relative paths start there until the process goes somewhere else, and getcwd() names it. To the
 * kernel the process stays where it was, and so do the programs that it starts. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "image_access.h"
#include "vfs.h"
#include "wrap.h"

REAL(chdir);
REAL(fchdir);
REAL(getcwd);

static int enter(const struct oxidize_place *place) {
    const struct oxidize_node *node = oxidize_node(place->node);
    errno = place->error;
    if (node == NULL)
        return -1;
    errno = node->kind == OXIDIZE_DIRECTORY ? EACCES : ENOTDIR;
    return node->kind == OXIDIZE_DIRECTORY && oxidize_stand_in(place->node) ? 0 : -1;
}

/* After the kernel's answer to a step to a folder on disk. */
static int left(int result) {
    if (result == 0)
        oxidize_stand_on_disk();
    return result;
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
