/* Running what was decided on, to the end of the process: the interpreter, a module, a function. */
#define PY_SSIZE_T_CLEAN
#include "start.h"

#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "image_access.h"

static PyObject *attribute(PyObject *object, const char *name) {
    return object ? PyObject_GetAttrString(object, name) : NULL;
}

/* `sys.exit(function())`: NULL with SystemExit set, unless there is nothing to tell. */
static PyObject *run_function(const char *module_name, const char *function_name) {
    PyObject *value = PyImport_ImportModule(module_name);
    char part[256];
    /* The function may be an attribute of an attribute: "Class.method". */
    for (const char *at = function_name; value && *at;) {
        size_t length = strcspn(at, ".");
        if (length >= sizeof part)
            oxidize_bad_setting("entry.function", function_name, "names of up to 255 bytes");
        memcpy(part, at, length);
        part[length] = '\0';
        PyObject *next = attribute(value, part);
        Py_DECREF(value);
        value = next;
        at += length + (at[length] == '.');
    }
    PyObject *result = value ? PyObject_CallNoArgs(value) : NULL;
    Py_XDECREF(value);
    if (result == NULL || result == Py_None)
        return result;
    PyErr_SetObject(PyExc_SystemExit, result);
    Py_DECREF(result);
    return NULL;
}

/* importlib's spec of a module; its parents are imported. */
static PyObject *find_spec(const char *name) {
    PyObject *path = Py_NewRef(Py_None);
    const char *dot = strrchr(name, '.');
    if (dot) {
        PyObject *parent_name = PyUnicode_FromStringAndSize(name, dot - name);
        PyObject *parent = parent_name ? PyImport_Import(parent_name) : NULL;
        Py_XDECREF(parent);
        /* PyImport_Import gives the top package; sys.modules has the parent itself. */
        parent = parent ? PyImport_GetModule(parent_name) : NULL;
        Py_SETREF(path, attribute(parent, "__path__"));
        Py_XDECREF(parent_name);
        Py_XDECREF(parent);
        if (path == NULL)
            return NULL;
    }
    PyObject *importlib = PyImport_ImportModule("_frozen_importlib");
    PyObject *spec =
        importlib ? PyObject_CallMethod(importlib, "_find_spec", "sO", name, path) : NULL;
    Py_XDECREF(importlib);
    Py_DECREF(path);
    if (spec == Py_None) {
        PyErr_Format(PyExc_ModuleNotFoundError, "No module named '%s'", name);
        Py_CLEAR(spec);
    }
    return spec;
}

/* As runpy does: the names that a module run as a program sees. Takes over `value`. */
static int set_name(PyObject *names, const char *name, PyObject *value) {
    int failed = value ? PyDict_SetItemString(names, name, value) : -1;
    Py_XDECREF(value);
    return failed;
}

static int set_main_names(PyObject *names, PyObject *spec) {
    if (set_name(names, "__name__", PyUnicode_FromString("__main__")) < 0 ||
        set_name(names, "__file__", attribute(spec, "origin")) < 0 ||
        set_name(names, "__cached__", attribute(spec, "cached")) < 0 ||
        set_name(names, "__doc__", Py_NewRef(Py_None)) < 0 ||
        set_name(names, "__loader__", attribute(spec, "loader")) < 0 ||
        set_name(names, "__package__", attribute(spec, "parent")) < 0)
        return -1;
    return set_name(names, "__spec__", Py_NewRef(spec));
}

static PyObject *code_of(PyObject *spec) {
    PyObject *loader = attribute(spec, "loader"), *name = attribute(spec, "name");
    PyObject *get_code = attribute(loader, "get_code");
    PyObject *code = get_code && name ? PyObject_CallOneArg(get_code, name) : NULL;
    Py_XDECREF(loader);
    Py_XDECREF(name);
    Py_XDECREF(get_code);
    if (code && !PyCode_Check(code)) {
        PyErr_Format(PyExc_ImportError, "no code object for %R", spec);
        Py_CLEAR(code);
    }
    return code;
}

/* `python -m name`, but sys.argv[0] stays as the program was started, and runpy is not needed
 * (its import alone costs about a millisecond). */
static PyObject *run_module(const char *name) {
    char inner[512];
    PyObject *spec = find_spec(name);
    PyObject *locations = attribute(spec, "submodule_search_locations");
    if (locations && locations != Py_None) { /* a package: its __main__ */
        if ((size_t)snprintf(inner, sizeof inner, "%s.__main__", name) >= sizeof inner)
            oxidize_bad_setting("entry.module", name, "a name of up to 500 bytes");
        Py_SETREF(spec, find_spec(inner));
    }
    Py_XDECREF(locations);
    PyObject *code = spec ? code_of(spec) : NULL;
    PyObject *main_module = code ? PyImport_AddModule("__main__") : NULL; /* borrowed */
    PyObject *names = main_module ? PyModule_GetDict(main_module) : NULL; /* borrowed */
    PyObject *result = NULL;
    if (names && set_main_names(names, spec) == 0)
        result = PyEval_EvalCode(code, names, names);
    Py_XDECREF(code);
    Py_XDECREF(spec);
    return result;
}

static PyObject *run_entry(void) {
    const char *kind = oxidize_setting("entry.kind", "");
    const char *module = oxidize_setting("entry.module", "");
    const char *function = oxidize_setting("entry.function", "");
    if (*module == '\0')
        oxidize_bad_setting("entry.module", module, "a module's name");
    if (strcmp(kind, "module") == 0)
        return run_module(module);
    if (*function == '\0')
        oxidize_bad_setting("entry.function", function, "a function's name");
    return run_function(module, function);
}

/* As `python` ends on an unhandled Ctrl-C: by the signal, so that a shell knows of it. */
static int die_of_interrupt(void) {
    PyOS_setsig(SIGINT, SIG_DFL);
    kill(getpid(), SIGINT);
    return 128 + SIGINT;
}

/* `safe_path` = 0: the working directory comes first, as for `python -m`. An isolated application
 * does not look there. */
static int insert_working_directory(void) {
    char folder[PATH_MAX];
    PyObject *path = PySys_GetObject("path"); /* borrowed */
    if (strcmp(oxidize_setting("config.safe_path", "1"), "0") != 0 || path == NULL ||
        !PyList_Check(path) || getcwd(folder, sizeof folder) == NULL)
        return 0;
    PyObject *entry = PyUnicode_DecodeFSDefault(folder);
    int failed = entry ? PyList_Insert(path, 0, entry) : -1;
    Py_XDECREF(entry);
    return failed;
}

static int run_application(void) {
    bool interrupted = false;
    int status = 0;
    PyObject *result = insert_working_directory() == 0 ? run_entry() : NULL;
    if (result == NULL) {
        /* As in CPython, a class made from it does not count. */
        interrupted = PyErr_Occurred() == PyExc_KeyboardInterrupt;
        status = 1;
        PyErr_Print(); /* on SystemExit this does not return, unless there is to be a prompt */
    }
    Py_XDECREF(result);
    status = oxidize_prompt(status);
    if (Py_FinalizeEx() < 0)
        status = 120; /* as `python`: buffered output could not be written */
    return interrupted ? die_of_interrupt() : status;
}

int oxidize_run(const struct oxidize_start *start) {
    return start->mode == OXIDIZE_INTERPRETER ? Py_RunMain() : run_application();
}
