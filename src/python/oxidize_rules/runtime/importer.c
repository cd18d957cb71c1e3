/* `_oxidized`: a finder at the head of sys.meta_path, and code objects straight from memory.
 *
 * The loaders are importlib's own (SourceFileLoader, SourcelessFileLoader, ExtensionFileLoader),
 * the very classes: tools compare them and their instances. They work on the virtual files by
 * themselves; so that they need not, `get_code` of the first two is replaced by a function that
 * looks into the image first. Whoever has changed what a loader reads by, with a subclass for
 * example, gets what it would read.
 *
 * All state hangs on the module object: each sub-interpreter has its own. */
#define PY_SSIZE_T_CLEAN
#include "importer.h"

#include <marshal.h>
#include <stdbool.h>
#include <string.h>

#include "code_pages.h"
#include "image_access.h"
#include "search.h"
#include "trace.h"

#define PYC_HEADER 16
#define STRINGS(each)                                                                              \
    each(name) each(path) each(loader) each(origin) each(_cached) each(_set_fileattr)              \
        each(submodule_search_locations) each(get_code) each(exec_module) each(find_spec)          \
            each(fullname) each(target) each(get_filename) each(get_data) each(path_stats)

/* One of importlib's classes of loaders, and functions that it had at the start. */
struct loader {
    PyObject *type;
    PyObject *get_code;
    PyObject *get_filename, *get_data;
    PyObject *path_stats; /* NULL: the class has none */
};

struct state {
    PyObject *spec_type;        /* importlib.machinery.ModuleSpec */
    PyObject *path_finder;      /* importlib.machinery.PathFinder */
    struct loader source;       /* SourceFileLoader */
    struct loader sourceless;   /* SourcelessFileLoader */
    PyObject *extension_loader; /* ExtensionFileLoader; NULL: it cannot load */
    PyObject *exec_amended;     /* the function of this name below */
    long optimize;              /* sys.flags.optimize of this interpreter */
    struct oxidize_code_pages code_pages;
    PyObject *spec_keywords; /* ("origin",) */
#define FIELD(text) PyObject *str_##text;
    STRINGS(FIELD)
#undef FIELD
};

static struct PyModuleDef definition;

static struct state *state_of_type(PyTypeObject *type) {
    PyObject *module = PyType_GetModule(type);
    return module ? PyModule_GetState(module) : NULL;
}

static PyObject *path_of(uint32_t node) {
    const struct oxidize_node *found = oxidize_node(node);
    const char *inner = found ? oxidize_string(found->path) : "";
    return PyUnicode_FromFormat(*inner ? OXIDIZE_ROOT "/%s" : OXIDIZE_ROOT, inner);
}

/* The file a module is said to be made from. */
static uint32_t file_of(const struct oxidize_module *module) {
    return module->source != OXIDIZE_NONE ? module->source : module->code;
}

/* Optimization level of a compiled file, from its name (PEP 488: `x.cpython-313.opt-2.pyc`). */
static long level_of(uint32_t node) {
    const struct oxidize_node *code = oxidize_node(node);
    const char *mark = code ? strstr(oxidize_string(code->path) + code->name_start, ".opt-") : NULL;
    return mark ? mark[5] - '0' : 0;
}

/* --- the loaders ------------------------------------------------------------------------- */

/* Whether the loader's attribute is still the method that its class had at the start. */
static bool is_method(PyObject *loader, PyObject *name, PyObject *function) {
    PyObject *found = function ? PyObject_GetAttr(loader, name) : NULL;
    bool same = found && PyMethod_Check(found) && PyMethod_GET_FUNCTION(found) == function;
    Py_XDECREF(found);
    return same;
}

/* Whether a loader of exactly this class would read the file that it names, as it stands there. */
static bool is_untouched(struct state *state, const struct loader *kind, PyObject *loader) {
    return is_method(loader, state->str_get_filename, kind->get_filename) &&
           is_method(loader, state->str_get_data, kind->get_data) &&
           (kind->path_stats == NULL ||
            is_method(loader, state->str_path_stats, kind->path_stats));
}

