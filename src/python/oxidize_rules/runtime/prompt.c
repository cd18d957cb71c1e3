/* The prompt after an application's end, where `inspect` asks for it (as `python3 -i`). */
#define PY_SSIZE_T_CLEAN
#include "start.h"

#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

/* The running interpreter's own configuration (CPython's pycore_pystate.h); Modules/main.c reads
 * and changes it in the same way. */
extern const PyConfig *_Py_GetConfig(void);

static bool wanted(const PyConfig *config) {
    /* Looked at now, so that the program may have set it. */
    const char *variable = config->use_environment ? getenv("PYTHONINSPECT") : NULL;
    return (config->inspect || (variable && *variable)) &&
           (isatty(STDIN_FILENO) || config->interactive);
}

/* Completion and history. */
static void call_hook(void) {
    PyObject *hook = PySys_GetObject("__interactivehook__"); /* borrowed */
    PyObject *result = hook ? PyObject_CallNoArgs(hook) : NULL;
    if (hook && result == NULL)
        PyErr_Print();
    Py_XDECREF(result);
}

int oxidize_prompt(int status) {
    PyConfig *config = (PyConfig *)_Py_GetConfig();
    if (!wanted(config))
        return status;
    config->inspect = 0; /* exit() ends the prompt */
    call_hook();
    return PyRun_AnyFileExFlags(stdin, "<stdin>", 0, NULL) != 0;
}
