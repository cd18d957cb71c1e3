/* The image: one read-only tree of files inside the executable, and a table of the modules in it.
 *
 * `sandbox/images/image.py` writes this structure into an ET_REL object as the symbol `oxidize_image`;
 * the runtime reads it in place. Nothing is parsed, allocated or relocated at start:
 *
 *   - all tables stand in one section, and every `*_at` is a byte offset from its first byte;
 *   - file contents stand in payload objects, one for each component (standard library, wheel,
 *     first-party folder). `payloads_at` is a table of int64_t, each the distance from its own
 *     address to the payload's first byte, filled in by the linker (R_X86_64_PC64,
 *     R_AARCH64_PREL64), so that a static-pie needs no dynamic relocation for them.
 *
 * Byte order is little-endian on every supported target.
 */
#ifndef OXIDIZE_IMAGE_H
#define OXIDIZE_IMAGE_H

#include <stdint.h>

#define OXIDIZE_IMAGE_MAGIC 0x3149584fu /* "OXI1" */
#define OXIDIZE_NONE 0xffffffffu
#define OXIDIZE_ROOT "/.oxidized" /* where the tree seems to stand; also sys.prefix */

enum oxidize_node_kind { OXIDIZE_DIRECTORY = 1, OXIDIZE_FILE = 2 };

struct oxidize_node {
    uint32_t path;        /* string; relative to the root, "" for the root itself */
    uint16_t path_length; /* bytes, without the NUL */
    uint16_t name_start;  /* where the last part begins within the path */
    uint32_t parent;      /* node index; the root is its own parent (0) */
    uint16_t kind;        /* enum oxidize_node_kind */
    uint16_t executable;  /* 1: mode 0555 instead of 0444 */
    uint32_t first_child; /* directory: children are consecutive nodes, sorted by name */
    uint32_t child_count;
    uint32_t payload;     /* file: index into payloads */
    uint32_t stored;      /* file: bytes in the payload, where it stands in zlib's format (RFC 1950);
                             0: it stands there as it is. Sources only, never what is loaded. */
    uint64_t offset;      /* file: where it starts in the payload */
    uint64_t size;        /* file: bytes of its content */
};

enum oxidize_module_flags { OXIDIZE_PACKAGE = 1, OXIDIZE_EXTENSION = 2 };

/* A module that the importer serves. Built-in and frozen modules and namespace packages are not
 * in the table: CPython's own finders know them (the path finder through the virtual files). */
struct oxidize_module {
    uint32_t name; /* string; dotted */
    uint16_t name_length;
    uint16_t flags;
    uint32_t source; /* node of the .py, or OXIDIZE_NONE */
    uint32_t code;   /* node of the .pyc (16 bytes of header, then marshalled code), or of the .so */
    uint32_t folder; /* node of the folder on sys.path or on the parent's __path__ it is found in */
    uint32_t reserved;
};

/* `key` and `value` are strings. Keys may repeat (lists); entries keep their order. */
struct oxidize_setting {
    uint32_t key;
    uint32_t value;
};

/* Hash tables hold index + 1, 0 is empty. The slot count is a power of two and at least twice the
 * entry count. Start at `oxidize_hash(text) & (slots - 1)`, then the next slot, wrapping around. */
struct oxidize_image {
    uint32_t magic;
    uint32_t size; /* of all tables with this header, in bytes */
    uint32_t strings_at, strings_size;
    uint32_t nodes_at, node_count;
    uint32_t path_slots_at, path_slot_count;
    uint32_t modules_at, module_count;
    uint32_t module_slots_at, module_slot_count;
    uint32_t payloads_at, payload_count;
    uint32_t settings_at, setting_count;
};

/* FNV-1a, 32 bits, then a final mix so that the low bits are good ones. */
static inline uint32_t oxidize_hash(const char *text, uint32_t length) {
    uint32_t hash = 2166136261u;
    for (uint32_t i = 0; i < length; i++)
        hash = (hash ^ (uint8_t)text[i]) * 16777619u;
    hash ^= hash >> 16;
    hash *= 0x7feb352du;
    hash ^= hash >> 15;
    return hash;
}

#endif
