/* On glibc: finding libc's own functions behind ours (see wrap.h).
 *
 * All are looked up before main(), so that those which a signal handler may call need no dlsym()
 * then. One that is called earlier still, by a preloaded library, is looked up on the way. */
#define _GNU_SOURCE
#include "wrap.h"

#ifdef __GLIBC__
#include <dlfcn.h>
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The versions under which glibc keeps what is no longer for linking, and the number of struct
 * stat's layout in those old functions. */
#if defined(__x86_64__)
#define OLD_VERSIONS "GLIBC_2.2.5", "GLIBC_2.4"
#define STAT_LAYOUT 1
#elif defined(__aarch64__)
#define OLD_VERSIONS "GLIBC_2.17"
#define STAT_LAYOUT 0
#endif
#define DEVICE_LAYOUT 0

extern struct oxidize_real __start_oxidize_real[] __attribute__((visibility("hidden")));
extern struct oxidize_real __stop_oxidize_real[] __attribute__((visibility("hidden")));

int __xstat(int layout, const char *path, struct stat *status);
int __lxstat(int layout, const char *path, struct stat *status);
int __fxstat(int layout, int descriptor, struct stat *status);
int __fxstatat(int layout, int folder, const char *path, struct stat *status, int flags);
int __xmknod(int layout, const char *path, mode_t mode, dev_t *device);
int __xmknodat(int layout, int folder, const char *path, mode_t mode, dev_t *device);
REAL(__xstat);
REAL(__lxstat);
REAL(__fxstat);
REAL(__fxstatat);
REAL(__xmknod);
REAL(__xmknodat);

/* Before glibc 2.33 these were not in libc, but linked into each program as calls of the above. */
static int old_stat(const char *path, struct stat *status) {
    return CALL(__xstat)(STAT_LAYOUT, path, status);
}
static int old_lstat(const char *path, struct stat *status) {
    return CALL(__lxstat)(STAT_LAYOUT, path, status);
}
static int old_fstat(int descriptor, struct stat *status) {
    return CALL(__fxstat)(STAT_LAYOUT, descriptor, status);
}
static int old_fstatat(int folder, const char *path, struct stat *status, int flags) {
    return CALL(__fxstatat)(STAT_LAYOUT, folder, path, status, flags);
}
static int old_mknod(const char *path, mode_t mode, dev_t device) {
    return CALL(__xmknod)(DEVICE_LAYOUT, path, mode, &device);
}
static int old_mknodat(int folder, const char *path, mode_t mode, dev_t device) {
    return CALL(__xmknodat)(DEVICE_LAYOUT, folder, path, mode, &device);
}

/* Before glibc 2.28. */
static long old_statx(int folder, const char *path, int flags, unsigned mask, void *status) {
    return syscall(__NR_statx, folder, path, flags, mask, status);
}

static long missing(void) {
    errno = ENOSYS;
    return -1;
}

static void *otherwise(const char *name) {
    static const struct oxidize_real old[] = {
        {"stat", (void *)old_stat},       {"stat64", (void *)old_stat},
        {"lstat", (void *)old_lstat},     {"lstat64", (void *)old_lstat},
        {"fstat", (void *)old_fstat},     {"fstat64", (void *)old_fstat},
        {"fstatat", (void *)old_fstatat}, {"fstatat64", (void *)old_fstatat},
        {"mknod", (void *)old_mknod},     {"mknodat", (void *)old_mknodat},
        {"statx", (void *)old_statx},
    };
    for (size_t i = 0; i < sizeof old / sizeof *old; i++)
        if (strcmp(old[i].name, name) == 0)
            return old[i].function;
    return (void *)missing;
}

void *oxidize_look_up(struct oxidize_real *real) {
    static const char *const versions[] = {OLD_VERSIONS};
    void *function = dlsym(RTLD_NEXT, real->name);
    for (size_t i = 0; function == NULL && i < sizeof versions / sizeof *versions; i++)
        function = dlvsym(RTLD_NEXT, real->name, versions[i]);
    if (function == NULL)
        function = otherwise(real->name);
    __atomic_store_n(&real->function, function, __ATOMIC_RELAXED);
    return function;
}

/* 101 is the earliest that is not reserved. A failure of dlsym() leaves a message, which nobody
 * should be told: dlerror() drops it. */
__attribute__((constructor(101))) static void look_up_all(void) {
    for (struct oxidize_real *real = __start_oxidize_real; real < __stop_oxidize_real; real++)
        oxidize_real_function(real);
    REAL(dlerror);
    CALL(dlerror)();
}
#else
typedef int oxidize_no_glibc;
#endif
