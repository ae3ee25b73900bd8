"""What the command lines share."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import tyro

Options = TypeVar("Options")

USER_ERROR = 2  # exit code of bad input
FAILED = 1  # exit code where something did not work out
INTERRUPTED = 130  # exit code after Ctrl-C


def parse(options: Callable[..., Options], description: str, arguments: Sequence[str] | None = None) -> Options:
    """Options from the command line, one flag for each field; leaves with exit code 2 and a hint otherwise."""
    return tyro.cli(options, description=description, args=arguments)


def check_place(path: Path) -> None:
    """Whether a file can be put there, as far as that is known before the work.

    Raises:
        ValueError: its folder does not exist.
    """
    folder = path.resolve().parent
    if not folder.is_dir():
        raise ValueError(f"there is no folder {folder} to write {path.name} into")


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
