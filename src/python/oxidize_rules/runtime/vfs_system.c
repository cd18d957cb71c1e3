/* The image as a file system: read-only, full, of a type that nobody else has. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "image_access.h"
#include "vfs.h"
#include "wrap.h"

#define BLOCK 4096

/* What all files take up. Programs divide by it, so a disk of size 0 would not do. */
static uint64_t count_blocks(void) {
    uint64_t blocks = 0;
    for (uint32_t index = 0; index < oxidize_image.node_count; index++) {
        const struct oxidize_node *node = oxidize_node(index);
        blocks += node ? node->size / BLOCK + (node->size % BLOCK != 0) : 0;
    }
    return blocks;
}

/* `fill` sets what the structures name differently. */
#define FILL(kind, fill)                                                                           \
    static int fill_##kind(uint32_t node, struct kind *status) {                                   \
        if (node == OXIDIZE_NONE)                                                                  \
            return -1;                                                                             \
        memset(status, 0, sizeof *status);                                                         \
        status->f_bsize = status->f_frsize = BLOCK;                                                \
        status->f_blocks = count_blocks();                                                         \
        status->f_files = oxidize_image.node_count;                                                \
        fill;                                                                                      \
        return 0;                                                                                  \
    }

#define WRAP_SYSTEM(name, kind)                                                                    \
    REAL_LAZY(name);                                                                               \
    WRAP(int, name)(const char *path, struct kind *status) {                                       \
        struct oxidize_place place;                                                                \
        if (!oxidize_find(AT_FDCWD, path, &place))                                                 \
            return CALL(name)(place.outside, status);                                              \
        return fill_##kind(place.node, status);                                                    \
    }                                                                                              \
    REAL_LAZY(f##name);                                                                            \
    WRAP(int, f##name)(int descriptor, struct kind *status) {                                      \
        uint32_t node = oxidize_node_of_descriptor(descriptor);                                    \
        return node == OXIDIZE_NONE ? CALL(f##name)(descriptor, status)                            \
                                    : fill_##kind(node, status);                                   \
    }

/* clang-format off */
FILL(statvfs, (status->f_flag = ST_RDONLY, status->f_namemax = NAME_MAX))
FILL(statfs, (status->f_type = OXIDIZE_IMAGE_MAGIC, status->f_namelen = NAME_MAX,
              status->f_flags = ST_RDONLY))
WRAP_SYSTEM(statvfs, statvfs)
WRAP_SYSTEM(statfs, statfs)
#ifdef __GLIBC__
FILL(statvfs64, (status->f_flag = ST_RDONLY, status->f_namemax = NAME_MAX))
FILL(statfs64, (status->f_type = OXIDIZE_IMAGE_MAGIC, status->f_namelen = NAME_MAX,
                status->f_flags = ST_RDONLY))
WRAP_SYSTEM(statvfs64, statvfs64)
WRAP_SYSTEM(statfs64, statfs64)
#endif
/* clang-format on */

REAL_LAZY(pathconf);
WRAP(long, pathconf)(const char *path, int name) {
    struct oxidize_place place;
    if (!oxidize_find(AT_FDCWD, path, &place))
        return CALL(pathconf)(place.outside, name);
    return place.node == OXIDIZE_NONE ? -1 : CALL(pathconf)("/", name);
}
