"""Looking things up by name, with an error that helps."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class UnknownName(ValueError):
    """A name that is not among the known ones; the message holds the nearest and the list."""


def check_name(kind: str, name: str, known: Iterable[str]) -> str:
    """Return `name` if it is known.

    Raises:
        UnknownName: it is not.
    """
    names = list(known)
    if name in names:
        return name
    lowered = {option.lower(): option for option in names}
    nearest = difflib.get_close_matches(str(name).lower(), lowered, n=1, cutoff=0.5)
    hint = f"did you mean {lowered[nearest[0]]!r}? " if nearest else ""
    raise UnknownName(f"no {kind} {name!r}; {hint}known: {', '.join(names)}")
