"""What the command lines share."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Any, NoReturn, TypeVar

import tyro

Options = TypeVar("Options")

USER_ERROR = 2  # exit code of bad input
FAILED = 1  # exit code where something did not work out
INTERRUPTED = 130  # exit code after Ctrl-C


def parse(options: Callable[..., Options], description: str, arguments: Sequence[str] | None = None) -> Options:
    """Options from the command line, one flag for each field; leaves with exit code 2 and a hint otherwise."""
    return tyro.cli(options, description=description, args=arguments)


def run_command(main: Callable[[], int]) -> NoReturn:
    """Run a command and leave with its exit code; Ctrl-C is no error to show a traceback for."""
    try:
        code = main()
    except KeyboardInterrupt:
        print("Stopped.", file=sys.stderr)
        code = INTERRUPTED
    sys.exit(code)


def fail(message: Any, code: int = USER_ERROR) -> int:
    """Say in one sentence what was wrong; returns the exit code."""
    print(f"error: {message}", file=sys.stderr, flush=True)
    return code
