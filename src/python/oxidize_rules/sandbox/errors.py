"""How a sandbox program tells a user that something is wrong with what they wrote.

A program raises `UserError`; `run` prints the message alone, without a traceback, and exits with
`EXIT_USER_ERROR`. The rule that started the program puts the target's address before it (see
`util_rules/sandbox_program.py`). Any other exception is a defect of ours and keeps its traceback.
"""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:  # `typing` itself is not imported: it takes 5 ms
    from typing import Callable

EXIT_USER_ERROR = 2


class UserError(Exception):
    """Something the user can mend. The message says what was found, expected, and what to do."""


def run(main: Callable[[list[str]], None]) -> None:
    """Runs `main` with the command line's arguments and exits with its outcome."""
    try:
        main(sys.argv[1:])
    except UserError as error:
        print(error, file=sys.stderr)
        sys.exit(EXIT_USER_ERROR)
