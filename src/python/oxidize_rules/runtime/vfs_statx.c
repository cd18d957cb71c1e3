/* statx(), which newer code asks in place of stat(): it tells more. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "image_access.h"
#include "vfs.h"
#include "wrap.h"

static struct statx_timestamp to_timestamp(struct timespec time) {
    return (struct statx_timestamp){.tv_sec = time.tv_sec, .tv_nsec = (uint32_t)time.tv_nsec};
}

static void fill_statx(uint32_t node, struct statx *result) {
    struct stat status;
    oxidize_fill_stat(node, &status);
    memset(result, 0, sizeof *result);
    result->stx_mask = STATX_BASIC_STATS;
    result->stx_blksize = (uint32_t)status.st_blksize;
    result->stx_nlink = (uint32_t)status.st_nlink;
    result->stx_mode = (uint16_t)status.st_mode;
    result->stx_ino = status.st_ino;
    result->stx_size = (uint64_t)status.st_size;
    result->stx_blocks = (uint64_t)status.st_blocks;
    result->stx_atime = to_timestamp(status.st_atim);
    result->stx_ctime = to_timestamp(status.st_ctim);
    result->stx_mtime = to_timestamp(status.st_mtim);
    result->stx_dev_major = major(status.st_dev);
    result->stx_dev_minor = minor(status.st_dev);
}

/* statx() with an empty path asks about a descriptor, which may be one of ours. */
static bool find_for_statx(int folder, const char *path, int flags, struct oxidize_place *place) {
    if (!(flags & AT_EMPTY_PATH) || path == NULL || *path)
        return oxidize_find(folder, path, place);
    place->outside = path;
    place->node = oxidize_node_of_descriptor(folder);
    return place->node != OXIDIZE_NONE;
}

int statx(int folder, const char *restrict path, int flags, unsigned mask,
          struct statx *restrict result);
REAL(statx);
WRAP(int, statx)
(int folder, const char *restrict path, int flags, unsigned mask, struct statx *restrict result) {
    struct oxidize_place place;
    if (!find_for_statx(folder, path, flags, &place))
        return CALL(statx)(folder, place.outside, flags, mask, result);
    if (place.node == OXIDIZE_NONE)
        return -1;
    fill_statx(place.node, result);
    return 0;
}
