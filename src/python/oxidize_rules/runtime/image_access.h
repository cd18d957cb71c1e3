/* Reading the image. Every index and offset is checked against its table, so that a damaged image
 * gives "not there" and never a read outside of it. Nothing here allocates or remembers. */
#ifndef OXIDIZE_IMAGE_ACCESS_H
#define OXIDIZE_IMAGE_ACCESS_H

#include <stdbool.h>
#include <stddef.h>

#include "image.h"

/* Written by the image step; there is exactly one in an executable. */
extern const struct oxidize_image oxidize_image __attribute__((visibility("hidden")));

/* Whether the image is of this format. To be asked once, at start. */
bool oxidize_image_valid(void);

/* The NUL-terminated string at `at`, or "". */
const char *oxidize_string(uint32_t at);

/* The node of that index, or NULL. Node 0 is the root. */
const struct oxidize_node *oxidize_node(uint32_t index);

/* The node of a normal path relative to the root (no empty, "." or ".." part), or OXIDIZE_NONE. */
uint32_t oxidize_find_path(const char *path, size_t length);

/* The child of that name in a directory, or OXIDIZE_NONE. */
uint32_t oxidize_find_child(uint32_t directory, const char *name, size_t length);

/* First byte of a file's content (`node->size` bytes); NULL where it has none, or is compressed. */
const uint8_t *oxidize_content(const struct oxidize_node *node);

/* First byte of a compressed file's `node->stored` bytes in the payload; NULL for all others. */
const uint8_t *oxidize_compressed(const struct oxidize_node *node);

/* The importable module of that dotted name, or NULL. */
const struct oxidize_module *oxidize_find_module(const char *name, size_t length);

/* The next setting of that key. `*cursor` is 0 at first; NULL when there are no more. */
const char *oxidize_next_setting(const char *key, uint32_t *cursor);

/* The first setting of that key, or `otherwise`. */
const char *oxidize_setting(const char *key, const char *otherwise);

/* The setting at `index`, or NULL past the last. */
const struct oxidize_setting *oxidize_setting_at(uint32_t index);

#endif
