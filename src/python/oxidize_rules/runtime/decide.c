/* What runs: the application, or the interpreter inside.
 *
 * An application's arguments are its own, whatever they look like. But programs also start
 * `sys.executable` to get a Python: `[sys.executable, "-c", ...]`, `-m`, a script; and so does
 * multiprocessing. To tell the two apart, an application leaves its path in the variable
 * OXIDIZED_INTERPRETER: a process that finds the path of its own executable there, was started by
 * that path (which is what sys.executable is) and has arguments that make a Python command, is a
 * child that wants the interpreter.
 *
 * Nobody else gets one by arguments alone: whoever may start an application with arguments of his
 * choice, by sudo for example, must not be able to run code of his choice by them. A set-user-id
 * program does not believe the variable either. */
#define PY_SSIZE_T_CLEAN
#include "start.h"

#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/stat.h>
#include <unistd.h>

#include "image_access.h"

#define VARIABLE OXIDIZE_INTERPRETER_VARIABLE

/* --- arguments as `python3` reads them ----------------------------------------------------- */

enum command { OTHER, CODE, MODULE, INPUT, SCRIPT };

struct command_line {
    enum command command;
    int at;           /* where the command's text is, or begins */
    const char *text; /* the code, the module's name, the script */
};

/* One argument of short options, such as "-Ic". Gives the option that ends them all (`c`, `m`), or
 * 0, or -1 for what `python3` does not know. `*at` moves on past an option's own argument. */
static int read_options(int argc, char **argv, int *at, const char **text) {
    const char *flags = "bBdEhiIJOPqRsStuvVx?";
    for (const char *option = argv[*at] + 1; *option; option++) {
        if (strchr(flags, *option))
            continue;
        if (strchr("cmWX", *option) == NULL)
            return -1;
        *text = option + 1;
        if (**text == '\0')
            *text = ++*at < argc ? argv[*at] : NULL;
        if (*text == NULL)
            return -1;
        return *option == 'c' || *option == 'm' ? *option : 0;
    }
    return 0;
}

static struct command_line read_command_line(int argc, char **argv) {
    const char *text = NULL;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "-") == 0)
            return (struct command_line){INPUT, i, argv[i]};
        if (argv[i][0] != '-')
            return (struct command_line){SCRIPT, i, argv[i]};
        if (argv[i][1] == '-')
            break;
        int option = read_options(argc, argv, &i, &text);
        if (option < 0)
            break;
        if (option > 0)
            return (struct command_line){option == 'c' ? CODE : MODULE, i, text};
    }
    return (struct command_line){OTHER, argc, NULL};
}

/* multiprocessing starts its helpers as `<sys.executable> <interpreter flags> -c 'from
 * multiprocessing.<...> import <...>' ...`: spawned children, the fork server, the resource
 * tracker. */
static bool is_multiprocessing(const struct command_line *line) {
    static const char start[] = "from multiprocessing.";
    return line->command == CODE && strncmp(line->text, start, sizeof start - 1) == 0;
}

/* --- children of an application ------------------------------------------------------------- */

static const char *last_part(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

/* What an application leaves for its children: the variable with its path, behind LIMITED where
 * only multiprocessing is to have interpreters. "" if it left nothing. */
#define LIMITED "multiprocessing:"
static char mark[sizeof VARIABLE + sizeof LIMITED + PATH_MAX];

const char *oxidize_mark(void) { return *mark ? mark : NULL; }

static void announce(const char *own, const char *prefix) {
    unsetenv(VARIABLE);
    if (*own == '\0')
        return;
    snprintf(mark, sizeof mark, VARIABLE "=%s%s", prefix, own);
    putenv(mark);
}

/* Whether a process of this executable has left `value`. */
static bool is_own_mark(const char *value, const char *own) {
    size_t length = strlen(LIMITED);
    if (value && strncmp(value, LIMITED, length) == 0)
        value += length;
    return value && *value == '/' && strcmp(value, own) == 0;
}

/* Whether this process was started by way of the sys.executable of one that left `value`, and
 * that lets its children be interpreters. Callers of exec*() may choose another argv[0], and then
 * it is mostly "python". */
static bool is_child(const char *value, const char *own, const char *name) {
    return is_own_mark(value, own) && *value == '/' &&
           (strcmp(name, own) == 0 || strncmp(last_part(name), "python", 6) == 0);
}

static bool has_python_ending(const char *path) {
    static const char *const endings[] = {".py", ".pyc", ".pyw", ".pyz"};
    size_t length = strlen(path);
    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++) {
        size_t size = strlen(endings[i]);
        if (length > size && strcmp(path + length - size, endings[i]) == 0)
            return true;
    }
    return false;
}

