/* From the image's settings to a running interpreter.
 *
 * Every path is set here and nothing is searched for: getpath.py, which would compute them, is not
 * run at all (`--wrap=_PyConfig_InitPathConfig`). */
#define PY_SSIZE_T_CLEAN
#include "start.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "image_access.h"
#include "importer.h"

enum kind { INTEGER, STRING, LIST, UNSIGNED_LONG };

struct field {
    const char *name;
    enum kind kind;
    size_t offset;
};

#define PRE(name) {#name, INTEGER, offsetof(PyPreConfig, name)}
static const struct field pre_fields[] = {
    PRE(isolated),     PRE(use_environment), PRE(configure_locale), PRE(coerce_c_locale),
    PRE(utf8_mode),    PRE(dev_mode),        PRE(coerce_c_locale_warn),
};

#define INT(name) {#name, INTEGER, offsetof(PyConfig, name)}
#define TEXT(name) {#name, STRING, offsetof(PyConfig, name)}
static const struct field fields[] = {
    INT(isolated),
    INT(use_environment),
    INT(dev_mode),
    INT(install_signal_handlers),
    INT(use_hash_seed),
    {"hash_seed", UNSIGNED_LONG, offsetof(PyConfig, hash_seed)},
    INT(faulthandler),
    INT(tracemalloc),
    INT(import_time),
    INT(show_ref_count),
    INT(malloc_stats),
    TEXT(filesystem_encoding),
    TEXT(filesystem_errors),
    TEXT(pycache_prefix),
    INT(parse_argv),
    {"xoptions", LIST, offsetof(PyConfig, xoptions)},
    {"warnoptions", LIST, offsetof(PyConfig, warnoptions)},
    INT(bytes_warning),
    INT(inspect),
    INT(interactive),
    INT(optimization_level),
    INT(parser_debug),
    INT(write_bytecode),
    INT(verbose),
    INT(quiet),
    INT(user_site_directory),
    INT(configure_c_stdio),
    INT(buffered_stdio),
    TEXT(stdio_encoding),
    TEXT(stdio_errors),
    TEXT(check_hash_pycs_mode),
    INT(pathconfig_warnings),
    TEXT(program_name),
    INT(skip_source_first_line),
    INT(site_import),
#if PY_VERSION_HEX >= 0x030a0000
    INT(warn_default_encoding),
#endif
#if PY_VERSION_HEX >= 0x030b0000
    INT(code_debug_ranges),
    INT(use_frozen_modules),
    INT(safe_path),
#endif
#if PY_VERSION_HEX >= 0x030c0000
    INT(int_max_str_digits),
    INT(perf_profiling),
#endif
#if PY_VERSION_HEX >= 0x030d0000
    INT(cpu_count),
#endif
#if PY_VERSION_HEX >= 0x030e0000
    INT(context_aware_warnings),
    INT(thread_inherit_context),
#endif
};

static void stop_on(PyStatus status) {
    if (PyStatus_Exception(status))
        Py_ExitStatusException(status);
}

static const struct field *find_field(const struct field *table, size_t count, const char *name) {
    for (size_t i = 0; i < count; i++)
        if (strcmp(table[i].name, name) == 0)
            return &table[i];
    return NULL;
}

static int read_integer(const char *key, const char *value) {
    char *end;
    errno = 0;
    long number = strtol(value, &end, 10);
    if (errno || end == value || *end || number < INT_MIN || number > INT_MAX)
        oxidize_bad_setting(key, value, "an integer");
    return (int)number;
}

static unsigned long read_unsigned_long(const char *key, const char *value) {
    char *end;
    errno = 0;
    unsigned long number = strtoul(value, &end, 10);
    if (errno || end == value || *end || *value == '-')
        oxidize_bad_setting(key, value, "an integer of at least 0");
    return number;
}

/* Folders that come behind the image: see append_own_paths(). */
#define SEARCH_PATHS "module_search_paths"
#define ORIGIN "$ORIGIN"

/* The field's name, if the setting is a `config.<field>`. */
static const char *field_name(const char *key) {
    return strncmp(key, "config.", 7) == 0 ? key + 7 : NULL;
}

