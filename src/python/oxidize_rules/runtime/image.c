#include "image_access.h"

#include <string.h>

static const uint8_t *base(void) { return (const uint8_t *)&oxidize_image; }

bool oxidize_image_valid(void) {
    return oxidize_image.magic == OXIDIZE_IMAGE_MAGIC && oxidize_image.node_count > 0 &&
           oxidize_image.size >= sizeof oxidize_image;
}

const char *oxidize_string(uint32_t at) {
    if (at >= oxidize_image.strings_size)
        return "";
    return (const char *)base() + oxidize_image.strings_at + at;
}

const struct oxidize_node *oxidize_node(uint32_t index) {
    if (index >= oxidize_image.node_count)
        return NULL;
    return (const struct oxidize_node *)(const void *)(base() + oxidize_image.nodes_at) + index;
}

static const struct oxidize_module *module_at(uint32_t index) {
    if (index >= oxidize_image.module_count)
        return NULL;
    return (const struct oxidize_module *)(const void *)(base() + oxidize_image.modules_at) + index;
}

static bool same(const char *text, size_t length, uint32_t string, size_t string_length) {
    return length == string_length && memcmp(text, oxidize_string(string), length) == 0;
}

static const uint32_t *table(uint32_t at) { return (const uint32_t *)(const void *)(base() + at); }

uint32_t oxidize_find_path(const char *path, size_t length) {
    uint32_t count = oxidize_image.path_slot_count;
    if (length == 0)
        return 0;
    if (count == 0 || length > UINT16_MAX)
        return OXIDIZE_NONE;
    const uint32_t *slots = table(oxidize_image.path_slots_at);
    uint32_t slot = oxidize_hash(path, (uint32_t)length);
    for (uint32_t probes = 0; probes < count; probes++, slot++) {
        uint32_t index = slots[slot & (count - 1)];
        if (index == 0)
            return OXIDIZE_NONE;
        const struct oxidize_node *node = oxidize_node(index - 1);
        if (node && same(path, length, node->path, node->path_length))
            return index - 1;
    }
    return OXIDIZE_NONE;
}

/* As strcmp of a counted name with a node's last part. */
static int compare_name(const char *name, size_t length, const struct oxidize_node *node) {
    const char *other = oxidize_string(node->path) + node->name_start;
    size_t other_length = (size_t)(node->path_length - node->name_start);
    int order = memcmp(name, other, length < other_length ? length : other_length);
    if (order == 0)
        order = (length > other_length) - (length < other_length);
    return order;
}

uint32_t oxidize_find_child(uint32_t directory, const char *name, size_t length) {
    const struct oxidize_node *parent = oxidize_node(directory);
    if (parent == NULL || parent->kind != OXIDIZE_DIRECTORY)
        return OXIDIZE_NONE;
    uint32_t low = 0, high = parent->child_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        const struct oxidize_node *child = oxidize_node(parent->first_child + middle);
        if (child == NULL)
            return OXIDIZE_NONE;
        int order = compare_name(name, length, child);
        if (order == 0)
            return parent->first_child + middle;
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return OXIDIZE_NONE;
}

/* Where a file stands in its payload. */
static const uint8_t *stored_at(const struct oxidize_node *node) {
    if (node == NULL || node->kind != OXIDIZE_FILE || node->payload >= oxidize_image.payload_count)
        return NULL;
    const uint8_t *entry = base() + oxidize_image.payloads_at + node->payload * sizeof(int64_t);
    int64_t distance;
    memcpy(&distance, entry, sizeof distance);
    return entry + distance + node->offset;
}

const uint8_t *oxidize_content(const struct oxidize_node *node) {
    return node && node->stored == 0 ? stored_at(node) : NULL;
}

const uint8_t *oxidize_compressed(const struct oxidize_node *node) {
    return node && node->stored ? stored_at(node) : NULL;
}

const struct oxidize_module *oxidize_find_module(const char *name, size_t length) {
    uint32_t count = oxidize_image.module_slot_count;
    if (count == 0 || length > UINT16_MAX)
        return NULL;
    const uint32_t *slots = table(oxidize_image.module_slots_at);
    uint32_t slot = oxidize_hash(name, (uint32_t)length);
    for (uint32_t probes = 0; probes < count; probes++, slot++) {
        uint32_t index = slots[slot & (count - 1)];
        if (index == 0)
            return NULL;
        const struct oxidize_module *module = module_at(index - 1);
        if (module && same(name, length, module->name, module->name_length))
            return module;
    }
    return NULL;
}

const struct oxidize_setting *oxidize_setting_at(uint32_t index) {
    if (index >= oxidize_image.setting_count)
        return NULL;
    return (const struct oxidize_setting *)(const void *)(base() + oxidize_image.settings_at) +
           index;
}

const char *oxidize_next_setting(const char *key, uint32_t *cursor) {
    const struct oxidize_setting *setting;
    while ((setting = oxidize_setting_at(*cursor)) != NULL) {
        ++*cursor;
        if (strcmp(oxidize_string(setting->key), key) == 0)
            return oxidize_string(setting->value);
    }
    return NULL;
}

const char *oxidize_setting(const char *key, const char *otherwise) {
    uint32_t cursor = 0;
    const char *value = oxidize_next_setting(key, &cursor);
    return value ? value : otherwise;
}
