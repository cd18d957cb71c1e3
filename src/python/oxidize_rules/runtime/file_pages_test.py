"""Letting go of pages: those of a file come again, memory without a file keeps its content."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from oxidize_rules.runtime.runtime_test import compiler

RUNTIME = Path(__file__).parent
# Maps a file whose path is long, or memory with the same content; lets pages of it go, and prints
# how much of it was resident before and behind (pages), and whether its content is as before.
MAIN = r"""
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include "file_pages.h"

#define SIZE (64UL * 4096)

/* What /proc/self/smaps has as Rss of the mapping that starts there, in pages. */
static long resident(const void *start) {
    char line[8192], wanted[32];
    int ours = 0;
    long size = -1;
    FILE *file = fopen("/proc/self/smaps", "r");
    snprintf(wanted, sizeof wanted, "%lx-", (unsigned long)start);
    while (file && fgets(line, sizeof line, file)) {
        if (strncmp(line, wanted, strlen(wanted)) == 0)
            ours = 1;
        if (ours && sscanf(line, "Rss: %ld kB", &size) == 1)
            break;
    }
    if (file)
        fclose(file);
    return size / 4;
}

int main(int count, char **arguments) {
    int anonymous = strcmp(arguments[1], "anonymous") == 0;
    int descriptor = open(arguments[2], O_RDONLY);
    uint8_t *at = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (count != 5 || descriptor < 0 || at == MAP_FAILED)
        return 2;
    if (!anonymous)
        at = mmap(at, SIZE, PROT_READ, MAP_PRIVATE | MAP_FIXED, descriptor, 0);
    else if (read(descriptor, at, SIZE) != (ssize_t)SIZE || mprotect(at, SIZE, PROT_READ))
        return 2;
    static uint8_t copy[SIZE];
    memcpy(copy, at, SIZE);
    long before = resident(at);
    errno = ERANGE;
    uintptr_t first = (uintptr_t)at;
    for (int i = 0; i < 2; i++)
        oxidize_let_go_pages(first + atol(arguments[3]), first + atol(arguments[4]));
    int kept = errno == ERANGE;
    long behind = resident(at);
    printf("%ld %ld %s\n", before, behind, kept && memcmp(at, copy, SIZE) == 0 ? "same" : "lost");
    return 0;
}
"""
PAGE = 4096


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("file_pages")
    (folder / "main.c").write_text(MAIN)
    command = [*compiler(), "-std=c11", "-Wall", "-Wextra", "-Werror", "-I", str(RUNTIME)]
    sources = [str(folder / "main.c"), str(RUNTIME / "file_pages.c")]
    subprocess.run([*command, "-o", str(folder / "main"), *sources], check=True)
    return folder / "main"


def let_go(program: Path, kind: str, low: int, high: int) -> str:
    # Longer than what is read of the list of mappings at once, and with what is in its lines.
    folder = program.parent.joinpath(*(f"{number} 0-f {'x' * 200}" for number in range(8)))
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "content"
    file.write_bytes(b"".join(bytes([number + 1]) * PAGE for number in range(64)))
    done = subprocess.run(
        [str(program), kind, str(file), str(low), str(high)],
        check=True,
        capture_output=True,
        text=True,
    )
    return done.stdout.strip()


def test_pages_of_a_file_go_and_come_again(program: Path) -> None:
    before, behind, content = let_go(program, "file", 0, 64 * PAGE).split()
    assert (before, behind, content) == ("64", "0", "same")


def test_only_whole_pages(program: Path) -> None:
    assert let_go(program, "file", PAGE - 1, 3 * PAGE + 1) == "64 62 same"
    assert let_go(program, "file", 1, PAGE + 1) == "64 64 same"


def test_memory_without_a_file_stays(program: Path) -> None:
    """As a packer's: the kernel would give zeros for it."""
    assert let_go(program, "anonymous", 0, 64 * PAGE) == "64 64 same"


def test_beyond_the_mapping(program: Path) -> None:
    assert let_go(program, "file", 0, 65 * PAGE) == "64 64 same"
