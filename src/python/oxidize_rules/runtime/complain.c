/* How a setting that cannot be followed is told. */
#define PY_SSIZE_T_CLEAN
#include "start.h"

#include <stdio.h>
#include <stdlib.h>

void oxidize_bad_setting(const char *key, const char *value, const char *expected) {
    fprintf(stderr, "oxidized: setting %s: found '%s', expected %s\n", key, value, expected);
    exit(2);
}
