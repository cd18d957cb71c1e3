/* Telling what a run used, for `oxidize-trace`: modules found, and files of the image opened.
 *
 * OXIDIZED_TRACE names a file; each thing is a line at its end, written by one write(), so that
 * processes that run side by side may share it:
 *     module NAME     a module of the image was found, from source, bytecode or a library
 *     builtin NAME    a module built into the executable
 *     file PATH       a file of the image was opened; relative to the image's root
 * A thing may come several times. */
#ifndef OXIDIZE_TRACE_H
#define OXIDIZE_TRACE_H

#include <stdbool.h>

/* Whether to tell: callers ask first, which is all that it costs otherwise. */
extern bool oxidize_tracing __attribute__((visibility("hidden")));

/* Begin, if the variable is set. Ends the process with status 2 if the file cannot be opened. */
void oxidize_trace_start(void);

/* A line. `kind` is one of those above. Errors are not told; errno stays as it is. */
void oxidize_trace(const char *kind, const char *name);

#endif
