/* Random numbers of the fuzzers, the same for the same seed; not part of an executable. */
#ifndef OXIDIZE_FUZZ_RANDOM_H
#define OXIDIZE_FUZZ_RANDOM_H

#include <stdint.h>

static uint64_t random_state; /* the seed, at first */

static uint32_t random_number(uint32_t below) { /* Knuth's MMIX generator */
    random_state = random_state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(random_state >> 33) % below;
}

#endif
