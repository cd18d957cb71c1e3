"""multiprocessing in every start method, and memory under threads and forks. Run by the binary."""

# ruff: noqa: PT009 (unittest is what the standard library in the image offers)

from __future__ import annotations

import multiprocessing
import os
import sys
import threading
import unittest
from multiprocessing import shared_memory


def square(number: int) -> int:
    return number * number


def child_facts(_: int) -> tuple[str, str]:
    return type(sys.meta_path[0]).__module__, sys.executable


def work_with_memory(seed: int) -> int:
    """Allocations of mixed sizes; returns a number that tells whether they were kept apart."""
    blocks: list[bytearray] = []
    state, total = seed, 0
    for _ in range(4000):
        state = (state * 1103515245 + 12345) & 0x7FFFFFFF
        if len(blocks) > 50:
            block = blocks.pop(state % len(blocks))
            assert block == block[:1] * len(block)
            total += len(block)
        blocks.append(bytearray([state & 0xFF]) * (1 + state % (1 << (state % 17))))
    return total


class Processes(unittest.TestCase):
    def pool(self, method: str) -> None:
        context = multiprocessing.get_context(method)
        with context.Pool(2) as pool:
            self.assertEqual(pool.map(square, range(20)), [n * n for n in range(20)])
            for facts in pool.map(child_facts, range(2)):
                self.assertEqual(facts, ("_oxidized", sys.executable))

    def test_fork(self) -> None:
        self.pool("fork")

    def test_spawn(self) -> None:
        self.pool("spawn")

    def test_forkserver(self) -> None:
        self.pool("forkserver")

    def test_shared_memory(self) -> None:
        memory = shared_memory.SharedMemory(create=True, size=100)
        memory.buf[:5] = b"hello"
        other = shared_memory.SharedMemory(memory.name)
        self.assertEqual(bytes(other.buf[:5]), b"hello")
        other.close()
        memory.close()
        memory.unlink()

    def test_threads_allocate_while_others_fork(self) -> None:
        expected = [work_with_memory(seed) for seed in range(4)]
        stop = threading.Event()
        wrong: list[object] = []

        def allocate(seed: int) -> None:
            while not stop.is_set():
                if work_with_memory(seed) != expected[seed]:
                    wrong.append(seed)

        threads = [threading.Thread(target=allocate, args=(seed,)) for seed in range(4)]
        for thread in threads:
            thread.start()
        try:
            for _ in range(40):
                pid = os.fork()
                if pid == 0:
                    os._exit(0 if work_with_memory(1) == expected[1] else 1)
                self.assertEqual(os.waitpid(pid, 0)[1], 0)
        finally:
            stop.set()
            for thread in threads:
                thread.join()
        self.assertEqual(wrong, [])


if __name__ == "__main__":
    unittest.main()
