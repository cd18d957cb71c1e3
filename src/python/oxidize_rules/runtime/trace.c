/* The trace file: opened at start, kept beyond fork(), opened anew where a program closed it. */
#define _GNU_SOURCE
#include "trace.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define VARIABLE "OXIDIZED_TRACE"
#define LINE_SIZE (PATH_MAX + 32)
#define HIGH 200 /* above what programs count on to be free */

bool oxidize_tracing;

static char path[PATH_MAX];
static struct {
    int descriptor;
    dev_t device;
    ino_t inode;
} file = {.descriptor = -1};

/* Programs that start with a clean slate close all descriptors, and the number may since be that of
 * another file. */
static bool is_open(void) {
    struct stat found;
    return file.descriptor >= 0 && fstat(file.descriptor, &found) == 0 &&
           found.st_dev == file.device && found.st_ino == file.inode;
}

static bool open_file(void) {
    const int flags = O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY;
    int low = open(path, flags, 0666);
    if (low < 0)
        return false;
    int high = fcntl(low, F_DUPFD_CLOEXEC, HIGH);
    if (high >= 0)
        close(low);
    file.descriptor = high >= 0 ? high : low;
    struct stat found;
    if (fstat(file.descriptor, &found) != 0)
        return false;
    file.device = found.st_dev;
    file.inode = found.st_ino;
    return true;
}

/* Children may start in another folder. */
static bool make_absolute(const char *given) {
    char folder[PATH_MAX] = "";
    if (*given != '/' && getcwd(folder, sizeof folder) == NULL)
        return false;
    int length = snprintf(path, sizeof path, "%s%s%s", folder, *folder ? "/" : "", given);
    if (length < 0 || (size_t)length >= sizeof path) {
        errno = ENAMETOOLONG;
        return false;
    }
    return setenv(VARIABLE, path, 1) == 0;
}

void oxidize_trace_start(void) {
    const char *given = secure_getenv(VARIABLE);
    if (given == NULL || *given == '\0')
        return;
    if (!make_absolute(given) || !open_file()) {
        fprintf(stderr, "oxidized: " VARIABLE ": cannot write to '%s': %s\n", given,
                strerror(errno));
        exit(2);
    }
    oxidize_tracing = true;
}

void oxidize_trace(const char *kind, const char *name) {
    int before = errno;
    char line[LINE_SIZE];
    int length = snprintf(line, sizeof line, "%s %s\n", kind, name);
    /* A name with a line feed, or too long, cannot stand in a filter either. */
    bool fits = length > 0 && (size_t)length < sizeof line && strchr(name, '\n') == NULL;
    if (fits && (is_open() || open_file()))
        while (write(file.descriptor, line, (size_t)length) < 0 && errno == EINTR)
            continue;
    errno = before;
}