/* Whether the source has to be compiled: more optimization is asked for than the image's bytecode
 * has. */
static bool has_to_be_compiled(const struct state *state, const struct oxidize_module *record) {
    return record->source != OXIDIZE_NONE && level_of(record->code) < state->optimize;
}

/* The record of the module `name`, if the image's bytecode is what such a loader gives of it. */
static const struct oxidize_module *record_of_loader(struct state *state, const struct loader *kind,
                                                     PyObject *loader, PyObject *name) {
    Py_ssize_t length;
    const char *text = PyUnicode_Check(name) ? PyUnicode_AsUTF8AndSize(name, &length) : NULL;
    const struct oxidize_module *record = text ? oxidize_find_module(text, (size_t)length) : NULL;
    bool with_source = kind == &state->source;
    if (record == NULL || (record->flags & OXIDIZE_EXTENSION) ||
        with_source != (record->source != OXIDIZE_NONE) || has_to_be_compiled(state, record))
        return NULL;
    PyObject *own_name = PyObject_GetAttr(loader, state->str_name);
    PyObject *own_path = own_name ? PyObject_GetAttr(loader, state->str_path) : NULL;
    bool same = own_path && PyUnicode_Check(own_name) && PyUnicode_Compare(name, own_name) == 0 &&
                oxidize_is_path_of(own_path, file_of(record)) &&
                is_untouched(state, kind, loader);
    Py_XDECREF(own_name);
    Py_XDECREF(own_path);
    return same ? record : NULL;
}

/* The module's code object from memory. NULL without an exception: the loader has to read it. */
static PyObject *code_from_image(struct state *state, const struct loader *kind, PyObject *loader,
                                 PyObject *name) {
    const struct oxidize_module *record = record_of_loader(state, kind, loader, name);
    PyErr_Clear();
    const struct oxidize_node *node = record ? oxidize_node(record->code) : NULL;
    const uint8_t *content = oxidize_content(node);
    if (content == NULL || node->size <= PYC_HEADER)
        return NULL;
    PyObject *code = PyMarshal_ReadObjectFromString((const char *)content + PYC_HEADER,
                                                    (Py_ssize_t)(node->size - PYC_HEADER));
    oxidize_code_was_read(&state->code_pages, content, (size_t)node->size);
    return code;
}

/* get_code(self, fullname), of loaders of the kind and of classes below. */
static PyObject *get_code(struct state *state, const struct loader *kind,
                          PyObject *const *arguments, Py_ssize_t count, PyObject *keywords) {
    PyObject *code = NULL;
    if (count == 2 && keywords == NULL && Py_IS_TYPE(arguments[0], (PyTypeObject *)kind->type))
        code = code_from_image(state, kind, arguments[0], arguments[1]);
    if (code || PyErr_Occurred())
        return code;
    if (kind->get_code == NULL) {
        PyErr_SetString(PyExc_ImportError, "get_code(): the interpreter is at its end");
        return NULL;
    }
    return PyObject_Vectorcall(kind->get_code, arguments, (size_t)count, keywords);
}

static PyObject *source_get_code(PyObject *module, PyObject *const *arguments, Py_ssize_t count,
                                 PyObject *keywords) {
    struct state *state = PyModule_GetState(module);
    return get_code(state, &state->source, arguments, count, keywords);
}

static PyObject *sourceless_get_code(PyObject *module, PyObject *const *arguments, Py_ssize_t count,
                                     PyObject *keywords) {
    struct state *state = PyModule_GetState(module);
    return get_code(state, &state->sourceless, arguments, count, keywords);
}

#define GET_CODE_DOC                                                                               \
    PyDoc_STR("get_code($module, self, fullname)\n--\n\n"                                          \
              "The module's code object, from the executable's memory if it has the module.")