static void apply_to_preconfig(PyPreConfig *config) {
    const struct oxidize_setting *setting;
    for (uint32_t i = 0; (setting = oxidize_setting_at(i)) != NULL; i++) {
        const char *key = oxidize_string(setting->key), *name = field_name(key);
        if (name == NULL)
            continue;
        const struct field *field =
            find_field(pre_fields, sizeof pre_fields / sizeof *pre_fields, name);
        if (field)
            *(int *)(void *)((char *)config + field->offset) =
                read_integer(key, oxidize_string(setting->value));
    }
}

static void append(PyConfig *config, PyWideStringList *list, const char *text) {
    wchar_t *decoded = Py_DecodeLocale(text, NULL);
    PyStatus status = decoded ? PyWideStringList_Append(list, decoded) : PyStatus_NoMemory();
    PyMem_RawFree(decoded);
    (void)config;
    stop_on(status);
}

static void apply_field(PyConfig *config, const struct field *field, const char *key,
                        const char *value) {
    void *target = (char *)config + field->offset;
    switch (field->kind) {
    case INTEGER:
        *(int *)target = read_integer(key, value);
        break;
    case UNSIGNED_LONG:
        *(unsigned long *)target = read_unsigned_long(key, value);
        break;
    case STRING:
        stop_on(PyConfig_SetBytesString(config, (wchar_t **)target, value));
        break;
    case LIST:
        append(config, target, value);
        break;
    }
}

/* Fields that options of the command line count up. */
static bool is_counted(const char *name) {
    static const char *const counted[] = {"bytes_warning", "inspect", "interactive",
                                          "optimization_level", "parser_debug", "quiet", "verbose"};
    for (size_t i = 0; i < sizeof counted / sizeof *counted; i++)
        if (strcmp(counted[i], name) == 0)
            return true;
    return false;
}

static void apply_to_config(PyConfig *config, enum oxidize_mode mode) {
    const struct oxidize_setting *setting;
    for (uint32_t i = 0; (setting = oxidize_setting_at(i)) != NULL; i++) {
        const char *key = oxidize_string(setting->key), *name = field_name(key);
        if (name == NULL || (mode == OXIDIZE_INTERPRETER && is_counted(name)))
            continue;
        const char *value = oxidize_string(setting->value);
        const struct field *field = find_field(fields, sizeof fields / sizeof *fields, name);
        if (field)
            apply_field(config, field, key, value);
        else if (strcmp(name, SEARCH_PATHS) != 0 &&
                 !find_field(pre_fields, sizeof pre_fields / sizeof *pre_fields, name))
            oxidize_bad_setting(key, value, "a field of PyConfig or PyPreConfig");
    }
}

struct allocator {
    const char *name;
    int number; /* PyMemAllocatorName; `debug`: with CPython's checks of each block */
};

/* By default mimalloc where the distribution has it: on musl two to five times as fast as pymalloc
 * over musl's malloc, on glibc a little faster than pymalloc. */
static const struct allocator allocators[] = {
#if defined(WITH_MIMALLOC)
    {"default", PYMEM_ALLOCATOR_MIMALLOC},
    {"debug", PYMEM_ALLOCATOR_MIMALLOC_DEBUG},
    {"mimalloc", PYMEM_ALLOCATOR_MIMALLOC},
    {"mimalloc_debug", PYMEM_ALLOCATOR_MIMALLOC_DEBUG},
#else
    {"default", PYMEM_ALLOCATOR_NOT_SET},
    {"debug", PYMEM_ALLOCATOR_DEBUG},
#endif
    {"pymalloc", PYMEM_ALLOCATOR_PYMALLOC},
    {"pymalloc_debug", PYMEM_ALLOCATOR_PYMALLOC_DEBUG},
    {"malloc", PYMEM_ALLOCATOR_MALLOC},
    {"malloc_debug", PYMEM_ALLOCATOR_MALLOC_DEBUG},
};

