/* On glibc: what a library of the image needs of the image.
 *
 * A needed library is looked for as glibc's dynamic linker would in an installation: what is
 * loaded already by its DT_SONAME; DT_RUNPATH, or DT_RPATH of the library and of those that
 * brought it in; then the folder of the image's own libraries. What is in none of them is left to
 * the dynamic linker and the host. */
#define _GNU_SOURCE
#include "wrap.h"

#ifdef __GLIBC__
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "glibc_load.h"
#include "image_access.h"

/* --- files of the image --- */

static uint32_t file_at(const char *path) {
    struct oxidize_place place;
    if (*path != '/' || !oxidize_find(AT_FDCWD, path, &place))
        return OXIDIZE_NONE;
    const struct oxidize_node *node = oxidize_node(place.node);
    return node && node->kind == OXIDIZE_FILE ? place.node : OXIDIZE_NONE;
}

/* The length of `$ORIGIN` or `${ORIGIN}` at the start, or 0. */
static size_t origin_length(const char *text) {
    static const char *const spellings[] = {"${ORIGIN}", "$ORIGIN"};
    for (size_t i = 0; i < sizeof spellings / sizeof *spellings; i++)
        if (strncmp(text, spellings[i], strlen(spellings[i])) == 0)
            return strlen(spellings[i]);
    return 0;
}

/* `text` (of `length` bytes) with the folder of the library `needer` for $ORIGIN. False if it does
 * not fit or asks for something else ($LIB, $PLATFORM), which no wheel does. */
static bool expand(char *path, size_t size, const char *text, size_t length, uint32_t needer) {
    char origin[PATH_MAX] = "";
    size_t origin_size = origin_length(text);
    if (origin_size > length || (origin_size && needer == OXIDIZE_NONE))
        return false;
    if (origin_size) {
        if (oxidize_absolute_path(needer, origin, sizeof origin) >= sizeof origin)
            return false;
        *strrchr(origin, '/') = '\0';
    }
    if (memchr(text + origin_size, '$', length - origin_size))
        return false;
    int done = snprintf(path, size, "%s%.*s", origin, (int)(length - origin_size),
                        text + origin_size);
    return done >= 0 && (size_t)done < size;
}

static uint32_t find_in(const char *folder, size_t length, uint32_t needer, const char *name) {
    char path[PATH_MAX];
    if (!expand(path, sizeof path, folder, length, needer))
        return OXIDIZE_NONE;
    size_t used = strlen(path);
    int more = snprintf(path + used, sizeof path - used, "/%s", name);
    return more >= 0 && (size_t)more < sizeof path - used ? file_at(path) : OXIDIZE_NONE;
}

/* `folders` is a list with colons, or NULL. */
static uint32_t find_along(const char *folders, uint32_t needer, const char *name) {
    while (folders) {
        size_t length = strcspn(folders, ":");
        uint32_t found = length ? find_in(folders, length, needer, name) : OXIDIZE_NONE;
        if (found != OXIDIZE_NONE)
            return found;
        folders = folders[length] ? folders + length + 1 : NULL;
    }
    return OXIDIZE_NONE;
}

static bool open_node(struct oxidize_elf *elf, uint32_t index) {
    const struct oxidize_node *node = oxidize_node(index);
    return node && oxidize_elf_open(elf, oxidize_content(node), node->size);
}

static uint32_t find_own(const char *name) {
    return find_in(OXIDIZE_LIBRARIES, strlen(OXIDIZE_LIBRARIES), OXIDIZE_NONE, name);
}

uint32_t oxidize_find_library(uint32_t needer, const char *name) {
    struct oxidize_elf elf;
    char path[PATH_MAX];
    if (strchr(name, '/'))
        return expand(path, sizeof path, name, strlen(name), needer) ? file_at(path)
                                                                     : OXIDIZE_NONE;
    uint32_t found = OXIDIZE_NONE;
    if (open_node(&elf, needer)) {
        found = find_along(oxidize_elf_first_text(&elf, DT_RUNPATH), needer, name);
        if (found == OXIDIZE_NONE && !oxidize_elf_first_text(&elf, DT_RUNPATH))
            found = find_along(oxidize_elf_first_text(&elf, DT_RPATH), needer, name);
    }
    return found == OXIDIZE_NONE ? find_own(name) : found;
}

/* The same for a member of a load: DT_RPATH is asked of those before it, too. */
static uint32_t find_needed(const struct oxidize_load *load, size_t index, const char *name) {
    const struct oxidize_member *member = &load->members[index];
    const char *run_path = oxidize_elf_first_text(&member->elf, DT_RUNPATH);
    uint32_t found = OXIDIZE_NONE;
    if (strchr(name, '/'))
        return oxidize_find_library(member->node, name);
    if (run_path)
        found = find_along(run_path, member->node, name);
    for (size_t at = index; !run_path && found == OXIDIZE_NONE; at = member->needer) {
        member = &load->members[at];
        if (!oxidize_elf_first_text(&member->elf, DT_RUNPATH))
            found = find_along(oxidize_elf_first_text(&member->elf, DT_RPATH), member->node, name);
        if (member->needer == at)
            break;
    }
    return found == OXIDIZE_NONE ? find_own(name) : found;
}