#define LIKE_FUNCTION (METH_FASTCALL | METH_KEYWORDS)
static PyMethodDef source_get_code_definition = {
    "get_code", (PyCFunction)(void (*)(void))source_get_code, LIKE_FUNCTION, GET_CODE_DOC};
static PyMethodDef sourceless_get_code_definition = {
    "get_code", (PyCFunction)(void (*)(void))sourceless_get_code, LIKE_FUNCTION, GET_CODE_DOC};

/* Put a function of ours into a class, where it binds as a function of Python does. */
static int put_into_class(PyObject *module, PyObject *type, PyMethodDef *definition) {
    PyObject *module_name = PyModule_GetNameObject(module);
    PyObject *function = module_name ? PyCFunction_NewEx(definition, module, module_name) : NULL;
    PyObject *method = function ? PyInstanceMethod_New(function) : NULL;
    int failed = method ? PyObject_SetAttrString(type, definition->ml_name, method) : -1;
    Py_XDECREF(module_name);
    Py_XDECREF(function);
    Py_XDECREF(method);
    return failed;
}

/* Modules of the standard library that are changed once they have run, by what module of ours. */
static const struct {
    const char *name, *amended_by;
} amendments[] = {
    {"ctypes.util", "_oxidized_ctypes"},
#ifndef __GLIBC__
    {"platform", "_oxidized_platform"},
#endif
};

static const char *amended_by(PyObject *name) {
    for (size_t i = 0; i < sizeof amendments / sizeof *amendments; i++)
        if (PyUnicode_CompareWithASCIIString(name, amendments[i].name) == 0)
            return amendments[i].amended_by;
    return NULL;
}

/* exec_module(self, module) of a loader of such a module, which is an ordinary one from then on. */
static PyObject *exec_amended(PyObject *own_module, PyObject *const *arguments, Py_ssize_t count) {
    struct state *state = PyModule_GetState(own_module);
    if (count != 2) {
        PyErr_SetString(PyExc_TypeError, "exec_module() takes exactly one argument: the module");
        return NULL;
    }
    PyObject *loader = arguments[0], *module = arguments[1];
    if (PyObject_SetAttr(loader, state->str_exec_module, NULL) < 0)
        PyErr_Clear(); /* kept from an earlier run of it */
    PyObject *done = PyObject_CallMethodObjArgs(loader, state->str_exec_module, module, NULL);
    if (done == NULL)
        return NULL;
    Py_DECREF(done);
    PyObject *name = PyObject_GetAttr(loader, state->str_name);
    const char *ours_name = name ? amended_by(name) : NULL;
    PyObject *ours = ours_name ? PyImport_ImportModule(ours_name) : NULL;
    if (name && ours_name == NULL)
        PyErr_SetString(PyExc_ImportError, "the loader's name was changed");
    done = ours ? PyObject_CallMethod(ours, "amend", "O", module) : NULL;
    Py_XDECREF(name);
    Py_XDECREF(ours);
    return done;
}

static PyMethodDef exec_amended_definition = {
    "exec_module", (PyCFunction)(void (*)(void))exec_amended, METH_FASTCALL,
    PyDoc_STR("exec_module($module, self, module, /)\n--\n\nRun the module's code; change it.")};

/* --- the finder -------------------------------------------------------------------------- */

static PyObject *make_loader(struct state *state, const struct oxidize_module *record,
                             PyObject *name, PyObject *path) {
    bool has_source = record->source != OXIDIZE_NONE;
    PyObject *type = has_source ? state->source.type : state->sourceless.type;
    if (record->flags & OXIDIZE_EXTENSION)
        type = state->extension_loader;
    if (type == NULL) {
        PyErr_Format(PyExc_ImportError,
                     "%U is an extension module (%U), and the Python in this executable was built "
                     "without dynamic loading",
                     name, path);
        return NULL;
    }
    PyObject *arguments[] = {name, path};
    PyObject *loader = PyObject_Vectorcall(type, arguments, 2, NULL);
    /* These loaders differ, so that no other import pays for it. */
    if (loader && amended_by(name)) {
        PyObject *amended = PyMethod_New(state->exec_amended, loader);
        if (amended == NULL || PyObject_SetAttr(loader, state->str_exec_module, amended) < 0)
            Py_CLEAR(loader);
        Py_XDECREF(amended);
    }
    return loader;
}

