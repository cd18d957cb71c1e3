/* On glibc: libraries of the compiler that hosts have, too, and other libraries of the host use.
 *
 * One process should have one libstdc++ and one libgcc_s. The newer one serves both sides, as both
 * libraries only ever gain versions of symbols: the host's if it has all versions that the image's
 * has, else the image's. The host's is not loaded to find out, since it could not be unloaded. */
#define _GNU_SOURCE
#include "wrap.h"

#ifdef __GLIBC__
#include <dlfcn.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "glibc_load.h"
#include "image_access.h"

REAL(dlopen);
REAL(open);
REAL(fstat);

static bool is_shared_with_host(const char *name) {
    return strcmp(name, "libstdc++.so.6") == 0 || strcmp(name, "libgcc_s.so.1") == 0;
}

static bool has_versions(const uint8_t *bytes, size_t size, uint32_t index) {
    struct oxidize_elf host, ours;
    const struct oxidize_node *node = oxidize_node(index);
    return node && oxidize_elf_open(&host, bytes, size) &&
           oxidize_elf_open(&ours, oxidize_content(node), node->size) &&
           oxidize_elf_has_versions_of(&host, &ours);
}

/* Whether the file is there, for this machine, and at least as new as the image's library. */
static bool is_new_enough(const char *path, uint32_t node) {
    struct stat status;
    int descriptor = CALL(open)(path, O_RDONLY | O_CLOEXEC);
    if (descriptor < 0)
        return false;
    void *bytes = MAP_FAILED;
    if (CALL(fstat)(descriptor, &status) == 0 && status.st_size > 0)
        bytes = mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_PRIVATE, descriptor, 0);
    close(descriptor);
    if (bytes == MAP_FAILED)
        return false;
    bool enough = has_versions(bytes, (size_t)status.st_size, node);
    munmap(bytes, (size_t)status.st_size);
    return enough;
}

/* The folders in which the dynamic linker looks for what this executable needs. To be freed. */
static Dl_serinfo *search_folders(void) {
    Dl_serinfo size, *folders = NULL;
    void *self = CALL(dlopen)(NULL, RTLD_LAZY);
    if (self == NULL)
        return NULL;
    if (dlinfo(self, RTLD_DI_SERINFOSIZE, &size) == 0)
        folders = malloc(size.dls_size);
    if (folders && (dlinfo(self, RTLD_DI_SERINFOSIZE, folders) != 0 ||
                    dlinfo(self, RTLD_DI_SERINFO, folders) != 0)) {
        free(folders);
        folders = NULL;
    }
    dlclose(self);
    return folders;
}

static bool load_host(const char *name, uint32_t node) {
    char path[PATH_MAX];
    Dl_serinfo *folders = search_folders();
    bool found = false;
    for (unsigned i = 0; folders && !found && i < folders->dls_cnt; i++) {
        int length = snprintf(path, sizeof path, "%s/%s", folders->dls_serpath[i].dls_name, name);
        found = length > 0 && (size_t)length < sizeof path && is_new_enough(path, node);
    }
    free(folders);
    return found && CALL(dlopen)(path, RTLD_LAZY) != NULL;
}

bool oxidize_prefer_host(const char *name, uint32_t node) {
    char own[64], path[PATH_MAX];
    if (!is_shared_with_host(name))
        return false;
    snprintf(own, sizeof own, OXIDIZE_LIBRARIES "/%s", name);
    oxidize_absolute_path(node, path, sizeof path);
    return strcmp(own, path) == 0 && load_host(name, node);
}
#else
typedef int oxidize_no_host;
#endif
