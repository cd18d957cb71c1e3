/* Programs and scripts of the image are run from a copy in memory.
 *
 * A script's interpreter is another program, which opens the script by its name: that is then
 * `/proc/self/fd/<n>`, and the descriptor stays open in it. */
#define _GNU_SOURCE
#include "vfs_exec.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "image_access.h"
#include "wrap.h"

/* From linux/memfd.h, which older C libraries do not show. */
#define MEMFD_CLOEXEC 0x1u
#define MEMFD_EXEC 0x10u

REAL(execve);
REAL(fexecve);

static int new_memfd(void) {
    static const char name[] = "oxidized program";
    long descriptor = syscall(__NR_memfd_create, name, MEMFD_CLOEXEC | MEMFD_EXEC);
    if (descriptor < 0 && errno == EINVAL) /* before Linux 6.3 */
        descriptor = syscall(__NR_memfd_create, name, MEMFD_CLOEXEC);
    return (int)descriptor;
}

/* Where memfds do not exist or cannot be run (vm.memfd_noexec): a file without a name. What is open
 * for writing cannot be run, so it is opened once more. */
static int copy_to_temporary(const struct oxidize_node *node) {
    char name[256];
    int writer = oxidize_new_temporary(name, sizeof name, O_CLOEXEC, true);
    if (writer < 0)
        return -1;
    bool good = oxidize_copy_content(writer, node) && fchmod(writer, 0500) == 0;
    int reader = good ? open(name, O_RDONLY | O_CLOEXEC) : -1;
    int error = errno;
    unlink(name);
    close(writer);
    errno = error;
    return reader;
}

static int copy_program(const struct oxidize_node *node) {
    int descriptor = new_memfd();
    if (descriptor < 0)
        return errno == EMFILE || errno == ENFILE ? -1 : copy_to_temporary(node);
    if (oxidize_copy_content(descriptor, node))
        return descriptor;
    int error = errno;
    close(descriptor);
    errno = error;
    return -1;
}

static bool is_script(int descriptor) {
    char start[2];
    return pread(descriptor, start, 2, 0) == 2 && memcmp(start, "#!", 2) == 0;
}

static void open_node(uint32_t index, struct oxidize_program *program) {
    const struct oxidize_node *node = oxidize_node(index);
    program->descriptor = -1;
    errno = EACCES;
    if (node == NULL || node->kind != OXIDIZE_FILE || !node->executable)
        return;
    program->descriptor = copy_program(node);
    if (program->descriptor < 0)
        return;
    if (is_script(program->descriptor))
        fcntl(program->descriptor, F_SETFD, 0);
    snprintf(program->path, sizeof program->path, "/proc/self/fd/%d", program->descriptor);
}

bool oxidize_open_program(const char **path, struct oxidize_program *program) {
    struct oxidize_place place;
    if (*path == NULL || strchr(*path, '/') == NULL) /* a bare name may be meant for PATH */
        return false;
    bool inside = oxidize_find(AT_FDCWD, *path, &place);
    *path = place.outside;
    if (!inside)
        return false;
    program->descriptor = -1;
    if (place.node != OXIDIZE_NONE)
        open_node(place.node, program);
    return true;
}

bool oxidize_has_name(const struct oxidize_program *program) {
    if (access(program->path, F_OK) == 0)
        return true;
    errno = EACCES; /* ENOENT would say that the image has no such file */
    return false;
}

int oxidize_run_program(struct oxidize_program *program, char *const arguments[],
                        char *const environment[]) {
    if (program->descriptor < 0)
        return -1;
    if (!is_script(program->descriptor)) /* needs no name */
        CALL(fexecve)(program->descriptor, arguments, environment);
    else if (oxidize_has_name(program))
        CALL(execve)(program->path, arguments, environment);
    int error = errno;
    close(program->descriptor);
    errno = error;
    return -1;
}

/* Of an open file of the image: its descriptor may not be run, as all of ours. */
WRAP(int, fexecve)(int descriptor, char *const arguments[], char *const environment[]) {
    uint32_t node = oxidize_node_of_descriptor(descriptor);
    struct oxidize_program program;
    if (node == OXIDIZE_NONE)
        return CALL(fexecve)(descriptor, arguments, environment);
    open_node(node, &program);
    return oxidize_run_program(&program, arguments, environment);
}

#ifdef __GLIBC__
/* musl's call execve(), which is ours. */
REAL(execvp);
WRAP(int, execvp)(const char *path, char *const arguments[]) {
    struct oxidize_program program;
    if (!oxidize_open_program(&path, &program))
        return CALL(execvp)(path, arguments);
    return oxidize_run_program(&program, arguments, environ);
}

REAL(execvpe);
WRAP(int, execvpe)(const char *path, char *const arguments[], char *const environment[]) {
    struct oxidize_program program;
    if (!oxidize_open_program(&path, &program))
        return CALL(execvpe)(path, arguments, environment);
    return oxidize_run_program(&program, arguments, environment);
}
#endif