/* What spec_from_file_location() sets beyond the constructor's work. */
static int finish_spec(struct state *state, const struct oxidize_module *record, PyObject *spec) {
    if (PyObject_SetAttr(spec, state->str__set_fileattr, Py_True) < 0)
        return -1;
    int failed = 0;
    if (!(record->flags & OXIDIZE_EXTENSION)) {
        PyObject *cached = path_of(record->code);
        failed = cached ? PyObject_SetAttr(spec, state->str__cached, cached) : -1;
        Py_XDECREF(cached);
    }
    if (failed || !(record->flags & OXIDIZE_PACKAGE))
        return failed;
    const struct oxidize_node *file = oxidize_node(file_of(record));
    PyObject *folder = path_of(file->parent);
    PyObject *locations = folder ? PyList_New(1) : NULL;
    if (locations == NULL) {
        Py_XDECREF(folder);
        return -1;
    }
    PyList_SET_ITEM(locations, 0, folder);
    failed = PyObject_SetAttr(spec, state->str_submodule_search_locations, locations);
    Py_DECREF(locations);
    return failed;
}

static PyObject *make_spec(struct state *state, const struct oxidize_module *record,
                           PyObject *name) {
    if (oxidize_node(file_of(record)) == NULL)
        Py_RETURN_NONE;
    PyObject *path = path_of(file_of(record));
    PyObject *loader = path ? make_loader(state, record, name, path) : NULL;
    PyObject *spec = NULL;
    if (loader) {
        PyObject *arguments[] = {name, loader, path};
        spec = PyObject_Vectorcall(state->spec_type, arguments, 2, state->spec_keywords);
    }
    Py_XDECREF(path);
    Py_XDECREF(loader);
    if (spec && finish_spec(state, record, spec) < 0)
        Py_CLEAR(spec);
    return spec;
}

/* What an entry of the search path that is not in the image says: as PathFinder would do for it
 * alone. A new reference; None: nothing there. */
static PyObject *ask_path_finder(struct state *state, PyObject *name, PyObject *entry) {
    PyObject *entries = PyList_New(1);
    if (entries == NULL)
        return NULL;
    PyList_SET_ITEM(entries, 0, Py_NewRef(entry));
    PyObject *spec =
        PyObject_CallMethodObjArgs(state->path_finder, state->str_find_spec, name, entries, NULL);
    Py_DECREF(entries);
    return spec;
}

/* Decide on an entry that stands before the module's own folder.
 * 1: go on; 0: `*spec` is the answer (None: PathFinder has to look at the whole path); -1: error */
static int try_entry(struct state *state, PyObject *name, PyObject *entry, const char *tail,
                     PyObject **spec) {
    uint32_t folder = oxidize_folder_of_entry(entry);
    *spec = NULL;
    if (folder != OXIDIZE_NONE) {
        if (!oxidize_may_provide(folder, tail))
            return 1;
        *spec = Py_NewRef(Py_None);
        return 0;
    }
    *spec = ask_path_finder(state, name, entry);
    if (*spec == NULL)
        return -1;
    if (*spec == Py_None) {
        Py_CLEAR(*spec);
        return 1;
    }
    PyObject *loader = PyObject_GetAttr(*spec, state->str_loader);
    bool namespace = loader == Py_None;
    Py_XDECREF(loader);
    if (loader == NULL || namespace) {
        Py_SETREF(*spec, loader ? Py_NewRef(Py_None) : NULL);
        return loader ? 0 : -1;
    }
    return 0;
}

