/* Damaged shared libraries against elf_file.c; not part of an executable.
 *
 * LLVMFuzzerTestOneInput is for libFuzzer: the bytes are a library.
 *
 * As a program: `elf_fuzz FILE ROUNDS SEED` prints what the library says, then changes some of its
 * bytes ROUNDS times, mostly in its tables, and asks again. Sanitizers see what is wrong. */
#include <elf.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "elf_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct {
    ElfW(Sxword) tag;
    const char *name;
} texts[] = {
    {DT_SONAME, "soname"}, {DT_NEEDED, "needed"}, {DT_RPATH, "rpath"}, {DT_RUNPATH, "runpath"}};

static size_t ask(const uint8_t *data, size_t size, FILE *output) {
    struct oxidize_elf elf;
    size_t total = 0;
    if (!oxidize_elf_open(&elf, data, size)) {
        if (output)
            fputs("no library\n", output);
        return 0;
    }
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        uint64_t cursor = 0;
        const char *text;
        while ((text = oxidize_elf_text(&elf, texts[i].tag, &cursor)) != NULL) {
            total += strlen(text);
            if (output)
                fprintf(output, "%s %s\n", texts[i].name, text);
        }
    }
    bool same = oxidize_elf_has_versions_of(&elf, &elf);
    if (output)
        fprintf(output, "versions %s\n", same ? "yes" : "no");
    return total + same;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    uint8_t *copy = malloc(size ? size : 1); /* of that very size, so that sanitizers see its end */
    if (copy == NULL)
        return 0;
    if (size)
        memcpy(copy, data, size);
    ask(copy, size, NULL);
    free(copy);
    return 0;
}

#ifndef OXIDIZE_LIBFUZZER
#include "fuzz_random.h"

/* Somewhere in the header, the segments, or the dynamic section, more often than elsewhere. */
static size_t somewhere(const uint8_t *data, size_t size) {
    struct oxidize_elf elf;
    uint32_t kind = random_number(4);
    if (kind == 0)
        return random_number((uint32_t)size);
    if (kind == 1)
        return random_number(64);
    if (kind == 2 || !oxidize_elf_open(&elf, data, size) || elf.dynamic_count == 0)
        return 64 + random_number(56 * 12);
    return (size_t)elf.dynamic_at + random_number((uint32_t)elf.dynamic_count * 16);
}

static void damage(uint8_t *data, size_t size) {
    static const uint8_t bytes[] = {0, 1, 0x7f, 0x80, 0xff};
    for (uint32_t i = 1 + random_number(4); i; i--) {
        size_t at = somewhere(data, size);
        uint8_t value = bytes[random_number(sizeof bytes)];
        uint32_t length = random_number(2) ? 1 : 8;
        for (uint32_t j = 0; j < length && at + j < size; j++)
            data[at + j] = random_number(4) ? value : (uint8_t)random_number(256);
    }
}

static uint8_t *read_file(const char *path, size_t *size) {
    static uint8_t data[1 << 22];
    FILE *file = fopen(path, "rb");
    *size = file ? fread(data, 1, sizeof data, file) : 0;
    if (file)
        fclose(file);
    return data;
}

int main(int argc, char **argv) {
    size_t size;
    uint8_t *data = argc == 4 ? read_file(argv[1], &size) : NULL;
    if (data == NULL || size < 1024) {
        fputs("usage: elf_fuzz FILE ROUNDS SEED\n", stderr);
        return 2;
    }
    ask(data, size, stdout);
    uint8_t *damaged = malloc(size);
    random_state = strtoull(argv[3], NULL, 10);
    for (long rounds = atol(argv[2]); damaged && rounds > 0; rounds--) {
        memcpy(damaged, data, size);
        damage(damaged, size);
        LLVMFuzzerTestOneInput(damaged, random_number(8) ? size : random_number((uint32_t)size));
    }
    free(damaged);
    return 0;
}
#endif
