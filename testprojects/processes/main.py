"""What programs do with processes, all of it defined in `__main__`; prints one line for each.

Argument: the start method of multiprocessing; none: that of this Python; "cleared": spawn, in an
empty environment.
"""

from __future__ import annotations

import multiprocessing
import os
import pickle
import signal
import sys
import threading
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing import shared_memory
from typing import Any

STATE = {"value": 0}


@dataclass
class Point:
    """Its pickle says `__main__.Point`, in a spawned child, too."""

    x: int
    y: int

    def moved(self) -> Point:
        return Point(self.x + 1, self.y + 1)


class OwnError(Exception):
    pass


def move(point: Point) -> Point:
    return point.moved()


def fail(text: str) -> None:
    raise OwnError(text)


def start_worker(value: int) -> None:
    STATE["value"] = value


def get_state(_: int) -> int:
    return STATE["value"]


def write_shared(name: str, text: bytes) -> None:
    memory = shared_memory.SharedMemory(name)
    memory.buf[: len(text)] = text
    memory.close()


def add(queue: Any, lock: Any, total: Any, number: int) -> None:
    with lock:
        total.value += number
    queue.put((number, os.getpid()))


def end(code: int) -> None:
    sys.exit(code)


def killed() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def pool_of_pool(number: int) -> int:
    with ProcessPoolExecutor(1) as pool:
        return pool.submit(pow, number, 2).result()


def check_pool(context: Any) -> object:
    with context.Pool(2, start_worker, (7,)) as pool:
        points = pool.map(move, [Point(n, n) for n in range(3)])
        states = set(pool.map(get_state, range(4)))
        try:
            pool.apply(fail, ("told",))
        except OwnError as error:
            return points, states, repr(error)
    return None


def check_executor(context: Any) -> object:
    with ProcessPoolExecutor(2, mp_context=context) as pool:
        nested = list(pool.map(pool_of_pool, range(4)))
    broken = ProcessPoolExecutor(1, mp_context=context)
    try:
        broken.submit(killed).result()
    except BrokenProcessPool:
        return nested, "broken"
    finally:
        broken.shutdown()
    return nested


def check_queue(context: Any) -> object:
    queue, lock, total = context.Queue(), context.Lock(), context.Value("i", 0, lock=False)
    children = [context.Process(target=add, args=(queue, lock, total, n)) for n in range(4)]
    for child in children:
        child.start()
    numbers = sorted(queue.get(timeout=60) for _ in children)
    for child in children:
        child.join()
    others = all(pid != os.getpid() for _, pid in numbers)
    return [n for n, _ in numbers], others, total.value


def check_shared_memory(context: Any) -> object:
    memory = shared_memory.SharedMemory(create=True, size=64)
    child = context.Process(target=write_shared, args=(memory.name, b"from the child"))
    child.start()
    child.join()
    text = bytes(memory.buf[:14])
    memory.close()
    memory.unlink()
    return child.exitcode, text


def check_manager(context: Any) -> object:
    with context.Manager() as manager:
        shared = manager.dict()
        child = context.Process(target=shared.update, args=({"a": 1},))
        child.start()
        child.join()
        return dict(shared)


def check_exit_codes(context: Any) -> object:
    codes = []
    for target, arguments in ((end, (3,)), (end, ("text",)), (fail, ("seen",)), (killed, ())):
        child = context.Process(target=target, args=arguments)
        child.start()
        child.join()
        codes.append(child.exitcode)
    return codes


def check_threads(context: Any) -> object:
    """Children that are started by several threads at once."""
    results: list[Any] = []

    def work(number: int) -> None:
        with context.Pool(1) as pool:
            results.append(pool.apply(abs, (-number,)))

    threads = [threading.Thread(target=work, args=(n,)) for n in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sorted(results)


def check_pickle(_: Any) -> object:
    return pickle.loads(pickle.dumps(Point(1, 2))), Point.__module__


def leak() -> None:
    """Ends without unlinking: the resource tracker has to do it, and to say so."""
    memory = shared_memory.SharedMemory(create=True, size=16)
    print(memory.name, flush=True)
    os._exit(0)


def main(method: str | None) -> None:
    if method == "leak":
        leak()
    if method == "cleared":
        os.environ.clear()
        method = "spawn"
    context = multiprocessing.get_context(method)
    print("method:", context.get_start_method())
    for name, check in list(globals().items()):
        if name.startswith("check_"):
            print(f"{name[6:]}:", check(context), flush=True)


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else None)
