/* Children that get an environment of the caller's making.
 *
 * An application's children are told by OXIDIZED_INTERPRETER that sys.executable is a Python
 * (decide.c). `subprocess.run([sys.executable, "-c", ...], env={...})` would take it away from
 * them, so it is put back into the environment of just those that start the executable itself. */
#define PY_SSIZE_T_CLEAN
#include "start.h"

#include <alloca.h>
#include <errno.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "vfs_exec.h"
#include "wrap.h"

static bool has_variable(char *const *environment, size_t *count) {
    size_t length = strlen(OXIDIZE_INTERPRETER_VARIABLE);
    bool found = false;
    for (*count = 0; environment && environment[*count]; ++*count) {
        const char *entry = environment[*count];
        found |= strncmp(entry, OXIDIZE_INTERPRETER_VARIABLE, length) == 0 && entry[length] == '=';
    }
    return found;
}

/* The entry to add to the `*count` of a child's environment: if `path` is this executable, and there
 * is none. */
static char *entry_to_add(const char *path, char *const *environment, size_t *count) {
    const char *mark = oxidize_mark();
    const char *own = mark ? strchr(mark, '/') : NULL;
    if (own == NULL || path == NULL || strcmp(path, own) != 0)
        return NULL;
    return has_variable(environment, count) ? NULL : (char *)mark;
}

/* `all` has room for two more than the `count` entries of `environment`. */
static char **with_entry(char **all, char *const *environment, size_t count, char *entry) {
    if (count)
        memcpy(all, environment, count * sizeof *all);
    all[count] = entry;
    all[count + 1] = NULL;
    return all;
}

/* On the stack: this may be the child of a fork in a program with threads. */
#define AMEND(path, environment)                                                                   \
    do {                                                                                           \
        size_t count = 0;                                                                          \
        char *entry = entry_to_add(path, environment, &count);                                     \
        if (entry)                                                                                 \
            environment = with_entry(alloca((count + 2) * sizeof entry), environment, count,       \
                                     entry);                                                       \
    } while (0)

REAL(execve);
WRAP(int, execve)(const char *path, char *const arguments[], char *const environment[]) {
    struct oxidize_program program;
    if (oxidize_open_program(&path, &program))
        return oxidize_run_program(&program, arguments, environment);
    AMEND(path, environment);
    return CALL(execve)(path, arguments, environment);
}

#ifdef __GLIBC__
/* musl's calls execve(). */
REAL(execv);
WRAP(int, execv)(const char *path, char *const arguments[]) {
    struct oxidize_program program;
    if (oxidize_open_program(&path, &program))
        return oxidize_run_program(&program, arguments, environ);
    char *const *environment = environ;
    AMEND(path, environment);
    if (environment == environ)
        return CALL(execv)(path, arguments);
    return CALL(execve)(path, arguments, environment);
}
#endif

/* `real` is one of the two functions below. */
static int spawn(__typeof__(posix_spawn) *real, pid_t *pid, const char *path,
                 const posix_spawn_file_actions_t *actions, const posix_spawnattr_t *attributes,
                 char *const *arguments, char *const *environment) {
    struct oxidize_program program;
    bool inside = oxidize_open_program(&path, &program);
    if (inside && program.descriptor < 0)
        return errno;
    if (inside && !oxidize_has_name(&program)) {
        close(program.descriptor);
        return EACCES;
    }
    AMEND(path, environment);
    int error = real(pid, inside ? program.path : path, actions, attributes, arguments, environment);
    if (inside)
        close(program.descriptor);
    return error;
}

REAL(posix_spawn);
WRAP(int, posix_spawn)
(pid_t *restrict pid, const char *restrict path, const posix_spawn_file_actions_t *actions,
 const posix_spawnattr_t *restrict attributes, char *const arguments[restrict],
 char *const environment[restrict]) {
    return spawn(CALL(posix_spawn), pid, path, actions, attributes, arguments, environment);
}

REAL(posix_spawnp);
WRAP(int, posix_spawnp)
(pid_t *restrict pid, const char *restrict path, const posix_spawn_file_actions_t *actions,
 const posix_spawnattr_t *restrict attributes, char *const arguments[restrict],
 char *const environment[restrict]) {
    return spawn(CALL(posix_spawnp), pid, path, actions, attributes, arguments, environment);
}
