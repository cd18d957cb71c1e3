/* On glibc: bytes under a path that the dynamic linker can open. */
#define _GNU_SOURCE
#include "wrap.h"

#ifdef __GLIBC__
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "glibc_load.h"

#define DESCRIPTORS "/proc/self/fd"
#define FOLDERS "$TMPDIR, /dev/shm, /tmp, /var/tmp"

REAL(access);
REAL(readlink);

/* The folder of our descriptors, as others see it: a debugger that reads the dynamic linker's names
 * would look at its own descriptors for /proc/self, and wait for ever if one is a pipe. The number
 * comes from /proc, which may know this process by another one than getpid(). Gives the end. */
static char *descriptors(char *path) {
    char number[16];
    ssize_t length = CALL(readlink)("/proc/self", number, sizeof number - 1);
    if (length <= 0)
        return stpcpy(path, DESCRIPTORS);
    number[length] = '\0';
    return stpcpy(stpcpy(stpcpy(path, "/proc/"), number), "/fd");
}

/* The dynamic linker takes a name that it has seen for the library that had it then, and kernels
 * give descriptors again. So each path is spelled in another way: "/" for a 0 and "/." for a 1 of
 * a number that counts up. Called under the lock of dlopen(). */
static void spell(char *path, int descriptor) {
    static uint32_t count;
    char *at = descriptors(path);
    for (uint32_t rest = ++count; rest; rest >>= 1)
        at = stpcpy(at, rest & 1 ? "/." : "/");
    sprintf(at, "/%d", descriptor);
}

static bool give_up(struct oxidize_published *file, char *why, const char *format,
                    const char *detail) {
    snprintf(why, OXIDIZE_MESSAGE_SIZE, format, detail);
    oxidize_withdraw(file);
    return false;
}

/* A temporary file, with its name still there. */
static bool make_named(struct oxidize_published *file) {
    file->descriptor =
        oxidize_new_temporary(file->path, sizeof file->path, O_CLOEXEC, true);
    file->named = file->descriptor >= 0;
    return file->named;
}

static void remove_name(struct oxidize_published *file) {
    if (file->named)
        unlink(file->path);
    file->named = false;
}

bool oxidize_publish(struct oxidize_published *file, const char *label, const uint8_t *bytes,
                     uint64_t size, char *why) {
    bool has_proc = CALL(access)(DESCRIPTORS, X_OK) == 0;
    *file = (struct oxidize_published){.descriptor = -1};
    if (has_proc) {
        char name[200]; /* the kernel takes up to 249 bytes */
        snprintf(name, sizeof name, "oxidized:%s", label);
        file->descriptor = oxidize_new_memfd(name, O_CLOEXEC);
        if (file->descriptor < 0 && (errno == EMFILE || errno == ENFILE || errno == ENOMEM))
            return give_up(file, why, "no file in memory can be made: %s", strerror(errno));
    }
    if (file->descriptor < 0 && !make_named(file))
        return give_up(file, why,
                       has_proc ? "this kernel has no memfd_create(), and none of the folders %s "
                                  "takes a temporary file that may be run"
                                : "/proc is not mounted, and none of the folders %s takes a "
                                  "temporary file that may be run",
                       FOLDERS);
    if (!oxidize_write_all(file->descriptor, bytes, size))
        return give_up(file, why, "its copy cannot be written: %s", strerror(errno));
    if (has_proc) {
        remove_name(file);
        oxidize_seal(file->descriptor); /* fails for a temporary file, which nobody else can open */
        spell(file->path, file->descriptor);
    }
    return true;
}

void oxidize_withdraw(struct oxidize_published *file) {
    remove_name(file);
    if (file->descriptor >= 0)
        close(file->descriptor);
    file->descriptor = -1;
}
#else
typedef int oxidize_no_publish;
#endif
