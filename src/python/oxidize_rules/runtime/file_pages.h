/* Pages of the image that nobody needs in memory any more. */
#ifndef OXIDIZE_FILE_PAGES_H
#define OXIDIZE_FILE_PAGES_H

#include <stdint.h>

/* Let go of the whole pages from `low` to `high`, in the image: they are the executable's file's, and
 * come from there if somebody wants them again. Where they are not, they stay: a packer such as UPX
 * leaves the image in memory without a file, and letting go would fill it with zeros. They also
 * stay where that cannot be told (no /proc). errno stays. */
void oxidize_let_go_pages(uintptr_t low, uintptr_t high);

#endif