/* --- what is loaded --- */

struct question {
    const char *soname, *path;
};

/* DT_SONAME of something loaded, or NULL. Of the dynamic linker's own files it has changed the
 * addresses in the dynamic section to real ones, of the kernel's (vDSO) not. */
static const char *soname_of(const struct dl_phdr_info *info) {
    const ElfW(Dyn) *entry = NULL;
    ElfW(Addr) strings = 0, name = 0;
    for (int i = 0; i < info->dlpi_phnum; i++)
        if (info->dlpi_phdr[i].p_type == PT_DYNAMIC)
            entry = (const ElfW(Dyn) *)(info->dlpi_addr + info->dlpi_phdr[i].p_vaddr);
    for (; entry && entry->d_tag != DT_NULL; entry++) {
        if (entry->d_tag == DT_STRTAB)
            strings = entry->d_un.d_ptr;
        if (entry->d_tag == DT_SONAME)
            name = entry->d_un.d_val;
    }
    if (strings < info->dlpi_addr)
        strings += info->dlpi_addr;
    return name ? (const char *)strings + name : NULL;
}

static int answer(struct dl_phdr_info *info, size_t size, void *data) {
    const struct question *question = data;
    (void)size;
    if (question->path && info->dlpi_name && strcmp(info->dlpi_name, question->path) == 0)
        return 1;
    const char *soname = question->soname ? soname_of(info) : NULL;
    return soname && strcmp(soname, question->soname) == 0;
}

bool oxidize_is_loaded(const char *soname, const char *path) {
    struct question question = {soname, path};
    return dl_iterate_phdr(answer, &question) != 0;
}

/* --- the members of a load --- */

/* An array with room for one more; NULL: out of memory. */
static void *grow(void *array, size_t count, size_t *room, size_t size) {
    if (count < *room)
        return array;
    size_t wanted = *room ? 2 * *room : 8;
    void *larger = realloc(array, wanted * size);
    if (larger)
        *room = wanted;
    return larger;
}

static bool fail(char *why, const char *format, const char *detail) {
    snprintf(why, OXIDIZE_MESSAGE_SIZE, format, detail);
    return false;
}

static bool no_memory(char *why) { return fail(why, "%s", "out of memory"); }

static bool add_member(struct oxidize_load *load, uint32_t node, size_t needer, char *why) {
    char path[PATH_MAX];
    struct oxidize_elf elf;
    oxidize_absolute_path(node, path, sizeof path);
    if (!open_node(&elf, node))
        return fail(why, "%s: not a shared library for this machine, or damaged", path);
    void *members = grow(load->members, load->count, &load->room, sizeof *load->members);
    char *name = strdup(path);
    if (members)
        load->members = members;
    if (members == NULL || name == NULL) {
        free(name);
        return no_memory(why);
    }
    load->members[load->count++] = (struct oxidize_member){
        .node = node,
        .needer = needer,
        .elf = elf,
        .soname = oxidize_elf_first_text(&elf, DT_SONAME),
        .name = name,
        .file.descriptor = -1,
    };
    return true;
}

static bool add_nickname(struct oxidize_load *load, uint32_t node, const char *name, char *why) {
    for (size_t i = 0; i < load->nickname_count; i++)
        if (strcmp(load->nicknames[i].name, name) == 0)
            return true;
    void *nicknames = grow(load->nicknames, load->nickname_count, &load->nickname_room,
                           sizeof *load->nicknames);
    if (nicknames == NULL)
        return no_memory(why);
    load->nicknames = nicknames;
    load->nicknames[load->nickname_count++] = (struct oxidize_nickname){.node = node, .name = name};
    return true;
}

static bool has_member(const struct oxidize_load *load, const char *soname) {
    for (size_t i = 0; i < load->count; i++)
        if (load->members[i].soname && strcmp(load->members[i].soname, soname) == 0)
            return true;
    return false;
}

static bool add_needed(struct oxidize_load *load, size_t needer, const char *name, char *why) {
    struct oxidize_elf elf;
    uint32_t node = has_member(load, name) ? OXIDIZE_NONE : find_needed(load, needer, name);
    if (node == OXIDIZE_NONE || oxidize_is_loaded(name, NULL) || oxidize_prefer_host(name, node))
        return true;
    const char *soname = open_node(&elf, node) ? oxidize_elf_first_text(&elf, DT_SONAME) : name;
    if (soname && strcmp(soname, name) == 0)
        return add_member(load, node, needer, why);
    return add_nickname(load, node, name, why);
}

bool oxidize_collect(struct oxidize_load *load, uint32_t node, char *why) {
    if (!add_member(load, node, 0, why))
        return false;
    for (size_t i = 0; i < load->count; i++) {
        const struct oxidize_elf elf = load->members[i].elf; /* the array may move */
        uint64_t cursor = 0;
        const char *name;
        while ((name = oxidize_elf_text(&elf, DT_NEEDED, &cursor)) != NULL)
            if (!add_needed(load, i, name, why))
                return false;
    }
    return true;
}
#else
typedef int oxidize_no_needs;
#endif
