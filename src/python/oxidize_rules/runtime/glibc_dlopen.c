/* On glibc: dlopen() of libraries in the image, and what it says of them.
 *
 * A path in the image, or a bare name that only the image has, is loaded from memory; all else is
 * the dynamic linker's own business. */
#define _GNU_SOURCE
#include "wrap.h"

#ifdef __GLIBC__
#include <dlfcn.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "glibc_load.h"
#include "image_access.h"

#if defined(__has_attribute)
#if __has_attribute(musttail)
#define TAIL_CALL __attribute__((musttail))
#endif
#endif
#ifndef TAIL_CALL /* other compilers do so when they optimise */
#define TAIL_CALL
#endif

REAL(dlopen);
REAL(dlerror);
REAL(dladdr);

/* Held during a load, as the dynamic linker holds its own: constructors may call dlopen(). */
static pthread_mutex_t lock = PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP;
static struct oxidize_load *current; /* the innermost load */

/* What dlerror() has to tell of this thread. */
static _Thread_local char message[OXIDIZE_MESSAGE_SIZE];
static _Thread_local bool failed;

/* How many loads this thread is in. */
static _Thread_local unsigned depth;

/* The thread that forks is the only one in the child: loads of others never end there. */
static void renew_lock(void) {
    static const pthread_mutex_t fresh = PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP;
    lock = fresh;
    if (depth == 0)
        current = NULL;
}

__attribute__((constructor)) static void watch_fork(void) {
    pthread_atfork(NULL, NULL, renew_lock);
}

/* --- messages --- */

/* Put the library's path in the image in the place of the one that was made up for it. */
static void replace(char *text, const char *old, const char *new) {
    char copy[OXIDIZE_MESSAGE_SIZE];
    char *at = strstr(text, old);
    if (at == NULL)
        return;
    snprintf(copy, sizeof copy, "%s%s", new, at + strlen(old));
    snprintf(at, OXIDIZE_MESSAGE_SIZE - (size_t)(at - text), "%s", copy);
}

/* The member that needs the library which a message of the dynamic linker begins with. */
static const struct oxidize_member *needer_of(const struct oxidize_load *load, const char *text) {
    static const char missing[] = ": cannot open shared object file";
    const char *end = strstr(text, missing);
    for (size_t i = 0; end && i < load->count; i++) {
        uint64_t cursor = 0;
        const char *name;
        while ((name = oxidize_elf_text(&load->members[i].elf, DT_NEEDED, &cursor)) != NULL)
            if (strlen(name) == (size_t)(end - text) && memcmp(name, text, strlen(name)) == 0)
                return &load->members[i];
    }
    return NULL;
}

/* Take over the dynamic linker's message. */
static void explain(const struct oxidize_load *load, const struct oxidize_published *bundle) {
    const char *text = CALL(dlerror)();
    snprintf(message, sizeof message, "%s", text ? text : "unknown error of the dynamic linker");
    for (size_t i = 0; i < load->count; i++)
        if (load->members[i].name)
            replace(message, load->members[i].file.path, load->members[i].name);
    if (bundle && load->members[0].name)
        replace(message, bundle->path, load->members[0].name);
    const struct oxidize_member *needer = needer_of(load, message);
    size_t length = strlen(message);
    if (needer && needer->name)
        snprintf(message + length, sizeof message - length, " (needed by %s)", needer->name);
}

/* --- loading --- */

static void *load_node(uint32_t node, int flags);

static struct link_map *map_of(void *handle) {
    struct link_map *map = NULL;
    return dlinfo(handle, RTLD_DI_LINKMAP, &map) == 0 ? map : NULL;
}

/* The old name is not freed: another thread's dladdr() may have given it away. */
static bool rename_map(struct link_map *map, struct oxidize_member *member) {
    if (map == NULL || strcmp(map->l_name, member->file.path) != 0)
        return false;
    map->l_name = member->name;
    member->name = NULL;
    return true;
}

static void *open_alone(struct oxidize_load *load, int flags) {
    struct oxidize_member *member = &load->members[0];
    void *handle = CALL(dlopen)(member->file.path, flags);
    if (handle)
        rename_map(map_of(handle), member);
    else
        explain(load, NULL);
    return handle;
}

