/* The search path as the importer sees it: which entries are folders of the image. */
#ifndef OXIDIZE_SEARCH_H
#define OXIDIZE_SEARCH_H

#include <Python.h>
#include <stdbool.h>
#include <stdint.h>

/* Whether `entry` is a str that spells the absolute path of that node plainly. Never raises. */
bool oxidize_is_path_of(PyObject *entry, uint32_t node);

/* The folder of the image that `entry` spells plainly, or OXIDIZE_NONE. Never raises. */
uint32_t oxidize_folder_of_entry(PyObject *entry);

/* Whether something in that folder could be the module or namespace portion `tail` (the last part
 * of a dotted name). May say yes for nothing, never no for something. */
bool oxidize_may_provide(uint32_t folder, const char *tail);

#endif
