/* Decompression, by zlib's library of the distribution. Linked into executables that have something
 * compressed inside; the others have no_inflate.c instead, and need no zlib. */
#include "inflate.h"

/* Of zlib's interface, the same since its first version. Its header is no part of a distribution's.
 * 0: done, and `*size` is what there was. It reads and writes nothing outside of the buffers. */
int uncompress(uint8_t *to, unsigned long *size, const uint8_t *from, unsigned long from_size);

bool oxidize_inflate(uint8_t *to, uint64_t size, const uint8_t *from, uint64_t from_size) {
    unsigned long length = size;
    return uncompress(to, &length, from, from_size) == 0 && length == size;
}
