/* On glibc: functions that go through folders. libc's own call the others within libc, where ours
 * do not come in; musl's call ours. */
#define _GNU_SOURCE
#include "wrap.h"

#ifdef __GLIBC__
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <glob.h>
#include <limits.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>

#include "image_access.h"
#include "vfs.h"

/* --- scandir ----------------------------------------------------------------------------- */

struct list {
    struct dirent **entries;
    size_t count, room;
};

static bool append(struct list *list, const struct dirent *entry) {
    if (list->count == list->room) {
        size_t room = list->room ? 2 * list->room : 16;
        struct dirent **more = realloc(list->entries, room * sizeof *more);
        if (more == NULL)
            return false;
        list->entries = more;
        list->room = room;
    }
    struct dirent *copy = malloc(sizeof *copy);
    if (copy == NULL)
        return false;
    memcpy(copy, entry, sizeof *copy);
    list->entries[list->count++] = copy;
    return true;
}

static int give_up(struct list *list) {
    while (list->count)
        free(list->entries[--list->count]);
    free(list->entries);
    errno = ENOMEM;
    return -1;
}

typedef int compare_entries(const struct dirent **, const struct dirent **);

static int scan(const char *path, struct dirent ***result, int (*wanted)(const struct dirent *),
                compare_entries *compare) {
    struct list list = {NULL, 0, 0};
    struct dirent *entry;
    DIR *stream = opendir(path);
    if (stream == NULL)
        return -1;
    bool good = true;
    while (good && (entry = readdir(stream)) != NULL)
        if (wanted == NULL || wanted(entry))
            good = append(&list, entry);
    closedir(stream);
    if (!good)
        return give_up(&list);
    if (compare && list.count)
        qsort(list.entries, list.count, sizeof *list.entries,
              (int (*)(const void *, const void *))(void *)compare);
    *result = list.entries;
    return (int)list.count;
}

#define WRAP_SCANDIR(name, kind)                                                                   \
    REAL_LAZY(name);                                                                               \
    WRAP(int, name)(const char *restrict path, struct kind ***restrict result,                     \
                    int (*wanted)(const struct kind *),                                            \
                    int (*compare)(const struct kind **, const struct kind **)) {                  \
        struct oxidize_place place;                                                                \
        _Static_assert(sizeof(struct kind) == sizeof(struct dirent), "same layout");               \
        if (!oxidize_find(AT_FDCWD, path, &place))                                                 \
            return CALL(name)(place.outside, result, wanted, compare);                             \
        return scan(path, (struct dirent ***)(void *)result,                                       \
                    (int (*)(const struct dirent *))(void *)wanted,                                \
                    (compare_entries *)(void *)compare);                                           \
    }
WRAP_SCANDIR(scandir, dirent)
WRAP_SCANDIR(scandir64, dirent64)

/* --- glob ---------------------------------------------------------------------------------- */

static void *open_folder(const char *path) { return opendir(path); }
static struct dirent *read_folder(void *stream) { return readdir(stream); }
static void close_folder(void *stream) { closedir(stream); }
static int follow(const char *path, struct stat *status) { return stat(path, status); }
static int look(const char *path, struct stat *status) { return lstat(path, status); }

/* libc's own takes the functions to use. A pattern for the image has its root's name in it: that
 * stands in no folder. */
#define WRAP_GLOB(name, kind, entry, status)                                                       \
    REAL_LAZY(name);                                                                               \
    WRAP(int, name)(const char *restrict pattern, int flags, int (*failed)(const char *, int),     \
                    kind *restrict result) {                                                       \
        if ((flags & GLOB_ALTDIRFUNC) || strstr(pattern, &OXIDIZE_ROOT[1]) == NULL)                \
            return CALL(name)(pattern, flags, failed, result);                                     \
        result->gl_opendir = open_folder;                                                          \
        result->gl_readdir = (struct entry * (*)(void *))(void *)read_folder;                      \
        result->gl_closedir = close_folder;                                                        \
        result->gl_stat = (int (*)(const char *restrict, struct status *restrict))(void *)follow;  \
        result->gl_lstat = (int (*)(const char *restrict, struct status *restrict))(void *)look;   \
        int code = CALL(name)(pattern, flags | GLOB_ALTDIRFUNC, failed, result);                   \
        result->gl_flags &= ~GLOB_ALTDIRFUNC;                                                      \
        return code;                                                                               \
    }
WRAP_GLOB(glob, glob_t, dirent, stat)
WRAP_GLOB(glob64, glob64_t, dirent64, stat64)

/* --- ftw, nftw ------------------------------------------------------------------------------- */

struct tour {
    int flags; /* FTW_* of nftw(); 0 for ftw() */
    int (*ftw)(const char *, const struct stat *, int);
    int (*nftw)(const char *, const struct stat *, int, struct FTW *);
    size_t length;
    char path[PATH_MAX];
};

