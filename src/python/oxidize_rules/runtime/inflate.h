/* Decompression of what the image holds in zlib's format (RFC 1950). */
#ifndef OXIDIZE_INFLATE_H
#define OXIDIZE_INFLATE_H

#include <stdbool.h>
#include <stdint.h>

/* Fill `to` with the `size` bytes that `from` is made from. False: damaged, or of another size. */
bool oxidize_inflate(uint8_t *to, uint64_t size, const uint8_t *from, uint64_t from_size);

#endif
