/* Damaged payloads against the opening of compressed files; not part of an executable.
 *
 * `inflate_fuzz PATH ROUNDS SEED`: PATH is a compressed file of the image, absolute. Each round
 * damages its bytes, or what the index says of its sizes, and opens it. It must be refused with
 * EIO, or have the right content. Prints the number of refusals; status 1 at the first fault. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "fuzz_random.h"
#include "image_access.h"
#include "vfs.h"

/* The image is read-only memory; this program damages it. */
static void make_writable(const void *start, size_t size) {
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    uintptr_t from = (uintptr_t)start & -page, to = (uintptr_t)start + size;
    if (mprotect((void *)from, to - from, PROT_READ | PROT_WRITE) != 0) {
        perror("mprotect");
        exit(2);
    }
}

static void damage_bytes(uint8_t *bytes, uint32_t size) {
    uint32_t count = 1 + random_number(8);
    for (uint32_t i = 0; i < count; i++)
        bytes[random_number(size)] ^= (uint8_t)(1u << random_number(8));
    if (random_number(10) == 0) /* the header with its kind and window, or the checksum */
        memset(random_number(2) ? bytes : bytes + size - 4, (int)random_number(256), 4);
}

static void damage_sizes(struct oxidize_node *node, uint32_t stored) {
    if (random_number(2))
        node->stored = 1 + random_number(stored);
    else
        node->size = random_number(8) ? 1 + random_number(100000) : (uint64_t)1 << 60;
}

/* 1: refused as it should be, 0: the content is right, -1: wrong. */
static int try(const char *path, const uint8_t *content, uint64_t size) {
    errno = 0;
    int descriptor = open(path, O_RDONLY | O_CLOEXEC);
    if (descriptor < 0)
        return errno == EIO || errno == ENOMEM ? 1 : -1;
    uint8_t *buffer = malloc(size + 1);
    ssize_t length = buffer ? read(descriptor, buffer, size + 1) : -1;
    int same = length == (ssize_t)size && memcmp(buffer, content, size) == 0;
    free(buffer);
    close(descriptor);
    return same ? 0 : -1;
}

int main(int argc, char **argv) {
    if (argc != 4) {
        fputs("usage: inflate_fuzz PATH ROUNDS SEED\n", stderr);
        return 2;
    }
    const char *path = argv[1];
    random_state = strtoull(argv[3], NULL, 10);
    struct oxidize_place place;
    uint32_t index = oxidize_find(AT_FDCWD, path, &place) ? place.node : OXIDIZE_NONE;
    struct oxidize_node *node = (struct oxidize_node *)(uintptr_t)oxidize_node(index);
    uint8_t *stored = (uint8_t *)(uintptr_t)oxidize_compressed(node);
    if (stored == NULL) {
        fprintf(stderr, "%s is no compressed file\n", path);
        return 2;
    }
    struct oxidize_node sound = *node;
    uint8_t *bytes = malloc(sound.stored), *content = malloc(sound.size);
    int descriptor = open(path, O_RDONLY | O_CLOEXEC);
    if (!bytes || !content || read(descriptor, content, sound.size) != (ssize_t)sound.size)
        return 2;
    close(descriptor);
    memcpy(bytes, stored, sound.stored);
    make_writable(stored, sound.stored);
    make_writable(node, sizeof *node);
    long refused = 0;
    for (long i = 0, rounds = atol(argv[2]); i < rounds; i++) {
        if (random_number(4))
            damage_bytes(stored, sound.stored);
        else
            damage_sizes(node, sound.stored);
        int result = try(path, content, sound.size);
        if (result < 0) {
            fprintf(stderr, "round %ld: %s\n", i, errno ? strerror(errno) : "wrong content");
            return 1;
        }
        refused += result;
        memcpy(stored, bytes, sound.stored);
        *node = sound;
    }
    printf("%ld refused\n", refused);
    int last = try(path, content, sound.size);
    free(bytes);
    free(content);
    return last == 0 ? 0 : 1;
}
