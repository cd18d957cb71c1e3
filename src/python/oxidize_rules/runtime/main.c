/* The order of things. */
#define PY_SSIZE_T_CLEAN
#include "start.h"

#include <stdio.h>
#include <stdlib.h>

#include "image_access.h"
#include "importer.h"
#include "trace.h"
#include "vfs.h"

void oxidize_prepare(struct oxidize_start *start, int argc, char **argv) {
    if (!oxidize_image_valid()) {
        fputs("oxidized: the image in this executable is of another format; link it again\n",
              stderr);
        exit(2);
    }
    oxidize_note_process();
    oxidize_trace_start();
    oxidize_decide(start, argc, argv);
    if (PyImport_AppendInittab("_oxidized", PyInit__oxidized) < 0) {
        fputs("oxidized: out of memory\n", stderr);
        exit(2);
    }
    oxidize_configure(start);
}

int main(int argc, char **argv) {
    struct oxidize_start start;
    oxidize_prepare(&start, argc, argv);
    return oxidize_run(&start);
}
