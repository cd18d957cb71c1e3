/* What the `site` module gives: exit, quit, copyright, credits, license, help, and line editing
 * at the prompt. `site` itself does not run.
 *
 * The real objects come from `_sitebuiltins`, which imports `os` and half a dozen more (about a
 * millisecond). So stand-ins are put into builtins: at the first use one makes the real object,
 * puts it in its place, and passes everything on to it. */
#define PY_SSIZE_T_CLEAN
#include "start.h"

#include <string.h>

struct stand_in {
    PyObject_HEAD
    const char *name;
};

static const char *const names[] = {"exit", "quit", "copyright", "credits", "license", "help"};

static PyObject *make_quitter(PyObject *module, const char *name) {
    return PyObject_CallMethod(module, "Quitter", "ss", name, "Ctrl-D (i.e. EOF)");
}

static PyObject *make_printer(PyObject *module, const char *name) {
    if (strcmp(name, "copyright") == 0) {
        PyObject *text = PySys_GetObject("copyright"); /* borrowed */
        return PyObject_CallMethod(module, "_Printer", "sO", name, text ? text : Py_None);
    }
    if (strcmp(name, "credits") == 0)
        return PyObject_CallMethod(
            module, "_Printer", "ss", name,
            "Thanks to the authors and sponsors of Python; see https://www.python.org/psf/");
    PyObject *folder = PySys_GetObject("_stdlib_dir"); /* borrowed */
    return PyObject_CallMethod(module, "_Printer", "ss[ss][OO]", name,
                               "See https://www.python.org/psf/license/", "LICENSE.txt", "LICENSE",
                               folder ? folder : Py_None, folder ? folder : Py_None);
}

static PyObject *make_real(const char *name) {
    PyObject *module = PyImport_ImportModule("_sitebuiltins");
    PyObject *real = NULL;
    if (module == NULL)
        return NULL;
    if (strcmp(name, "exit") == 0 || strcmp(name, "quit") == 0)
        real = make_quitter(module, name);
    else if (strcmp(name, "help") == 0)
        real = PyObject_CallMethod(module, "_Helper", NULL);
    else
        real = make_printer(module, name);
    Py_DECREF(module);
    return real;
}

/* The object that a stand-in stands for; from now on builtins has it itself. */
static PyObject *real_of(PyObject *self) {
    const char *name = ((struct stand_in *)self)->name;
    PyObject *builtins = PyEval_GetBuiltins(); /* borrowed */
    PyObject *present = builtins ? PyDict_GetItemString(builtins, name) : NULL;
    if (present && Py_TYPE(present) != Py_TYPE(self) && present != self &&
        PyObject_HasAttrString(present, "__call__"))
        return Py_NewRef(present); /* a stand-in that was kept elsewhere */
    PyObject *real = make_real(name);
    if (real && present == self && PyDict_SetItemString(builtins, name, real) < 0)
        Py_CLEAR(real);
    return real;
}

static PyObject *stand_in_repr(PyObject *self) {
    PyObject *real = real_of(self);
    PyObject *result = real ? PyObject_Repr(real) : NULL;
    Py_XDECREF(real);
    return result;
}

static PyObject *stand_in_call(PyObject *self, PyObject *arguments, PyObject *keywords) {
    PyObject *real = real_of(self);
    PyObject *result = real ? PyObject_Call(real, arguments, keywords) : NULL;
    Py_XDECREF(real);
    return result;
}

static PyObject *stand_in_attribute(PyObject *self, PyObject *name) {
    PyObject *real = real_of(self);
    PyObject *result = real ? PyObject_GetAttr(real, name) : NULL;
    Py_XDECREF(real);
    return result;
}

static void stand_in_free(PyObject *self) {
    PyTypeObject *type = Py_TYPE(self);
    type->tp_free(self);
    Py_DECREF(type);
}

static PyType_Slot slots[] = {{Py_tp_repr, (void *)stand_in_repr},
                              {Py_tp_call, (void *)stand_in_call},
                              {Py_tp_getattro, (void *)stand_in_attribute},
                              {Py_tp_dealloc, (void *)stand_in_free},
                              {0, NULL}};
static PyType_Spec spec = {.name = "_oxidized.SiteBuiltin",
                           .basicsize = sizeof(struct stand_in),
                           .flags = Py_TPFLAGS_DEFAULT,
                           .slots = slots};

static int install_stand_ins(void) {
    PyObject *builtins = PyEval_GetBuiltins(); /* borrowed */
    PyObject *type = builtins ? PyType_FromSpec(&spec) : NULL;
    int failed = type ? 0 : -1;
    for (size_t i = 0; !failed && i < sizeof names / sizeof *names; i++) {
        PyObject *object = PyType_GenericAlloc((PyTypeObject *)type, 0);
        if (object)
            ((struct stand_in *)object)->name = names[i];
        failed = object ? PyDict_SetItemString(builtins, names[i], object) : -1;
        Py_XDECREF(object);
    }
    Py_XDECREF(type);
    return failed;
}

/* sys.__interactivehook__: `site` knows how to set up line editing and history. */
static PyObject *interactive_hook(PyObject *self, PyObject *unused) {
    (void)self, (void)unused;
    PyObject *site = PyImport_ImportModule("site");
    PyObject *done = site ? PyObject_CallMethod(site, "enablerlcompleter", NULL) : NULL;
    Py_XDECREF(site);
    if (done == NULL)
        return NULL;
    Py_DECREF(done);
    PyObject *hook = PySys_GetObject("__interactivehook__"); /* borrowed; site's own by now */
    return hook ? PyObject_CallNoArgs(hook) : Py_NewRef(Py_None);
}

static PyMethodDef hook_definition = {"interactive_hook", interactive_hook, METH_NOARGS,
                                      "Prepare the prompt as the site module does."};

/* `site` leaves it out in isolated mode. */
static int install_hook(void) {
    PyObject *flags = PySys_GetObject("flags"); /* borrowed */
    PyObject *isolated = flags ? PyObject_GetAttrString(flags, "isolated") : NULL;
    int leave_out = isolated ? PyObject_IsTrue(isolated) : -1;
    Py_XDECREF(isolated);
    if (leave_out)
        return leave_out < 0 ? -1 : 0;
    PyObject *hook = PyCFunction_New(&hook_definition, NULL);
    int failed = hook ? PySys_SetObject("__interactivehook__", hook) : -1;
    Py_XDECREF(hook);
    return failed;
}

int oxidize_install_builtins(void) {
    return install_stand_ins() < 0 || install_hook() < 0 ? -1 : 0;
}
