/* How a function of libc is taken over, so that ours is called in its place.
 *
 *     REAL(name);                      libc's own will be called
 *     REAL_LAZY(name);                 the same, of a function that no signal handler may call
 *     WRAP(result, name)(arguments)    defines ours
 *     CALL(name)(arguments)            calls libc's own
 *
 * On musl everything is linked into the executable: the linker sends each reference to
 * `__wrap_<name>` (`--wrap`), and `__real_<name>` is libc's own.
 *
 * On glibc libraries come in later, and must see ours too: it has libc's very name and is exported,
 * and the dynamic linker asks the executable first. libc's own is the next one of that name
 * (wrap.c). */
#ifndef OXIDIZE_WRAP_H
#define OXIDIZE_WRAP_H

#include <stddef.h> /* for __GLIBC__, as every header of glibc */
#include <stdlib.h>

#ifdef __GLIBC__
/* All of them stand in one section of this name, which is an array. */
struct oxidize_real {
    const char *name;
    void *function; /* NULL until it is looked up */
};

/* libc's own function, or if this libc has none, one that does the same or fails with ENOSYS. */
__attribute__((visibility("hidden"))) void *oxidize_look_up(struct oxidize_real *real);

static inline void *oxidize_real_function(struct oxidize_real *real) {
    void *function = __atomic_load_n(&real->function, __ATOMIC_RELAXED);
    return function ? function : oxidize_look_up(real);
}

#define REAL(name)                                                                                 \
    static struct oxidize_real oxidize_real_##name __attribute__((section("oxidize_real"))) = {    \
        #name, NULL}
/* Looked up when it is called first, so that a start does not pay for it. */
#define REAL_LAZY(name) static struct oxidize_real oxidize_real_##name = {#name, NULL}
#define WRAP(result, name) result name
#define CALL(name) ((__typeof__(name) *)oxidize_real_function(&oxidize_real_##name))
#else
#define REAL(name) extern __typeof__(name) __real_##name
#define REAL_LAZY(name) REAL(name)
#define WRAP(result, name)                                                                         \
    __typeof__(name) __wrap_##name;                                                                \
    result __wrap_##name
#define CALL(name) __real_##name
#endif

#endif
