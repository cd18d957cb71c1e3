/* The virtual filesystem: what the wrapped libc functions share.
 *
 * The functions of `libc.txt` (on glibc those of `libc_gnu.txt`, too) are taken over from libc, in
 * the way that wrap.h tells. A path under the image's root is answered from memory, any other one
 * goes to libc's own function unchanged.
 *
 * There is no state but the working folder (vfs_standing.c): an open file or folder is a memfd whose modification time carries its node
 * (seconds: OXIDIZE_MTIME, nanoseconds: the node's index), so that it is recognised after dup(),
 * fork() and exec(), and nobody has to be told when it is closed.
 *
 * Not followed: a symbolic link on disk that points into the image (only the kernel sees it).
 */
#ifndef OXIDIZE_VFS_H
#define OXIDIZE_VFS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

/* Modification time of every file: 2 January 1980, which is in every time zone a time that a zip
 * archive can hold. */
#define OXIDIZE_MTIME 315619200
/* Device number that stat() tells for the image: major 4096, one more than a kernel can give. */
#define OXIDIZE_DEVICE 0x100000000001

#define OXIDIZE_HIDDEN __attribute__((visibility("hidden")))

/* Where a path leads. */
struct oxidize_place {
    const char *outside; /* not in the image: what to ask libc for */
    uint32_t node;       /* in the image and there, else OXIDIZE_NONE */
    int error;           /* in the image and not there: ENOENT, ENOTDIR, ENAMETOOLONG */
    bool creatable;      /* not there, but the folder it would stand in is */
};

/* Look up `path`, relative to `folder` (a descriptor or AT_FDCWD). True: it is in the image. */
OXIDIZE_HIDDEN bool oxidize_resolve(int folder, const char *path, struct oxidize_place *place);

/* As above, for a path that must be there. False: go to libc with `place->outside`.
 * True: `place->node`, or OXIDIZE_NONE with errno set. */
OXIDIZE_HIDDEN bool oxidize_find(int folder, const char *path, struct oxidize_place *place);

/* The folder of the image that the process stands in, or OXIDIZE_NONE: it is on disk. */
OXIDIZE_HIDDEN uint32_t oxidize_working_folder(void);

/* Whether the process stands in the folder from now on: not a child of vfork(). */
OXIDIZE_HIDDEN bool oxidize_stand_in(uint32_t node);
OXIDIZE_HIDDEN void oxidize_stand_on_disk(void);

/* To be called once, before there are other threads. */
OXIDIZE_HIDDEN void oxidize_note_process(void);

/* The node that an open descriptor stands for, or OXIDIZE_NONE. errno is kept. */
OXIDIZE_HIDDEN uint32_t oxidize_node_of_descriptor(int descriptor);

/* The same from a stat() of the descriptor, whether it is the kernel's or already filled by us. */
OXIDIZE_HIDDEN uint32_t oxidize_node_of_stat(const struct stat *status);

OXIDIZE_HIDDEN void oxidize_fill_stat(uint32_t node, struct stat *status);

/* The absolute path of a node: at most `size` bytes with the NUL. Returns its length. */
OXIDIZE_HIDDEN size_t oxidize_absolute_path(uint32_t node, char *buffer, size_t size);

/* A new descriptor for a node, or -1 and errno. Of `flags` only those count that do not depend on
 * the file. */
OXIDIZE_HIDDEN int oxidize_open_node(uint32_t node, int flags);

/* The same in memory alone: fails where the kernel has no memfd. */
OXIDIZE_HIDDEN int oxidize_open_memory(uint32_t node, int flags);

/* The parts of the above, for the loader of libraries: a new memfd, its seals, ... */
OXIDIZE_HIDDEN int oxidize_new_memfd(const char *label, int flags);
OXIDIZE_HIDDEN void oxidize_seal(int descriptor);
OXIDIZE_HIDDEN bool oxidize_write_all(int descriptor, const uint8_t *bytes, uint64_t size);

/* Write a file's content from the beginning of a descriptor on, decompressed; of a folder nothing.
 * False: errno is set, to EIO where the image is damaged. */
struct oxidize_node;
OXIDIZE_HIDDEN bool oxidize_copy_content(int descriptor, const struct oxidize_node *node);

/* Once content of the image is copied, a large original need not stay in memory, too: its pages come
 * from the executable's file again when they are wanted. */
OXIDIZE_HIDDEN void oxidize_let_go(const uint8_t *content, uint64_t size);
/* ... and a temporary file, whose name is given back in `name`. -1: no folder takes one (and with
 * `for_code`, lets it be mapped as code). */
OXIDIZE_HIDDEN int oxidize_new_temporary(char *name, size_t size, int flags, bool for_code);

/* open() of a place in the image: checks `flags` as the kernel does for a read-only disk. */
OXIDIZE_HIDDEN int oxidize_open_place(const struct oxidize_place *place, int flags);

#endif