/* `-X dev` among the options of a command line as `python3` has it. */
static bool has_dev_option(int argc, char **argv) {
    for (int i = 1; i < argc && argv[i][0] == '-'; i++) {
        if (strcmp(argv[i], "-Xdev") == 0)
            return true;
        if (strcmp(argv[i], "-c") == 0 || strcmp(argv[i], "-m") == 0)
            return false;
        bool apart = strcmp(argv[i], "-X") == 0 || strcmp(argv[i], "-W") == 0;
        if (apart && i + 1 < argc && strcmp(argv[i], "-X") == 0 && strcmp(argv[i + 1], "dev") == 0)
            return true;
        i += apart;
    }
    return false;
}

static bool in_dev_mode(const PyPreConfig *config, const struct oxidize_start *start) {
    const char *variable = config->use_environment != 0 ? getenv("PYTHONDEVMODE") : NULL;
    return config->dev_mode > 0 || (variable && *variable) ||
           (start->mode == OXIDIZE_INTERPRETER && has_dev_option(start->argc, start->argv));
}

/* `allocator`; development mode wants checks where nothing else is said, as in CPython. */
static void choose_allocator(PyPreConfig *config, const struct oxidize_start *start) {
    const char *name = oxidize_setting("allocator", "default");
    const char *chosen = getenv("PYTHONMALLOC");
    if (config->use_environment != 0 && chosen && *chosen)
        return; /* Python reads the variable unless an allocator is set here */
    if (strcmp(name, "default") == 0 && in_dev_mode(config, start))
        name = "debug";
    for (size_t i = 0; i < sizeof allocators / sizeof *allocators; i++) {
        if (strcmp(allocators[i].name, name) == 0) {
            config->allocator = allocators[i].number;
            return;
        }
    }
    oxidize_bad_setting("allocator", name, "an allocator that this Python has");
}

static void preconfigure(const struct oxidize_start *start) {
    PyPreConfig config;
    PyPreConfig_InitPythonConfig(&config);
    if (start->mode == OXIDIZE_APPLICATION) {
        config.isolated = 1;
        config.use_environment = 0;
        config.parse_argv = 0;
    }
    apply_to_preconfig(&config);
#if !defined(__GLIBC__)
    /* musl's text is UTF-8 whatever the locale is called, so an application need not ask it. */
    if (start->mode == OXIDIZE_APPLICATION && config.utf8_mode < 0 && config.use_environment == 0)
        config.utf8_mode = 1;
#endif
    choose_allocator(&config, start);
    stop_on(Py_PreInitializeFromBytesArgs(&config, start->argc, start->argv));
}

static void set(PyConfig *config, wchar_t **field, const char *value) {
    stop_on(PyConfig_SetBytesString(config, field, value));
}

/* `relative` to the image's root. */
static const char *in_image(char *buffer, const char *relative) {
    snprintf(buffer, PATH_MAX, OXIDIZE_ROOT "/%s", relative);
    return buffer;
}

/* The user's module_search_paths, after those of the image. `$ORIGIN` is the folder of the
 * executable; an entry with it is left out where that folder is not known (a memfd, a file that is
 * gone). */
static void append_own_paths(PyConfig *config, const char *executable) {
    char buffer[PATH_MAX];
    const char *slash = strrchr(executable, '/');
    bool known = slash && strncmp(executable, "/proc/", 6) != 0;
    uint32_t cursor = 0;
    const char *path;
    while ((path = oxidize_next_setting("config." SEARCH_PATHS, &cursor)) != NULL) {
        bool relative = strncmp(path, ORIGIN, sizeof ORIGIN - 1) == 0;
        const char *rest = relative ? path + sizeof ORIGIN - 1 : path;
        int folder = relative && known ? (int)(slash - executable) : 0;
        if ((relative && !known) || (size_t)snprintf(buffer, sizeof buffer, "%.*s%s", folder,
                                                     executable, rest) >= sizeof buffer)
            continue;
        append(config, &config->module_search_paths, *buffer ? buffer : "/");
    }
}

