/* How the executable starts, in two halves: everything up to the first import, and the program.
 *
 * main() calls one after the other. They are apart so that a snapshot of the process can be taken
 * between them and continued with other arguments. */
#ifndef OXIDIZE_START_H
#define OXIDIZE_START_H

#include <Python.h>

#include <limits.h>

enum oxidize_mode {
    OXIDIZE_INTERPRETER, /* as `python3`: options, -c, -m, scripts, PYTHON* variables */
    OXIDIZE_APPLICATION, /* the entry point; arguments are the application's */
};

struct oxidize_start {
    int argc;
    char **argv; /* with the settings' own arguments put in; NULL at the end */
    enum oxidize_mode mode;
    char executable[PATH_MAX]; /* absolute path; "" if there is no way to know */
};

/* Tells what the executable is to be: "1" the interpreter inside; "0" the application, as are its
 * children; the path of an executable: a child of it that is called as `python3` is an interpreter
 * (decide.c). */
#define OXIDIZE_INTERPRETER_VARIABLE "OXIDIZED_INTERPRETER"

/* What this process leaves for its children in the variable, as an entry of an environment; NULL if
 * nothing (decide.c). */
const char *oxidize_mark(void);

/* Decide what runs (decide.c). Ends the process on a setting that makes no sense. */
void oxidize_decide(struct oxidize_start *start, int argc, char **argv);

/* Initialize Python (config.c). Ends the process on failure. */
void oxidize_configure(const struct oxidize_start *start);

/* Decide and configure. */
void oxidize_prepare(struct oxidize_start *start, int argc, char **argv);

/* Run the program, finalize Python, give the exit status (entry.c). */
int oxidize_run(const struct oxidize_start *start);

/* Give a prompt after the program, if the configuration wants one (prompt.c). `status` is the
 * program's exit status; gives the one to end with. */
int oxidize_prompt(int status);

/* Absolute path of the running executable, in `buffer`; "" if there is no way to know
 * (executable.c). */
void oxidize_executable_path(char *buffer, size_t size, const char *argument);

/* What `site` gives to builtins, and the hook of the prompt; for the current interpreter
 * (builtins.c). -1 with an exception set on failure. */
int oxidize_install_builtins(void);

/* Tell about a setting that cannot be followed, and end the process with status 2
 * (complain.c). */
_Noreturn void oxidize_bad_setting(const char *key, const char *value, const char *expected);

#endif
