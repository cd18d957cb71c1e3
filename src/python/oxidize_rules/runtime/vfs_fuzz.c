/* Hostile paths against the virtual filesystem; not part of an executable.
 *
 * LLVMFuzzerTestOneInput is for libFuzzer: bytes become a path for every function.
 *
 * As a program: `vfs_fuzz FOLDER ROUNDS SEED memfd|no-memfd`. FOLDER holds, under `.oxidized`, the same tree on
 * disk as the image has. Random paths are asked about in both, and the answers must be equal:
 * result, errno, kind, size. Prints the number of comparisons; status 1 at the first difference. */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fuzz_random.h"
#include "image.h"
#include "vfs.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void use(const char *path, int folder) {
    struct stat status;
    char buffer[PATH_MAX];
    stat(path, &status);
    lstat(path, &status);
    fstatat(folder, path, &status, 0);
    access(path, R_OK);
    readlink(path, buffer, sizeof buffer);
    realpath(path, buffer);
    int descriptor = openat(folder, path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    if (descriptor >= 0) {
        fstat(descriptor, &status);
        close(descriptor);
    }
    DIR *directory = opendir(path);
    if (directory) {
        while (readdir(directory))
            continue;
        rewinddir(directory);
        closedir(directory);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const char prefix[] = OXIDIZE_ROOT "/";
    char *path = malloc(sizeof prefix + size);
    if (path == NULL)
        return 0;
    memcpy(path, prefix, sizeof prefix - 1);
    memcpy(path + sizeof prefix - 1, data, size);
    path[sizeof prefix - 1 + size] = '\0';
    int folder = open(OXIDIZE_ROOT, O_RDONLY | O_DIRECTORY);
    use(path, AT_FDCWD);
    use(path + sizeof prefix - 1, folder);
    close(folder);
    free(path);
    return 0;
}

#ifndef OXIDIZE_LIBFUZZER
static int without_memfd;

/* The one raw system call of the sources is memfd_create(); old kernels do not have it. */
long __real_syscall(long number, const char *name, unsigned flags);
long __wrap_syscall(long number, const char *name, unsigned flags);
long __wrap_syscall(long number, const char *name, unsigned flags) {
    if (!without_memfd)
        return __real_syscall(number, name, flags);
    errno = ENOSYS;
    return -1;
}

#ifdef __GLIBC__
/* With OLD_GLIBC in the environment, as before glibc 2.28 and 2.33: these were not in libc. */
void *__real_dlsym(void *handle, const char *name);
void *__wrap_dlsym(void *handle, const char *name);
void *__wrap_dlsym(void *handle, const char *name) {
    static const char *const newer[] = {"stat",    "stat64",  "lstat",     "lstat64",
                                        "fstat",   "fstat64", "fstatat",   "fstatat64",
                                        "mknod",   "mknodat", "statx"};
    for (size_t i = 0; getenv("OLD_GLIBC") && i < sizeof newer / sizeof *newer; i++)
        if (strcmp(name, newer[i]) == 0)
            return NULL;
    return __real_dlsym(handle, name);
}
#endif

/* Names of the tree, of nothing, and all that is special in a path. */
static const char *const words[] = {"app",  "lib", "pkg", "a.py", "data.txt", "empty", "deep",
                                    "x",    ".",   "..",  "",     "/",        "...",   ".oxidized",
                                    "\xff", "a",   "b",   "no",   "deeper",   "z"};

static void random_path(char *path, size_t size) {
    size_t length = 0;
    uint32_t parts = random_number(9);
    for (uint32_t i = 0; i < parts; i++) {
        const char *word = words[random_number(sizeof words / sizeof *words)];
        length += (size_t)snprintf(path + length, size - length, "%s%s", i ? "/" : "", word);
    }
    if (random_number(50) == 0) { /* a name that is too long, or just not */
        uint32_t extra = 250 + random_number(10);
        memset(path + length, 'n', extra);
        length += extra;
    }
    if (random_number(5) == 0)
        path[length++] = '/';
    path[length] = '\0';
}

/* Whether the path, relative to the root, goes above it at some point. */
static int leaves_root(const char *path) {
    int depth = 0;
    while (*path) {
        size_t length = strcspn(path, "/");
        if (length == 2 && memcmp(path, "..", 2) == 0)
            depth--;
        else if (length > 0 && !(length == 1 && *path == '.'))
            depth++;
        if (depth < 0)
            return 1;
        path += length + (path[length] == '/');
    }
    return 0;
}

struct answer {
    int status, status_error, opened, open_error, folder, folder_error;
    int folder_only, folder_only_error, link, link_error, exists;
    mode_t kind;
    off_t size;
    unsigned entries;
    int scanned, scan_error, walked, walk_error;
};

static int try_open(const char *path, int flags, int *error) {
    int descriptor = open(path, flags | O_CLOEXEC);
    *error = descriptor < 0 ? errno : 0;
    if (descriptor >= 0)
        close(descriptor);
    return descriptor >= 0;
}

static int found_by_walk;

static int count_one(const char *path, const struct stat *status, int kind, struct FTW *place) {
    int good = path[place->base] != '\0' && S_ISDIR(status->st_mode) == (kind == FTW_D);
    found_by_walk += good ? 1 : 1000000;
    return 0;
}

static void search(const char *path, struct answer *answer) {
    struct dirent **entries;
    answer->scanned = scandir(path, &entries, NULL, alphasort);
    answer->scan_error = answer->scanned < 0 ? errno : 0;
    for (int i = 0; i < answer->scanned; i++)
        free(entries[i]);
    if (answer->scanned >= 0)
        free(entries);
    found_by_walk = 0;
    errno = 0;
    answer->walk_error = nftw(path, count_one, 10, FTW_PHYS) < 0 ? errno : 0;
    answer->walked = found_by_walk;
}

static struct answer ask(const char *path) {
    struct answer answer;
    struct stat status;
    char buffer[16];
    memset(&answer, 0, sizeof answer);
    errno = 0;
    answer.status = stat(path, &status);
    answer.status_error = answer.status ? errno : 0;
    if (answer.status == 0) {
        answer.kind = status.st_mode & S_IFMT;
        answer.size = S_ISREG(status.st_mode) ? status.st_size : 0;
    }
    answer.opened = try_open(path, O_RDONLY, &answer.open_error);
    answer.folder_only = try_open(path, O_RDONLY | O_DIRECTORY, &answer.folder_only_error);
    answer.exists = access(path, F_OK);
    answer.link = (int)readlink(path, buffer, sizeof buffer);
    answer.link_error = errno;
    DIR *directory = opendir(path);
    answer.folder = directory != NULL;
    answer.folder_error = directory ? 0 : errno;
    while (directory && readdir(directory))
        answer.entries++;
    if (directory)
        closedir(directory);
    search(path, &answer);
    return answer;
}

static void show(const char *which, const char *path, const struct answer *answer) {
    fprintf(stderr,
            "%s %s: stat %d (%s), kind %o, size %lld, open %d (%s), O_DIRECTORY %d (%s), "
            "opendir %d (%s) of %u, readlink %d (%s), access %d, scandir %d (%s), nftw %d (%s)\n",
            which, path, answer->status, strerror(answer->status_error), (unsigned)answer->kind,
            (long long)answer->size, answer->opened, strerror(answer->open_error),
            answer->folder_only, strerror(answer->folder_only_error), answer->folder,
            strerror(answer->folder_error), answer->entries, answer->link,
            strerror(answer->link_error), answer->exists, answer->scanned,
            strerror(answer->scan_error), answer->walked, strerror(answer->walk_error));
}

static int differs(const char *folder, const char *inner) {
    static char image[2 * PATH_MAX], disk[2 * PATH_MAX];
    snprintf(image, sizeof image, OXIDIZE_ROOT "/%s", inner);
    snprintf(disk, sizeof disk, "%s" OXIDIZE_ROOT "/%s", folder, inner);
    struct answer ours = ask(image), theirs = ask(disk);
    if (memcmp(&ours, &theirs, sizeof ours) == 0)
        return 0;
    show("image", image, &ours);
    show("disk", disk, &theirs);
    return 1;
}

/* `path` is asked about from the folder `inner`, as far as it is one. 1: they differ; -1: no folder */
static int differs_from(const char *folder, const char *inner, const char *path) {
    static char image[2 * PATH_MAX], disk[2 * PATH_MAX];
    char here[2 * PATH_MAX], there[2 * PATH_MAX];
    snprintf(image, sizeof image, OXIDIZE_ROOT "/%s", inner);
    snprintf(disk, sizeof disk, "%s" OXIDIZE_ROOT "/%s", folder, inner);
    int entered = chdir(image) == 0, error = entered ? 0 : errno;
    struct answer ours = {0}, theirs = {0};
    if (entered)
        ours = ask(path);
    int named = getcwd(here, sizeof here) != NULL;
    int entered_on_disk = chdir(disk) == 0, error_on_disk = entered_on_disk ? 0 : errno;
    if (entered_on_disk)
        theirs = ask(path);
    named &= getcwd(there, sizeof there) != NULL;
    named &= !entered || strcmp(here, there + strlen(folder)) == 0;
    int left = chdir("/") == 0 && getcwd(here, sizeof here) && strcmp(here, "/") == 0;
    if (!named || !left || entered != entered_on_disk || error != error_on_disk) {
        fprintf(stderr, "chdir %s: %d (%s), on disk %d (%s), %s\n", image, entered,
                strerror(error), entered_on_disk, strerror(error_on_disk), there);
        return 1;
    }
    if (!entered || memcmp(&ours, &theirs, sizeof ours) == 0)
        return entered ? 0 : -1;
    show(image, path, &ours);
    show(disk, path, &theirs);
    return 1;
}

int main(int argc, char **argv) {
    if (argc != 5) {
        fputs("usage: vfs_fuzz FOLDER ROUNDS SEED memfd|no-memfd\n", stderr);
        return 2;
    }
    char path[PATH_MAX], more[PATH_MAX], both[2 * PATH_MAX];
    long rounds = atol(argv[2]), compared = 0, found = 0, entered = 0;
    oxidize_note_process();
    random_state = strtoull(argv[3], NULL, 10);
    without_memfd = strcmp(argv[4], "no-memfd") == 0;
    for (long i = 0; i < rounds; i++) {
        random_path(path, sizeof path);
        LLVMFuzzerTestOneInput((const uint8_t *)path, strlen(path));
        if (leaves_root(path))
            continue;
        if (differs(argv[1], path))
            return 1;
        compared++;
        struct stat status;
        char image[2 * PATH_MAX];
        snprintf(image, sizeof image, OXIDIZE_ROOT "/%s", path);
        found += stat(image, &status) == 0;
        random_path(more, sizeof more);
        snprintf(both, sizeof both, "%s/%s", path, more);
        int result = *more == '/' || leaves_root(both) ? -1 : differs_from(argv[1], path, more);
        if (result > 0)
            return 1;
        entered += result == 0;
    }
    printf("%ld compared, %ld of them there, %ld from inside\n", compared, found, entered);
    return 0;
}
#endif
