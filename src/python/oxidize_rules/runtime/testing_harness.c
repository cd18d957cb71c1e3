/* Does what its arguments say with shared libraries, and tells what happened; not part of an
 * executable. Linked with the runtime and an image it opens libraries of the image; linked without,
 * the same libraries on disk: so tests compare the two.
 *
 *     harness ROOT COMMAND...
 *
 * In names "@" stands for ROOT, both in arguments and in what is printed. Commands work on the
 * library that was opened last:
 *
 *     open|lazy|global|noload NAME     dlopen()
 *     call SYMBOL, text SYMBOL         its result, a number or a text
 *     default SYMBOL                   whether dlsym(RTLD_DEFAULT) finds it
 *     where SYMBOL                     the name of the library that it is in
 *     close                            dlclose()
 *     names                            what is loaded, of ROOT or without a name on disk
 *     descriptors                      how many are open
 *     threads NAME                     8 threads open it at once
 *     again                            what dlerror() says now */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <link.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

static const char *root;
static void *handle;

static const char *from_root(const char *name) {
    static char path[4096];
    if (*name != '@')
        return name;
    snprintf(path, sizeof path, "%s%s", root, name + 1);
    return path;
}

static void tell(const char *what, const char *text) {
    const char *at;
    printf("%s ", what);
    while (text && (at = strstr(text, root)) != NULL) {
        printf("%.*s@", (int)(at - text), text);
        text = at + strlen(root);
    }
    printf("%s\n", text ? text : "nothing");
}

static void open_library(const char *name, int flags) {
    handle = dlopen(from_root(name), flags);
    if (handle)
        tell("opened", name);
    else
        tell("failed", dlerror());
}

static void call(const char *name, int as_text) {
    void *function = dlsym(handle, name);
    if (function == NULL)
        tell("failed", dlerror());
    else if (as_text)
        tell(name, ((const char *(*)(void))function)());
    else
        printf("%s %d\n", name, ((int (*)(void))function)());
}

static void where(const char *name) {
    Dl_info info;
    void *address = dlsym(handle, name);
    tell(name, address && dladdr(address, &info) ? info.dli_fname : "not there");
}

static int show(struct dl_phdr_info *info, size_t size, void *data) {
    (void)size, (void)data;
    const char *name = info->dlpi_name ? info->dlpi_name : "";
    if (strncmp(name, root, strlen(root)) == 0 || strncmp(name, "/proc", 5) == 0 ||
        strstr(name, ".oxidized-"))
        tell("has", name);
    return 0;
}

static void count_descriptors(void) {
    int count = 0;
    for (int i = 0; i < 1024; i++)
        count += fcntl(i, F_GETFD) >= 0;
    printf("descriptors %d\n", count);
}

static pthread_barrier_t barrier;

static void *open_at_once(void *name) {
    pthread_barrier_wait(&barrier);
    return dlopen(name, RTLD_NOW);
}

static void open_in_threads(const char *name) {
    enum { COUNT = 8 };
    pthread_t threads[COUNT];
    void *handles[COUNT];
    int same = 1;
    pthread_barrier_init(&barrier, NULL, COUNT);
    for (int i = 0; i < COUNT; i++)
        pthread_create(&threads[i], NULL, open_at_once, (void *)(size_t)from_root(name));
    for (int i = 0; i < COUNT; i++) {
        pthread_join(threads[i], &handles[i]);
        same = same && handles[i] && handles[i] == handles[0];
    }
    handle = handles[0];
    printf("threads %s\n", same ? "agree" : "differ");
}

int main(int argc, char **argv) {
    setvbuf(stdout, NULL, _IONBF, 0);
    root = argc > 1 ? argv[1] : "";
    for (int i = 2; i < argc; i++) {
        const char *command = argv[i], *name = i + 1 < argc ? argv[i + 1] : "";
        int taken = 1;
        if (strcmp(command, "open") == 0)
            open_library(name, RTLD_NOW);
        else if (strcmp(command, "lazy") == 0)
            open_library(name, RTLD_LAZY);
        else if (strcmp(command, "global") == 0)
            open_library(name, RTLD_NOW | RTLD_GLOBAL);
        else if (strcmp(command, "noload") == 0)
            open_library(name, RTLD_NOW | RTLD_NOLOAD);
        else if (strcmp(command, "call") == 0 || strcmp(command, "text") == 0)
            call(name, *command == 't');
        else if (strcmp(command, "default") == 0)
            printf("default %s\n", dlsym(RTLD_DEFAULT, name) ? "has it" : "has it not");
        else if (strcmp(command, "where") == 0)
            where(name);
        else if (strcmp(command, "threads") == 0)
            open_in_threads(name);
        else
            taken = 0;
        if (strcmp(command, "close") == 0)
            printf("closed %d\n", dlclose(handle));
        else if (strcmp(command, "names") == 0)
            dl_iterate_phdr(show, NULL);
        else if (strcmp(command, "descriptors") == 0)
            count_descriptors();
        else if (strcmp(command, "again") == 0)
            tell("dlerror", dlerror());
        i += taken;
    }
    return 0;
}