/* Walk the search path as far as the module's folder. */
static PyObject *search(struct state *state, const struct oxidize_module *record, PyObject *name,
                        PyObject *path) {
    const char *text = PyUnicode_AsUTF8(name);
    const char *dot = text ? strrchr(text, '.') : NULL;
    PyObject *entries = text ? PySequence_Fast(path, "path must be iterable") : NULL;
    PyObject *spec = NULL;
    if (entries == NULL)
        return NULL;
    /* Ask for the size each time: a finder on the path may change it. */
    for (Py_ssize_t i = 0; i < PySequence_Fast_GET_SIZE(entries); i++) {
        PyObject *entry = Py_NewRef(PySequence_Fast_GET_ITEM(entries, i));
        int more = 0;
        if (oxidize_is_path_of(entry, record->folder))
            spec = make_spec(state, record, name);
        else
            more = try_entry(state, name, entry, dot ? dot + 1 : text, &spec);
        Py_DECREF(entry);
        if (more <= 0) {
            Py_DECREF(entries);
            return spec;
        }
    }
    Py_DECREF(entries);
    Py_RETURN_NONE;
}

/* What is not in the image may be built in: CPython's own finder comes after ours. */
static void trace_module(const struct oxidize_module *record, const char *name) {
    if (record)
        oxidize_trace("module", name);
    for (const struct _inittab *one = PyImport_Inittab; record == NULL && one->name; one++)
        if (strcmp(one->name, name) == 0)
            oxidize_trace("builtin", name);
}

static PyObject *find(struct state *state, PyObject *name, PyObject *path) {
    Py_ssize_t length;
    const char *text = PyUnicode_AsUTF8AndSize(name, &length);
    if (text == NULL) { /* lone surrogates: no module of ours */
        PyErr_Clear();
        Py_RETURN_NONE;
    }
    const struct oxidize_module *record = oxidize_find_module(text, (size_t)length);
    if (oxidize_tracing)
        trace_module(record, text);
    if (record == NULL || oxidize_node(record->code) == NULL)
        Py_RETURN_NONE;
    /* Asked for more optimization than the image has: let the path finder compile the source. */
    if (has_to_be_compiled(state, record))
        Py_RETURN_NONE;
    if (path == NULL || path == Py_None)
        path = PySys_GetObject("path");
    if (path == NULL || path == Py_None)
        Py_RETURN_NONE;
    Py_INCREF(path);
    PyObject *spec = search(state, record, name, path);
    Py_DECREF(path);
    return spec;
}

/* find_spec(fullname, path=None, target=None) */
static PyObject *finder_find_spec(PyObject *self, PyTypeObject *type, PyObject *const *arguments,
                                  Py_ssize_t count, PyObject *keywords) {
    (void)self;
    struct state *state = state_of_type(type);
    if (state == NULL)
        return NULL;
    PyObject *values[3] = {NULL, NULL, NULL};
    PyObject *names[3] = {state->str_fullname, state->str_path, state->str_target};
    if (count > 3) {
        PyErr_Format(PyExc_TypeError, "find_spec() takes at most 3 arguments (%zd given)", count);
        return NULL;
    }
    for (Py_ssize_t i = 0; i < count; i++)
        values[i] = arguments[i];
    for (Py_ssize_t i = 0; keywords && i < PyTuple_GET_SIZE(keywords); i++) {
        PyObject *keyword = PyTuple_GET_ITEM(keywords, i);
        int at = 0;
        while (at < 3 && PyUnicode_Compare(keyword, names[at]) != 0)
            at++;
        if (at == 3 || values[at]) {
            PyErr_Format(PyExc_TypeError, "find_spec() got an unexpected or repeated argument %R",
                         keyword);
            return NULL;
        }
        values[at] = arguments[count + i];
    }
    if (values[0] == NULL || !PyUnicode_Check(values[0])) {
        PyErr_SetString(PyExc_TypeError, values[0] ? "find_spec(): fullname must be a str"
                                                   : "find_spec() needs the argument 'fullname'");
        return NULL;
    }
    return find(state, values[0], values[1]);
}

