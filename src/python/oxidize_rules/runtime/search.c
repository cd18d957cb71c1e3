#define PY_SSIZE_T_CLEAN
#include "search.h"

#include <string.h>

#include "image_access.h"

#define ROOT_LENGTH (sizeof OXIDIZE_ROOT - 1)

/* The part of a path entry behind the root; NULL if it is not in the image. */
static const char *inner_path(PyObject *entry, size_t *length) {
    if (!PyUnicode_Check(entry))
        return NULL;
    Py_ssize_t size;
    const char *text = PyUnicode_AsUTF8AndSize(entry, &size);
    if (text == NULL) { /* lone surrogates: a path on disk */
        PyErr_Clear();
        return NULL;
    }
    size_t rest = (size_t)size - ROOT_LENGTH;
    if ((size_t)size < ROOT_LENGTH || memcmp(text, OXIDIZE_ROOT, ROOT_LENGTH) != 0)
        return NULL;
    if (rest > 0 && text[ROOT_LENGTH] != '/')
        return NULL;
    *length = rest > 0 ? rest - 1 : 0;
    return text + ROOT_LENGTH + (rest > 0);
}

bool oxidize_is_path_of(PyObject *entry, uint32_t node) {
    const struct oxidize_node *found = oxidize_node(node);
    size_t length;
    const char *inner = found ? inner_path(entry, &length) : NULL;
    return inner && length == found->path_length &&
           memcmp(inner, oxidize_string(found->path), length) == 0;
}

uint32_t oxidize_folder_of_entry(PyObject *entry) {
    size_t length;
    const char *inner = inner_path(entry, &length);
    return inner ? oxidize_find_path(inner, length) : OXIDIZE_NONE;
}

/* Index of the first child whose name is not below `name`. */
static uint32_t first_not_below(const struct oxidize_node *folder, const char *name) {
    uint32_t low = 0, high = folder->child_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        const struct oxidize_node *child = oxidize_node(folder->first_child + middle);
        if (child == NULL)
            return folder->child_count;
        if (strcmp(oxidize_string(child->path) + child->name_start, name) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

bool oxidize_may_provide(uint32_t index, const char *tail) {
    const struct oxidize_node *folder = oxidize_node(index);
    if (folder == NULL || folder->kind != OXIDIZE_DIRECTORY)
        return false;
    size_t length = strlen(tail);
    /* `tail`, `tail-1.0.dist-info` and `tail.py` are neighbours: look at those that begin so. */
    for (uint32_t at = first_not_below(folder, tail); at < folder->child_count; at++) {
        const struct oxidize_node *child = oxidize_node(folder->first_child + at);
        const char *name = child ? oxidize_string(child->path) + child->name_start : "";
        if (strncmp(name, tail, length) != 0)
            return false;
        if (name[length] == '.' || (name[length] == '\0' && child->kind == OXIDIZE_DIRECTORY))
            return true;
    }
    return false;
}