/* The members stand behind the bundle in the list of what is loaded, in their order. */
static void rename_all(struct oxidize_load *load, struct link_map *map) {
    size_t next = 0;
    for (; map && next < load->count; map = map->l_next)
        next += rename_map(map, &load->members[next]);
}

static void *open_bundle(struct oxidize_load *load, int flags) {
    struct oxidize_published file = {.descriptor = -1};
    size_t size;
    const char *path = load->members[0].name;
    uint8_t *bytes = oxidize_write_bundle(load, &size);
    void *handle = NULL, *bundle = NULL;
    if (bytes == NULL)
        snprintf(message, sizeof message, "out of memory");
    else if (oxidize_publish(&file, path, bytes, size, message))
        bundle = CALL(dlopen)(file.path, flags & ~RTLD_NODELETE);
    free(bytes);
    if (bundle) {
        rename_all(load, map_of(bundle));
        handle = CALL(dlopen)(path, flags | RTLD_NOLOAD);
        if (handle == NULL)
            explain(load, &file);
        dlclose(bundle);
    } else if (file.descriptor >= 0) {
        explain(load, &file);
    }
    oxidize_withdraw(&file);
    return handle;
}

/* For as long as a load lasts, give libraries the names by which others need them: the dynamic
 * linker compares these, too. */
static void take_nicknames(struct oxidize_load *load) {
    for (size_t i = 0; i < load->nickname_count; i++) {
        struct oxidize_nickname *nickname = &load->nicknames[i];
        void *handle = load_node(nickname->node, RTLD_LAZY);
        struct link_map *map = handle ? map_of(handle) : NULL;
        if (map) {
            nickname->usual = map->l_name;
            map->l_name = (char *)(uintptr_t)nickname->name;
        }
        nickname->handle = handle;
    }
}

static void drop_nicknames(const struct oxidize_load *load) {
    for (size_t i = load->nickname_count; i > 0; i--) { /* one library may have two */
        const struct oxidize_nickname *nickname = &load->nicknames[i - 1];
        struct link_map *map = nickname->handle ? map_of(nickname->handle) : NULL;
        if (map)
            map->l_name = nickname->usual;
        if (nickname->handle)
            dlclose(nickname->handle);
    }
}

static bool publish_all(struct oxidize_load *load) {
    for (size_t i = 0; i < load->count; i++) {
        struct oxidize_member *member = &load->members[i];
        char why[OXIDIZE_MESSAGE_SIZE];
        if (!oxidize_publish(&member->file, member->name + sizeof OXIDIZE_ROOT, member->elf.bytes,
                             member->elf.size, why)) {
            snprintf(message, sizeof message, "%.400s: cannot be loaded from the executable: %s",
                     member->name, why);
            return false;
        }
        oxidize_let_go(member->elf.bytes, member->elf.size);
    }
    return true;
}

static void *open_all(struct oxidize_load *load, int flags) {
    void *handle = NULL;
    take_nicknames(load);
    if (publish_all(load))
        handle = load->count == 1 ? open_alone(load, flags) : open_bundle(load, flags);
    drop_nicknames(load);
    return handle;
}

static void clear(struct oxidize_load *load) {
    for (size_t i = 0; i < load->count; i++) {
        oxidize_withdraw(&load->members[i].file);
        free(load->members[i].name);
    }
    free(load->members);
    free(load->nicknames);
}

/* A library whose constructors are running asks for itself, or for one that comes with it. */
static const struct oxidize_member *member_of_current(uint32_t node) {
    for (const struct oxidize_load *load = current; load; load = load->outer)
        for (size_t i = 0; i < load->count; i++)
            if (load->members[i].node == node)
                return &load->members[i];
    return NULL;
}

static struct link_map *nicknamed_in_current(uint32_t node) {
    for (const struct oxidize_load *load = current; load; load = load->outer)
        for (size_t i = 0; i < load->nickname_count; i++)
            if (load->nicknames[i].node == node && load->nicknames[i].handle)
                return map_of(load->nicknames[i].handle);
    return NULL;
}

