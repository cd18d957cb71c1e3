"""Objects of `__main__` that go to child processes and back: `-m imports_app.pickled METHOD`."""

import multiprocessing
import pickle
import sys
from dataclasses import dataclass


@dataclass
class Local:
    """Defined in `__main__` here, and in `__mp_main__` in a spawned child."""

    value: int


def double(one: Local) -> Local:
    return Local(one.value * 2)


def main() -> None:
    print(pickle.loads(pickle.dumps(Local(1))), Local.__module__)
    with multiprocessing.get_context(sys.argv[1]).Pool(1) as pool:
        print(pool.map_async(double, [Local(3)]).get(60))


if __name__ == "__main__":
    main()
