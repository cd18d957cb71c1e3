/* On glibc: how a library of the image gets into the process. Parts of glibc_dlopen.c.
 *
 * glibc's dynamic linker opens files by their paths alone, with system calls of its own, so that
 * the virtual files are not there for it. A library is therefore given to it as a memfd under
 * /proc/self/fd, and when it is loaded, its name (`link_map.l_name`) is set to its path in the
 * image: for dladdr(), debuggers, and the next dlopen() of that path. */
#ifndef OXIDIZE_GLIBC_LOAD_H
#define OXIDIZE_GLIBC_LOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "elf_file.h"
#include "vfs.h"

#define OXIDIZE_LIBRARIES OXIDIZE_ROOT "/lib" /* libraries that belong to no wheel */
#define OXIDIZE_MESSAGE_SIZE 1024
#define OXIDIZE_SPELLED_SIZE 288

/* Bytes under a path that the dynamic linker can open (glibc_publish.c). */
struct oxidize_published {
    char path[OXIDIZE_SPELLED_SIZE]; /* no other file of this process had or will have it */
    int descriptor;                  /* -1: nothing is published */
    bool named;                      /* a temporary file: its name is to be removed */
};

/* False: `why` (OXIDIZE_MESSAGE_SIZE bytes) tells what is missing. `label` shows in /proc. */
OXIDIZE_HIDDEN bool oxidize_publish(struct oxidize_published *file, const char *label,
                                    const uint8_t *bytes, uint64_t size, char *why);

/* Once the dynamic linker has mapped it. */
OXIDIZE_HIDDEN void oxidize_withdraw(struct oxidize_published *file);

/* A library in the making. */
struct oxidize_member {
    uint32_t node;
    size_t needer; /* index of the member that needs it; its own for the first one */
    struct oxidize_elf elf;
    const char *soname; /* or NULL */
    char *name;         /* its path in the image; becomes the link map's when it is loaded */
    struct oxidize_published file;
};

/* A library that another one calls otherwise than it calls itself (DT_SONAME). */
struct oxidize_nickname {
    uint32_t node;
    const char *name;
    void *handle; /* while it has this name: */
    char *usual;  /* its usual one */
};

/* What one dlopen() loads: the library, and those of its dependencies that are in the image and
 * not loaded yet, in the dynamic linker's order: breadth first. */
struct oxidize_load {
    struct oxidize_member *members;
    size_t count, room;
    struct oxidize_nickname *nicknames;
    size_t nickname_count, nickname_room;
    struct oxidize_load *outer; /* the one whose constructors called this dlopen() */
};

/* Fill `load` with a library and what it needs (glibc_needs.c). False: `why` tells. */
OXIDIZE_HIDDEN bool oxidize_collect(struct oxidize_load *load, uint32_t node, char *why);

/* The file of the image that a library means by `name`, or OXIDIZE_NONE; `needer` is the
 * library's own file or OXIDIZE_NONE. */
OXIDIZE_HIDDEN uint32_t oxidize_find_library(uint32_t needer, const char *name);

/* Whether a library of that DT_SONAME, or of that path, is loaded. */
OXIDIZE_HIDDEN bool oxidize_is_loaded(const char *soname, const char *path);

/* Whether the host's libstdc++ or libgcc_s takes the place of the image's, of node `node`. It is
 * loaded then (glibc_host.c). */
OXIDIZE_HIDDEN bool oxidize_prefer_host(const char *name, uint32_t node);

/* A library without content that needs all members, in their order (glibc_bundle.c). To be freed.
 * NULL: out of memory. */
OXIDIZE_HIDDEN uint8_t *oxidize_write_bundle(const struct oxidize_load *load, size_t *size);

#endif
