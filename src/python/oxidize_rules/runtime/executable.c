/* Where the running executable is: for sys.executable, which child processes start. */
#include "start.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>

#define SELF "/proc/self/exe"

/* The kernel's link, which also knows of a file that is gone. */
static int from_proc(char *buffer, size_t size) {
    ssize_t length = readlink(SELF, buffer, size - 1);
    if (length <= 0)
        return 0;
    buffer[length] = '\0';
    /* Deleted, replaced, in another mount namespace, or a memfd: the link itself still works. */
    if (buffer[0] != '/' || access(buffer, X_OK) != 0)
        snprintf(buffer, size, SELF);
    return 1;
}

static int is_program(const char *path) { return access(path, X_OK) == 0; }

/* Join a folder with a name that is not absolute. */
static int join(char *buffer, size_t size, const char *folder, size_t length, const char *name) {
    while (strncmp(name, "./", 2) == 0)
        name += 2;
    int total = snprintf(buffer, size, "%.*s/%s", (int)length, folder, name);
    return total > 0 && (size_t)total < size && is_program(buffer);
}

static int from_name(char *buffer, size_t size, const char *name) {
    if (*name == '/')
        return (size_t)snprintf(buffer, size, "%s", name) < size && is_program(buffer);
    char folder[PATH_MAX];
    if (getcwd(folder, sizeof folder) == NULL)
        return 0;
    return join(buffer, size, folder, strlen(folder), name);
}

/* As a shell searches PATH. */
static int from_search(char *buffer, size_t size, const char *name) {
    const char *at = getenv("PATH");
    while (at) {
        size_t length = strcspn(at, ":");
        if (length && *at == '/' && join(buffer, size, at, length, name))
            return 1;
        at = at[length] ? at + length + 1 : NULL;
    }
    return 0;
}

void oxidize_executable_path(char *buffer, size_t size, const char *argument) {
    if (from_proc(buffer, size))
        return;
    /* Without /proc: what execve() was given, as the kernel tells it. */
    const char *given = (const char *)getauxval(AT_EXECFN);
    if (given && *given && from_name(buffer, size, given))
        return;
    if (argument && *argument) {
        int found = strchr(argument, '/') ? from_name(buffer, size, argument)
                                          : from_search(buffer, size, argument);
        if (found)
            return;
    }
    *buffer = '\0';
}