static void set_paths(PyConfig *config, const struct oxidize_start *start) {
    char buffer[PATH_MAX];
    wchar_t **prefixes[] = {&config->prefix, &config->base_prefix, &config->exec_prefix,
                            &config->base_exec_prefix};
    for (size_t i = 0; i < 4; i++)
        set(config, prefixes[i], OXIDIZE_ROOT);
#if PY_VERSION_HEX >= 0x030b0000
    /* Gives frozen modules their __file__. */
    set(config, &config->stdlib_dir, in_image(buffer, oxidize_setting("stdlib", "lib")));
#endif
    set(config, &config->platlibdir, "lib");
    if (config->program_name == NULL)
        set(config, &config->program_name, start->argc ? start->argv[0] : "");
    config->module_search_paths_set = 1;
    uint32_t cursor = 0;
    const char *path;
    while ((path = oxidize_next_setting("path", &cursor)) != NULL)
        append(config, &config->module_search_paths, in_image(buffer, path));
    append_own_paths(config, start->executable);
    set(config, &config->executable, start->executable);
    set(config, &config->base_executable, start->executable);
}

/* One entry of PYTHONPATH, made absolute as getpath.py does. */
static PyStatus insert_path(PyConfig *config, Py_ssize_t at, const wchar_t *entry, size_t length) {
    wchar_t *absolute = PyMem_RawCalloc(PATH_MAX + length + 2, sizeof *absolute);
    if (absolute == NULL)
        return PyStatus_NoMemory();
    size_t used = 0;
    char folder[PATH_MAX];
    if ((length == 0 || entry[0] != L'/') && getcwd(folder, sizeof folder) != NULL) {
        wchar_t *decoded = Py_DecodeLocale(folder, &used);
        if (decoded)
            wmemcpy(absolute, decoded, used);
        PyMem_RawFree(decoded);
        if (length > 0)
            absolute[used++] = L'/';
    }
    wmemcpy(absolute + used, entry, length);
    PyStatus status = PyWideStringList_Insert(&config->module_search_paths, at, absolute);
    PyMem_RawFree(absolute);
    return status;
}

/* PYTHONPATH, which was read where the command line allows it, comes before the image, as before the
 * standard library of an installation. Once only: the configuration may be read again, and
 * sub-interpreters inherit the list. */
static PyStatus insert_python_path(PyConfig *config) {
    const wchar_t *at = config->pythonpath_env;
    PyStatus status = PyStatus_Ok();
    if (at && *at == L'\0')
        at = NULL;
    for (Py_ssize_t i = 0; at && !PyStatus_Exception(status); i++) {
        size_t length = wcscspn(at, L":");
        status = insert_path(config, i, at, length);
        at = at[length] ? at + length + 1 : NULL;
    }
    if (config->pythonpath_env && !PyStatus_Exception(status))
        status = PyConfig_SetString(config, &config->pythonpath_env, L"");
    return status;
}

/* The filter of `bytes_warning`, once the list is made: before those of the settings, as CPython. */
static PyStatus add_bytes_filter(PyConfig *config, int level) {
    Py_ssize_t at = config->warnoptions.length;
    uint32_t cursor = 0;
    while (at > 0 && oxidize_next_setting("config.warnoptions", &cursor))
        at--;
    return PyWideStringList_Insert(&config->warnoptions, at,
                                   level > 1 ? L"error::BytesWarning" : L"default::BytesWarning");
}

/* In the interpreter, a setting that options count up is the least: multiprocessing gives a child
 * all options that its parent has, and the child is not to have twice as many. A prompt
 * (`inspect`) is for the application itself, not for its children. */
static PyStatus raise_counted(PyConfig *config) {
    bool application = strcmp(oxidize_setting("entry.kind", ""), "interpreter") != 0;
    PyStatus status = PyStatus_Ok();
    const struct oxidize_setting *setting;
    for (uint32_t i = 0; (setting = oxidize_setting_at(i)) != NULL; i++) {
        const char *key = oxidize_string(setting->key), *name = field_name(key);
        if (name == NULL || !is_counted(name) || (application && strncmp(name, "in", 2) == 0))
            continue;
        const struct field *field = find_field(fields, sizeof fields / sizeof *fields, name);
        int least = read_integer(key, oxidize_string(setting->value));
        int *value = field ? (int *)(void *)((char *)config + field->offset) : NULL;
        if (value == NULL || *value >= least)
            continue;
        *value = least;
        if (value == &config->bytes_warning)
            status = add_bytes_filter(config, least);
    }
    return status;
}