static int call(struct tour *tour, uint32_t node, int kind, int level) {
    struct stat status;
    oxidize_fill_stat(node, &status);
    if (tour->ftw)
        return tour->ftw(tour->path, &status, kind);
    const char *slash = strrchr(tour->path, '/');
    struct FTW place = {.base = slash && slash[1] ? (int)(slash + 1 - tour->path) : 0,
                        .level = level};
    return tour->nftw(tour->path, &status, kind, &place);
}

static int visit(struct tour *tour, uint32_t index, int level);

/* What is in a folder. The path is as before when it returns. */
static int visit_children(struct tour *tour, const struct oxidize_node *folder, int level) {
    int result = 0;
    size_t length = tour->length;
    for (uint32_t i = 0; result == 0 && i < folder->child_count; i++) {
        uint32_t index = folder->first_child + i;
        const struct oxidize_node *child = oxidize_node(index);
        if (child == NULL)
            break;
        const char *name = oxidize_string(child->path) + child->name_start;
        size_t size = (size_t)(child->path_length - child->name_start);
        if (length + 1 + size >= sizeof tour->path) {
            errno = ENAMETOOLONG;
            return -1;
        }
        tour->path[length] = '/';
        memcpy(tour->path + length + 1, name, size + 1);
        tour->length = length + 1 + size;
        result = visit(tour, index, level + 1);
        tour->path[tour->length = length] = '\0';
    }
    return result;
}

static int visit(struct tour *tour, uint32_t index, int level) {
    const struct oxidize_node *node = oxidize_node(index);
    bool folder = node->kind == OXIDIZE_DIRECTORY, after = tour->flags & FTW_DEPTH;
    bool asked = tour->flags & FTW_ACTIONRETVAL;
    int result = 0;
    if (!folder || !after)
        result = call(tour, index, folder ? FTW_D : FTW_F, level);
    if (folder && result == 0) {
        result = visit_children(tour, node, level);
        if (asked && result == FTW_SKIP_SIBLINGS)
            result = 0;
        if (result == 0 && after)
            result = call(tour, index, FTW_DP, level);
    }
    return asked && result == FTW_SKIP_SUBTREE ? 0 : result;
}

/* `path` is in the image. As libc's own, it begins without the slashes at the path's end. */
static int start_tour(struct tour *tour, const char *path) {
    struct oxidize_place place;
    tour->length = strlen(path);
    while (tour->length > 1 && path[tour->length - 1] == '/')
        tour->length--;
    memcpy(tour->path, path, tour->length);
    tour->path[tour->length] = '\0';
    if (!oxidize_find(AT_FDCWD, tour->path, &place) || place.node == OXIDIZE_NONE)
        return -1;
    if (tour->flags & FTW_CHDIR) {
        errno = EACCES; /* as chdir() */
        return -1;
    }
    int result = visit(tour, place.node, 0);
    bool asked = tour->flags & FTW_ACTIONRETVAL;
    return asked && result == FTW_SKIP_SIBLINGS ? 0 : result;
}

/* clang-format off */
#define WRAP_FTW(name, kind)                                                                       \
    REAL_LAZY(name);                                                                               \
    WRAP(int, name)(const char *path, int (*visitor)(const char *, const struct kind *, int),      \
                    int descriptors) {                                                             \
        struct oxidize_place place;                                                                \
        if (!oxidize_resolve(AT_FDCWD, path, &place))                                              \
            return CALL(name)(place.outside, visitor, descriptors);                                \
        struct tour tour = {                                                                       \
            .ftw = (int (*)(const char *, const struct stat *, int))(void *)visitor};              \
        return start_tour(&tour, path);                                                            \
    }
#define WRAP_NFTW(name, kind)                                                                      \
    REAL_LAZY(name);                                                                               \
    WRAP(int, name)(const char *path,                                                              \
                    int (*visitor)(const char *, const struct kind *, int, struct FTW *),          \
                    int descriptors, int flags) {                                                  \
        struct oxidize_place place;                                                                \
        if (!oxidize_resolve(AT_FDCWD, path, &place))                                              \
            return CALL(name)(place.outside, visitor, descriptors, flags);                         \
        struct tour tour = {                                                                       \
            .flags = flags,                                                                        \
            .nftw = (int (*)(const char *, const struct stat *, int, struct FTW *))(void *)visitor \
        };                                                                                         \
        return start_tour(&tour, path);                                                            \
    }
/* clang-format on */
WRAP_FTW(ftw, stat)
WRAP_FTW(ftw64, stat64)
WRAP_NFTW(nftw, stat)
WRAP_NFTW(nftw64, stat64)
#else
typedef int oxidize_no_search;
#endif
