/* Which folder of the image the process stands in: the one thing about files that it has to
 * remember, because the kernel knows no such folder. vfs_cwd.c has the calls.
 *
 * A child of vfork() shares this memory until it runs its program; what it wants to remember would
 * be remembered by its parent. It is told from the process itself by its number. */
#define _GNU_SOURCE
#include <pthread.h>
#include <unistd.h>

#include "image_access.h"
#include "vfs.h"

static pid_t owner;
static pid_t gone; /* a child of vfork() that went to a folder on disk */
static uint32_t standing = OXIDIZE_NONE;

static void renew_owner(void) { owner = getpid(); }

void oxidize_note_process(void) {
    renew_owner();
    pthread_atfork(NULL, NULL, renew_owner);
}

uint32_t oxidize_working_folder(void) {
    uint32_t node = __atomic_load_n(&standing, __ATOMIC_RELAXED);
    return node == OXIDIZE_NONE || (gone && gone == getpid()) ? OXIDIZE_NONE : node;
}

bool oxidize_stand_in(uint32_t node) {
    if (getpid() != owner)
        return false;
    __atomic_store_n(&standing, node, __ATOMIC_RELAXED);
    return true;
}

void oxidize_stand_on_disk(void) {
    if (oxidize_working_folder() != OXIDIZE_NONE && !oxidize_stand_in(OXIDIZE_NONE))
        gone = getpid();
}
