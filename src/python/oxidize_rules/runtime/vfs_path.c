/* From a path to a node, with the kernel's rules: every part before the last must be a folder.
 *
 * Parts before the root (`/tmp/../.oxidized`) are taken literally, symbolic links among them are
 * not followed. A path that leaves the root again (`/.oxidized/../etc`) goes on in the real tree. */
#define _GNU_SOURCE
#include "vfs.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "image_access.h"

#define ROOT_NAME (&OXIDIZE_ROOT[1])
#define ROOT_NAME_LENGTH (sizeof OXIDIZE_ROOT - 2)

struct part {
    const char *text;
    size_t length;
};

/* The part at `*at`, which is moved to behind it. False at the end of the path. */
static bool next_part(const char **at, struct part *part) {
    while (**at == '/')
        ++*at;
    part->text = *at;
    part->length = strcspn(*at, "/");
    *at += part->length;
    return part->length > 0;
}

static bool is_dot(const struct part *part) { return part->length == 1 && part->text[0] == '.'; }

static bool is_dot_dot(const struct part *part) {
    return part->length == 2 && part->text[0] == '.' && part->text[1] == '.';
}

static void missing(struct oxidize_place *place, int error) {
    place->node = OXIDIZE_NONE;
    place->error = error;
}

/* One step from a node. True: `place->node` is the next one. */
static bool step(struct oxidize_place *place, const struct part *part, const char *rest) {
    const struct oxidize_node *here = oxidize_node(place->node);
    if (here == NULL || here->kind != OXIDIZE_DIRECTORY) {
        missing(place, ENOTDIR);
        return false;
    }
    if (is_dot(part))
        return true;
    if (is_dot_dot(part)) {
        place->node = here->parent;
        return true;
    }
    if (part->length > NAME_MAX) {
        missing(place, ENAMETOOLONG);
        return false;
    }
    uint32_t child = oxidize_find_child(place->node, part->text, part->length);
    if (child == OXIDIZE_NONE) {
        missing(place, ENOENT);
        place->creatable = rest[strspn(rest, "/")] == '\0';
        return false;
    }
    place->node = child;
    return true;
}

/* Follow `at` from `place->node`. Returns NULL when the answer is in `place`, otherwise the rest
 * of the path after it has left the root. */
static const char *walk(const char *at, struct oxidize_place *place) {
    struct part part;
    while (next_part(&at, &part)) {
        if (place->node == 0 && is_dot_dot(&part))
            return at;
        if (!step(place, &part, at))
            return NULL;
    }
    const struct oxidize_node *last = oxidize_node(place->node);
    if (at[-1] == '/' && last && last->kind != OXIDIZE_DIRECTORY)
        missing(place, ENOTDIR);
    return NULL;
}

/* Find the root's name at depth 0 of an absolute path; returns what follows it, or NULL. */
static const char *enter_root(const char *at) {
    struct part part;
    size_t depth = 0;
    while (next_part(&at, &part)) {
        if (is_dot(&part))
            continue;
        if (is_dot_dot(&part))
            depth -= depth > 0;
        else if (depth++ == 0 && part.length == ROOT_NAME_LENGTH &&
                 memcmp(part.text, ROOT_NAME, ROOT_NAME_LENGTH) == 0)
            return at;
    }
    return NULL;
}

/* The usual case: the path is spelled plainly, and one look into the hash table tells. */
static bool look_up_plain(const char *path, struct oxidize_place *place) {
    static const char prefix[] = OXIDIZE_ROOT "/";
    if (strncmp(path, prefix, sizeof prefix - 1) != 0)
        return false;
    const char *inner = path + sizeof prefix - 1;
    place->node = oxidize_find_path(inner, strlen(inner));
    return place->node != OXIDIZE_NONE && place->node != 0;
}

static bool resolve_absolute(const char *path, struct oxidize_place *place) {
    const char *at = path;
    while (at != NULL && (at = enter_root(at)) != NULL) {
        place->node = 0;
        at = walk(at, place);
        if (at == NULL)
            return true;
        place->outside = *at ? at : "/";
    }
    return false;
}

/* A relative path: behind the working directory, which getcwd() tells without symbolic links. */
static bool resolve_relative(const char *path, struct oxidize_place *place) {
    char absolute[2 * PATH_MAX];
    int error = errno;
    if (getcwd(absolute, PATH_MAX) == NULL) {
        errno = error;
        return false;
    }
    size_t length = strlen(absolute);
    absolute[length++] = '/';
    strcpy(absolute + length, path); /* fits: both are shorter than PATH_MAX */
    bool inside = resolve_absolute(absolute, place);
    place->outside = path; /* if it left the root again, the kernel answers as it can */
    return inside;
}

/* Behind `folder`, a node or OXIDIZE_NONE. */
static bool resolve_from(uint32_t folder, const char *path, struct oxidize_place *place) {
    place->node = folder;
    if (folder == OXIDIZE_NONE)
        return false;
    const char *rest = walk(path, place);
    if (rest == NULL)
        return true;
    place->outside = *rest ? rest : "/";
    return resolve_absolute(place->outside, place);
}

bool oxidize_resolve(int folder, const char *path, struct oxidize_place *place) {
    *place = (struct oxidize_place){.outside = path, .node = OXIDIZE_NONE};
    if (path == NULL || *path == '\0')
        return false;
    bool relative = *path != '/';
    uint32_t standing = relative && folder == AT_FDCWD ? oxidize_working_folder() : OXIDIZE_NONE;
    bool from_folder = relative && (folder >= 0 || standing != OXIDIZE_NONE);
    if (!from_folder && strstr(path, ROOT_NAME) == NULL)
        return false;
    if (strnlen(path, PATH_MAX) == PATH_MAX)
        return false; /* too long for the kernel, which says so */
    if (standing != OXIDIZE_NONE)
        return resolve_from(standing, path, place);
    if (from_folder)
        return resolve_from(oxidize_node_of_descriptor(folder), path, place);
    if (relative)
        return folder == AT_FDCWD && resolve_relative(path, place);
    return look_up_plain(path, place) || resolve_absolute(path, place);
}

bool oxidize_find(int folder, const char *path, struct oxidize_place *place) {
    if (!oxidize_resolve(folder, path, place))
        return false;
    if (place->node == OXIDIZE_NONE)
        errno = place->error;
    return true;
}

size_t oxidize_absolute_path(uint32_t node, char *buffer, size_t size) {
    const struct oxidize_node *found = oxidize_node(node);
    const char *inner = found ? oxidize_string(found->path) : "";
    size_t root = sizeof OXIDIZE_ROOT - 1, length = strlen(inner);
    size_t total = root + (length ? 1 + length : 0);
    if (total < size) {
        memcpy(buffer, OXIDIZE_ROOT, root + 1);
        if (length) {
            buffer[root] = '/';
            memcpy(buffer + root + 1, inner, length + 1);
        }
    }
    return total;
}
