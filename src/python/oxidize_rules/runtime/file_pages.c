#define _GNU_SOURCE /* madvise */
#include "file_pages.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <unistd.h>

/* A line of /proc/self/maps, as far as it has been read:
 * low-high permissions offset device inode path (proc_pid_maps(5)). */
struct mapping {
    uintptr_t low, high, inode; /* inode 0: no file */
    int field;                  /* which is next; low and high are two */
};
enum { LOW, HIGH, INODE = 5, PATH };

static uintptr_t digit(char c) { return (uintptr_t)(c <= '9' ? c - '0' : c - 'a' + 10); }

static void follow(struct mapping *line, char c) {
    if (line->field == PATH)
        return;
    if (c == (line->field == LOW ? '-' : ' '))
        line->field++;
    else if (line->field == LOW)
        line->low = line->low * 16 + digit(c);
    else if (line->field == HIGH)
        line->high = line->high * 16 + digit(c);
    else if (line->field == INODE)
        line->inode = line->inode * 10 + digit(c);
}

/* No stdio and no malloc: this may be inside of any program's open(). */
static bool find(int maps, uintptr_t address, struct mapping *found) {
    char buffer[1024];
    struct mapping line = {0};
    ssize_t size;
    while ((size = read(maps, buffer, sizeof buffer)) > 0)
        for (ssize_t i = 0; i < size; i++) {
            if (buffer[i] != '\n') {
                follow(&line, buffer[i]);
            } else if (line.low <= address && address < line.high) {
                *found = line;
                return true;
            } else {
                line = (struct mapping){0};
            }
        }
    return false;
}

static bool look(uintptr_t address, struct mapping *found) {
    int maps = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
    if (maps < 0)
        return false;
    bool good = find(maps, address, found);
    close(maps);
    return good;
}

/* The mapping of the image does not change: it is looked for once. Who comes while another looks
 * does without, as does a child that was forked then. */
static bool are_a_files(uintptr_t low, uintptr_t high) {
    enum { UNKNOWN, LOOKING, KNOWN };
    static atomic_int state;
    static struct mapping image;
    int expected = UNKNOWN;
    if (atomic_load(&state) == UNKNOWN &&
        atomic_compare_exchange_strong(&state, &expected, LOOKING))
        atomic_store(&state, look(low, &image) ? KNOWN : UNKNOWN);
    return atomic_load(&state) == KNOWN && image.inode != 0 && image.low <= low &&
           high <= image.high;
}

void oxidize_let_go_pages(uintptr_t low, uintptr_t high) {
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    uintptr_t start = (low + page - 1) & -page;
    uintptr_t end = high & -page;
    int error = errno;
    if (start < end && are_a_files(start, end)) /* refused where memory is locked: then it stays */
        madvise((void *)start, end - start, MADV_DONTNEED);
    errno = error;
}