/* "#!/usr/bin/env python3" and its like: scripts without an ending, zip applications. */
static bool has_python_line(const char *path) {
    char line[256] = "";
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return false;
    bool read = fgets(line, sizeof line, file) != NULL;
    fclose(file);
    return read && strncmp(line, "#!", 2) == 0 && strstr(line, "python");
}

static bool is_script(const char *path) {
    struct stat status;
    if (stat(path, &status) != 0)
        return false;
    if (S_ISDIR(status.st_mode)) {
        char inner[PATH_MAX];
        int length = snprintf(inner, sizeof inner, "%s/__main__.py", path);
        return (size_t)length < sizeof inner && access(inner, F_OK) == 0;
    }
    return S_ISREG(status.st_mode) && (has_python_ending(path) || has_python_line(path));
}

/* `sys.executable` with `sys.argv` behind it is how a program starts itself again: with the
 * executable as the script. Its name alone does, too, since a shell may have searched PATH. */
static bool is_itself(const char *script, const char *own) {
    struct stat one, other;
    if (strchr(script, '/') == NULL && strcmp(script, last_part(own)) == 0)
        return true;
    return stat(script, &one) == 0 && stat(own, &other) == 0 && one.st_dev == other.st_dev &&
           one.st_ino == other.st_ino;
}

/* --- deciding ------------------------------------------------------------------------------- */

static void set_environment(void) {
    const struct oxidize_setting *setting;
    for (uint32_t i = 0; (setting = oxidize_setting_at(i)) != NULL; i++) {
        const char *key = oxidize_string(setting->key);
        if (strncmp(key, "env.", 4) == 0)
            setenv(key + 4, oxidize_string(setting->value), 0);
    }
}

/* Put the settings' arguments behind the program's name. The array lives as long as the process. */
static void insert_arguments(struct oxidize_start *start) {
    uint32_t cursor = 0;
    int extra = 0, at = 1;
    while (oxidize_next_setting("argv", &cursor))
        extra++;
    if (extra == 0 || start->argc < 1)
        return;
    char **all = calloc((size_t)(start->argc + extra) + 1, sizeof *all);
    if (all == NULL)
        return;
    all[0] = start->argv[0];
    const char *argument;
    for (cursor = 0; (argument = oxidize_next_setting("argv", &cursor)) != NULL;)
        all[at++] = (char *)argument;
    for (int i = 1; i < start->argc; i++)
        all[at++] = start->argv[i];
    start->argc = at;
    start->argv = all;
}

/* The application: with the arguments it was given, or with those it gave itself. */
static void decide_application(struct oxidize_start *start, const struct command_line *line,
                               const char *wanted, bool child) {
    const char *own = start->executable;
    start->mode = OXIDIZE_APPLICATION;
    if (child && line->command == SCRIPT && is_itself(line->text, own)) {
        /* sys.argv has the settings' arguments already. */
        announce(own, "");
        start->argc -= line->at;
        start->argv += line->at;
        return;
    }
    /* An application with a `-c` or `-m` of its own may start itself with them by its path, which
     * could not be told from a Python command. */
    bool limited = line->command == CODE || line->command == MODULE;
    announce(own, limited || (wanted && strcmp(wanted, "0") == 0) ? LIMITED : "");
    insert_arguments(start);
}

static bool is_application(void) {
    const char *kind = oxidize_setting("entry.kind", "interpreter");
    bool application = strcmp(kind, "module") == 0 || strcmp(kind, "function") == 0;
    if (!application && strcmp(kind, "interpreter") != 0)
        oxidize_bad_setting("entry.kind", kind, "interpreter, module or function");
    return application;
}

void oxidize_decide(struct oxidize_start *start, int argc, char **argv) {
    *start = (struct oxidize_start){.argc = argc, .argv = argv, .mode = OXIDIZE_INTERPRETER};
    bool application = is_application();
    set_environment();
    char *own = start->executable;
    oxidize_executable_path(own, sizeof start->executable, argc ? argv[0] : NULL);
    struct command_line line = read_command_line(argc, argv);
    if (!application) {
        if (!is_multiprocessing(&line)) /* else the parent has passed on what counts */
            insert_arguments(start);
        return;
    }
    const char *wanted = getauxval(AT_SECURE) ? NULL : getenv(VARIABLE);
    if (is_multiprocessing(&line) && is_own_mark(wanted, own)) {
        announce(own, *wanted == '/' ? "" : LIMITED);
        return;
    }
    if (wanted && strcmp(wanted, "1") == 0) {
        announce(own, "");
        return;
    }
    bool child = argc && is_child(wanted, own, argv[0]);
    bool script = child && line.command == SCRIPT && is_script(line.text);
    if (script || (child && line.command != SCRIPT && line.command != OTHER))
        announce(own, "");
    else
        decide_application(start, &line, wanted, child);
}