static PyObject *finder_invalidate_caches(PyObject *self, PyObject *unused) {
    (void)self, (void)unused;
    Py_RETURN_NONE; /* nothing is remembered */
}

static PyMethodDef finder_methods[] = {
    {"find_spec", (PyCFunction)(void (*)(void))finder_find_spec,
     METH_METHOD | METH_FASTCALL | METH_KEYWORDS,
     PyDoc_STR("find_spec($self, fullname, path=None, target=None)\n--\n\n"
               "The spec of a module in the image, or None.")},
    {"invalidate_caches", finder_invalidate_caches, METH_NOARGS,
     PyDoc_STR("invalidate_caches($self, /)\n--\n\nNothing to do: the image never changes.")},
    {0}};
static PyType_Slot finder_slots[] = {
    {Py_tp_doc, "Finder of the modules in the executable's image."},
    {Py_tp_methods, finder_methods},
    {0}};
static PyType_Spec finder_spec = {
    .name = "_oxidized.Finder", .flags = Py_TPFLAGS_DEFAULT, .slots = finder_slots};

/* --- the module -------------------------------------------------------------------------- */

static PyObject *attribute_of(const char *module, const char *name) {
    PyObject *imported = PyImport_ImportModule(module);
    PyObject *value = imported ? PyObject_GetAttrString(imported, name) : NULL;
    Py_XDECREF(imported);
    return value;
}

static int read_loader(struct loader *loader, const char *name) {
    loader->type = attribute_of("_frozen_importlib_external", name);
    if (loader->type == NULL)
        return -1;
    loader->get_code = PyObject_GetAttrString(loader->type, "get_code");
    loader->get_filename = PyObject_GetAttrString(loader->type, "get_filename");
    loader->get_data = PyObject_GetAttrString(loader->type, "get_data");
    return loader->get_code && loader->get_filename && loader->get_data ? 0 : -1;
}

static int read_loaders(struct state *state) {
    if (read_loader(&state->source, "SourceFileLoader") < 0 ||
        read_loader(&state->sourceless, "SourcelessFileLoader") < 0)
        return -1;
    state->source.path_stats = PyObject_GetAttr(state->source.type, state->str_path_stats);
    return state->source.path_stats ? 0 : -1;
}

/* A Python without dlopen() lacks what its ExtensionFileLoader calls. */
static int make_extension_loader(struct state *state) {
    PyObject *create = attribute_of("_imp", "create_dynamic");
    if (create == NULL) {
        PyErr_Clear();
        return 0;
    }
    Py_DECREF(create);
    state->extension_loader = attribute_of("_frozen_importlib_external", "ExtensionFileLoader");
    return state->extension_loader ? 0 : -1;
}

static int read_optimize(long *level) {
    PyObject *flags = PySys_GetObject("flags");
    PyObject *value = flags ? PyObject_GetAttrString(flags, "optimize") : NULL;
    *level = value ? PyLong_AsLong(value) : 0;
    Py_XDECREF(value);
    return PyErr_Occurred() ? -1 : 0;
}

