/* How a function of `wrap.txt` is written: REAL declares libc's own, WRAP begins ours. */
#ifndef OXIDIZE_WRAP_H
#define OXIDIZE_WRAP_H

#define REAL(name) extern __typeof__(name) __real_##name
#define WRAP(result, name)                                                                         \
    __typeof__(name) __wrap_##name;                                                                \
    result __wrap_##name

#endif