/* The name that the dynamic linker knows it by, or NULL if it is not loaded. `path` (PATH_MAX
 * bytes) is its path in the image. */
static const char *loaded_name(uint32_t node, char *path) {
    const struct oxidize_member *member = member_of_current(node);
    const struct link_map *nicknamed = nicknamed_in_current(node);
    oxidize_absolute_path(node, path, PATH_MAX);
    if (nicknamed)
        return nicknamed->l_name;
    if (member && member->name)
        return member->file.path;
    return oxidize_is_loaded(NULL, path) ? path : NULL;
}

/* Under the lock. */
static void *load_node(uint32_t node, int flags) {
    char path[PATH_MAX];
    const char *name = loaded_name(node, path);
    if (name || (flags & RTLD_NOLOAD))
        return name ? CALL(dlopen)(name, flags | RTLD_NOLOAD) : NULL;
    struct oxidize_load load = {.outer = current};
    void *handle = NULL;
    if (oxidize_collect(&load, node, message)) {
        current = &load;
        handle = open_all(&load, flags);
        current = load.outer;
    }
    clear(&load);
    failed = handle == NULL;
    return handle;
}

static void *load_locked(uint32_t node, int flags) {
    pthread_mutex_lock(&lock);
    depth++;
    failed = false;
    CALL(dlerror)(); /* so that what it tells later is later */
    void *handle = load_node(node, flags);
    depth--;
    pthread_mutex_unlock(&lock);
    return handle;
}

/* --- the functions themselves --- */

/* The library of the image that `address` belongs to, or OXIDIZE_NONE. */
static uint32_t library_at(const void *address) {
    Dl_info info;
    struct oxidize_place place;
    bool inside = dladdr(address, &info) && info.dli_fname && info.dli_fname[0] == '/' &&
                  oxidize_find(AT_FDCWD, info.dli_fname, &place);
    return inside ? place.node : OXIDIZE_NONE;
}

/* The file of the image that dlopen(name) means, or OXIDIZE_NONE: the dynamic linker's business. */
__attribute__((noinline)) static uint32_t meant(const char *name, const void *caller) {
    if (name == NULL || *name == '\0')
        return OXIDIZE_NONE;
    if (*name == '/' && strstr(name, &OXIDIZE_ROOT[1]) == NULL)
        return OXIDIZE_NONE;
    uint32_t node = oxidize_find_library(*name == '/' ? OXIDIZE_NONE : library_at(caller), name);
    bool bare = strchr(name, '/') == NULL;
    if (node != OXIDIZE_NONE && bare && oxidize_is_loaded(name, NULL))
        return OXIDIZE_NONE;
    return node == OXIDIZE_NONE || oxidize_prefer_host(name, node) ? OXIDIZE_NONE : node;
}

/* The dynamic linker looks at the address that it is called from, to search the caller's RUNPATH.
 * So that it sees the caller of ours, its own function is jumped to. */
WRAP(void *, dlopen)(const char *name, int flags) {
    uint32_t node = meant(name, __builtin_return_address(0));
    if (node != OXIDIZE_NONE)
        return load_locked(node, flags);
    TAIL_CALL return CALL(dlopen)(name, flags);
}

WRAP(char *, dlerror)(void) {
    bool ours = failed;
    char *later = CALL(dlerror)();
    failed = false;
    return later || !ours ? later : message;
}

/* Constructors run before their library has its name. */
WRAP(int, dladdr)(const void *address, Dl_info *info) {
    int result = CALL(dladdr)(address, info);
    if (result == 0 || info->dli_fname == NULL || strncmp(info->dli_fname, "/proc/", 6) != 0)
        return result;
    pthread_mutex_lock(&lock);
    for (const struct oxidize_load *load = current; load; load = load->outer)
        for (size_t i = 0; i < load->count; i++)
            if (load->members[i].name && strcmp(info->dli_fname, load->members[i].file.path) == 0)
                info->dli_fname = load->members[i].name;
    pthread_mutex_unlock(&lock);
    return result;
}
#else
typedef int oxidize_no_dlopen;
#endif
