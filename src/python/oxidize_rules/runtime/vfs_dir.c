/* Directory streams over the image.
 *
 * Ours begin with a magic number and their own address, which no stream of libc can: glibc's
 * begin with a descriptor and a lock, musl's with a position in the folder. */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "image_access.h"
#include "vfs.h"
#include "wrap.h"

#define STREAM_MAGIC 0xd1f0a3c95b7e2846u

struct stream {
    uint64_t magic;
    struct stream *self;
    uint32_t directory;
    uint32_t next;  /* 0 is ".", 1 is "..", then the children */
    int descriptor; /* -1 until dirfd() asks for one */
    struct dirent entry;
};

REAL(opendir);
REAL(fdopendir);
REAL(closedir);
REAL(readdir);
REAL(rewinddir);
REAL(telldir);
REAL(seekdir);
REAL(dirfd);

static struct stream *ours(DIR *directory) {
    struct stream *stream = (struct stream *)(void *)directory;
    return stream->magic == STREAM_MAGIC && stream->self == stream ? stream : NULL;
}

static DIR *new_stream(uint32_t index, int descriptor) {
    const struct oxidize_node *node = oxidize_node(index);
    if (node == NULL || node->kind != OXIDIZE_DIRECTORY) {
        errno = ENOTDIR;
        return NULL;
    }
    struct stream *stream = calloc(1, sizeof *stream);
    if (stream == NULL)
        return NULL;
    stream->magic = STREAM_MAGIC;
    stream->self = stream;
    stream->directory = index;
    stream->descriptor = descriptor;
    return (DIR *)(void *)stream;
}

WRAP(DIR *, opendir)(const char *path) {
    struct oxidize_place place;
    if (!oxidize_find(AT_FDCWD, path, &place))
        return CALL(opendir)(place.outside);
    return place.node == OXIDIZE_NONE ? NULL : new_stream(place.node, -1);
}

WRAP(DIR *, fdopendir)(int descriptor) {
    uint32_t node = oxidize_node_of_descriptor(descriptor);
    if (node == OXIDIZE_NONE)
        return CALL(fdopendir)(descriptor);
    return new_stream(node, descriptor);
}

WRAP(int, closedir)(DIR *directory) {
    struct stream *stream = ours(directory);
    if (stream == NULL)
        return CALL(closedir)(directory);
    int descriptor = stream->descriptor;
    stream->magic = 0;
    stream->self = NULL;
    free(stream);
    return descriptor < 0 ? 0 : close(descriptor);
}

static void fill_entry(struct stream *stream, uint32_t index, const char *name, size_t length) {
    struct dirent *entry = &stream->entry;
    const struct oxidize_node *node = oxidize_node(index);
    entry->d_ino = (ino_t)index + 1;
    entry->d_off = stream->next;
    entry->d_reclen = sizeof *entry;
    entry->d_type = node->kind == OXIDIZE_DIRECTORY ? DT_DIR : DT_REG;
    if (length >= sizeof entry->d_name)
        length = sizeof entry->d_name - 1;
    memcpy(entry->d_name, name, length);
    entry->d_name[length] = '\0';
}

static struct dirent *next_entry(struct stream *stream) {
    const struct oxidize_node *folder = oxidize_node(stream->directory);
    uint32_t position = stream->next;
    if (position < 2) {
        stream->next++;
        fill_entry(stream, position ? folder->parent : stream->directory, "..", position + 1);
        return &stream->entry;
    }
    const struct oxidize_node *child = oxidize_node(folder->first_child + position - 2);
    if (position - 2 >= folder->child_count || child == NULL)
        return NULL;
    stream->next++;
    fill_entry(stream, folder->first_child + position - 2,
               oxidize_string(child->path) + child->name_start,
               (size_t)(child->path_length - child->name_start));
    return &stream->entry;
}

WRAP(struct dirent *, readdir)(DIR *directory) {
    struct stream *stream = ours(directory);
    return stream ? next_entry(stream) : CALL(readdir)(directory);
}

/* Libraries still use it, and would give our streams to libc's. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
static int next_entry_r(struct stream *stream, struct dirent *entry, struct dirent **result) {
    *result = next_entry(stream);
    if (*result)
        *result = memcpy(entry, *result, sizeof *entry);
    return 0;
}

REAL(readdir_r);
WRAP(int, readdir_r)
(DIR *restrict directory, struct dirent *restrict entry, struct dirent **restrict result) {
    struct stream *stream = ours(directory);
    return stream ? next_entry_r(stream, entry, result)
                  : CALL(readdir_r)(directory, entry, result);
}

#ifdef __GLIBC__
_Static_assert(sizeof(struct dirent64) == sizeof(struct dirent), "same layout");

REAL(readdir64);
WRAP(struct dirent64 *, readdir64)(DIR *directory) {
    struct stream *stream = ours(directory);
    return stream ? (struct dirent64 *)(void *)next_entry(stream) : CALL(readdir64)(directory);
}

REAL(readdir64_r);
WRAP(int, readdir64_r)
(DIR *restrict directory, struct dirent64 *restrict entry, struct dirent64 **restrict result) {
    struct stream *stream = ours(directory);
    return stream ? next_entry_r(stream, (struct dirent *)(void *)entry,
                                 (struct dirent **)(void *)result)
                  : CALL(readdir64_r)(directory, entry, result);
}
#endif
#pragma GCC diagnostic pop

WRAP(void, rewinddir)(DIR *directory) {
    struct stream *stream = ours(directory);
    if (stream)
        stream->next = 0;
    else
        CALL(rewinddir)(directory);
}

WRAP(long, telldir)(DIR *directory) {
    struct stream *stream = ours(directory);
    return stream ? (long)stream->next : CALL(telldir)(directory);
}

WRAP(void, seekdir)(DIR *directory, long position) {
    struct stream *stream = ours(directory);
    if (stream)
        stream->next = (uint32_t)position;
    else
        CALL(seekdir)(directory, position);
}

WRAP(int, dirfd)(DIR *directory) {
    struct stream *stream = ours(directory);
    if (stream == NULL)
        return CALL(dirfd)(directory);
    if (stream->descriptor < 0)
        stream->descriptor = oxidize_open_node(stream->directory, O_CLOEXEC);
    return stream->descriptor;
}