static int execute_module(PyObject *module) {
    struct state *state = PyModule_GetState(module);
#define MAKE(text)                                                                                 \
    if ((state->str_##text = PyUnicode_InternFromString(#text)) == NULL)                           \
        return -1;
    STRINGS(MAKE)
#undef MAKE
    if ((state->spec_keywords = PyTuple_Pack(1, state->str_origin)) == NULL ||
        (state->spec_type = attribute_of("_frozen_importlib", "ModuleSpec")) == NULL ||
        (state->path_finder = attribute_of("_frozen_importlib_external", "PathFinder")) == NULL)
        return -1;
    if (make_extension_loader(state) < 0)
        return -1;
    state->exec_amended = PyCFunction_New(&exec_amended_definition, module);
    if (state->exec_amended == NULL || read_loaders(state) < 0 ||
        read_optimize(&state->optimize) < 0)
        return -1;
    PyObject *finder = PyType_FromModuleAndSpec(module, &finder_spec, NULL);
    int failed = finder ? PyModule_AddType(module, (PyTypeObject *)finder) : -1;
    Py_XDECREF(finder);
    return failed;
}

/* The objects that a state holds and that may refer to it. */
#define EACH_OF_LOADER(each, loader)                                                               \
    each(loader.type);                                                                             \
    each(loader.get_code);                                                                         \
    each(loader.get_filename);                                                                     \
    each(loader.get_data);                                                                         \
    each(loader.path_stats)
#define EACH_OBJECT(each)                                                                          \
    each(state->spec_type);                                                                        \
    each(state->path_finder);                                                                      \
    EACH_OF_LOADER(each, state->source);                                                           \
    EACH_OF_LOADER(each, state->sourceless);                                                       \
    each(state->extension_loader);                                                                 \
    each(state->exec_amended)

static int traverse_module(PyObject *module, visitproc visit, void *arg) {
    struct state *state = PyModule_GetState(module);
    EACH_OBJECT(Py_VISIT);
    return 0;
}

static int clear_module(PyObject *module) {
    struct state *state = PyModule_GetState(module);
    EACH_OBJECT(Py_CLEAR);
    Py_CLEAR(state->spec_keywords);
#define CLEAR(text) Py_CLEAR(state->str_##text);
    STRINGS(CLEAR)
#undef CLEAR
    return 0;
}

static void free_module(void *module) { clear_module(module); }

static PyModuleDef_Slot module_slots[] = {
    {Py_mod_exec, (void *)execute_module},
#if PY_VERSION_HEX >= 0x030c0000
    {Py_mod_multiple_interpreters, Py_MOD_PER_INTERPRETER_GIL_SUPPORTED},
#endif
#if PY_VERSION_HEX >= 0x030d0000
    {Py_mod_gil, Py_MOD_GIL_NOT_USED},
#endif
    {0, NULL}};
static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "_oxidized",
    .m_doc = "Importer of the modules in this executable.",
    .m_size = sizeof(struct state),
    .m_slots = module_slots,
    .m_traverse = traverse_module,
    .m_clear = clear_module,
    .m_free = free_module,
};

PyMODINIT_FUNC PyInit__oxidized(void) { return PyModuleDef_Init(&definition); }

/* SourceFileLoader has its `get_code` from a class above: subclasses may have another between. */
static int put_into_loaders(PyObject *module) {
    struct state *state = PyModule_GetState(module);
    PyObject *above = attribute_of("_frozen_importlib_external", "SourceLoader");
    int failed = above ? put_into_class(module, above, &source_get_code_definition) : -1;
    Py_XDECREF(above);
    if (failed)
        return failed;
    return put_into_class(module, state->sourceless.type, &sourceless_get_code_definition);
}

int oxidize_install_importer(void) {
    PyObject *module = PyImport_ImportModule("_oxidized");
    PyObject *type = module ? PyObject_GetAttrString(module, "Finder") : NULL;
    PyObject *finder = type ? PyObject_CallNoArgs(type) : NULL;
    PyObject *meta_path = PySys_GetObject("meta_path"); /* borrowed */
    int failed = -1;
    if (finder && meta_path && PyList_Check(meta_path))
        failed = PyList_Insert(meta_path, 0, finder);
    else if (finder)
        PyErr_SetString(PyExc_RuntimeError, "sys.meta_path is not a list");
    if (!failed)
        failed = put_into_loaders(module);
    Py_XDECREF(module);
    Py_XDECREF(type);
    Py_XDECREF(finder);
    return failed;
}