#if PY_VERSION_HEX >= 0x030b0000
/* Options such as -q and variables such as PYTHONINSPECT=2 are counted, but say yes or no: CPython
 * makes that of them as it reads back what getpath.py gives. */
static void decide_flags(PyConfig *config) {
    int *const flags[] = {&config->inspect, &config->interactive, &config->parser_debug,
                          &config->quiet};
    for (size_t i = 0; i < sizeof flags / sizeof *flags; i++)
        *flags[i] = *flags[i] != 0;
}

/* In place of getpath.py (about 0.4 of 9 ms CPU, where `python3.13 -I` took
 * 13): everything else that it finds out is already set. */
PyStatus __wrap__PyConfig_InitPathConfig(PyConfig *config, int compute);
PyStatus __wrap__PyConfig_InitPathConfig(PyConfig *config, int compute) {
    (void)compute;
    /* CPython has overwritten this one by what the command line says (_PyPreCmdline_SetConfig). */
    const char *warn = oxidize_setting("config.warn_default_encoding", NULL);
    if (warn)
        config->warn_default_encoding |= strcmp(warn, "1") == 0;
    PyStatus status = config->parse_argv ? raise_counted(config) : PyStatus_Ok();
    decide_flags(config);
    return PyStatus_Exception(status) ? status : insert_python_path(config);
}
#else
/* What finds the paths is C code, and leaves alone what is set. */
PyStatus __real__PyConfig_InitPathConfig(PyConfig *config, int compute);
PyStatus __wrap__PyConfig_InitPathConfig(PyConfig *config, int compute);
PyStatus __wrap__PyConfig_InitPathConfig(PyConfig *config, int compute) {
    PyStatus status = config->parse_argv ? raise_counted(config) : PyStatus_Ok();
    return PyStatus_Exception(status) ? status : __real__PyConfig_InitPathConfig(config, compute);
}
#endif

static int install(void) {
    return oxidize_install_importer() < 0 || oxidize_install_builtins() < 0 ? -1 : 0;
}

#if PY_VERSION_HEX >= 0x030c0000
/* The moment in every interpreter's start, sub-interpreters too, when importlib is complete and
 * nothing has been imported through it yet. */
PyStatus __real__PyImport_InitExternal(PyThreadState *state);
PyStatus __wrap__PyImport_InitExternal(PyThreadState *state);
PyStatus __wrap__PyImport_InitExternal(PyThreadState *state) {
    PyStatus status = __real__PyImport_InitExternal(state);
    if (!PyStatus_Exception(status) && install() < 0) {
        PyErr_Print();
        return PyStatus_Error("cannot install the importer of the executable's image");
    }
    return status;
}
#endif

void oxidize_configure(const struct oxidize_start *start) {
    preconfigure(start);
    PyConfig config;
    PyConfig_InitPythonConfig(&config);
    if (start->mode == OXIDIZE_APPLICATION) {
        config.isolated = 1;
        config.use_environment = 0;
        config.user_site_directory = 0;
        config.parse_argv = 0;
        config.write_bytecode = 0;
#if PY_VERSION_HEX >= 0x030b0000
        config.safe_path = 1;
#endif
    }
    config.site_import = 0;
    config.pathconfig_warnings = 0;
    apply_to_config(&config, start->mode);
    stop_on(PyConfig_SetBytesArgv(&config, start->argc, start->argv));
    set_paths(&config, start);
#if PY_VERSION_HEX < 0x030b0000
    const char *python_path = getenv("PYTHONPATH");
    if (config.use_environment != 0 && python_path && *python_path) {
        stop_on(PyConfig_Read(&config));
        stop_on(insert_python_path(&config));
    }
#endif
    PyStatus status = Py_InitializeFromConfig(&config);
    PyConfig_Clear(&config);
    stop_on(status);
#if PY_VERSION_HEX < 0x030c0000
    /* What was imported so far came through the path finder and the virtual files. */
    if (install() < 0) {
        PyErr_Print();
        exit(1);
    }
#endif
}
