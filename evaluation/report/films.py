"""The films of a report: side by side where they show the same layouts, in the page if they are small enough."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from evaluation.figures.style import words
from evaluation.report.folder import Film

_EMBEDDED = 25_000_000  # (bytes) of all films together; more are linked


@dataclass(frozen=True)
class Player:
    """A film in the page."""

    source: str
    """An address of the film, or the film itself."""
    caption: str


@dataclass(frozen=True)
class Group:
    """Films of the same episodes."""

    title: str
    films: tuple[Player, ...]


def groups_of(films: Sequence[Film], folder: Path) -> tuple[list[Group], str]:
    """The films, in groups of the same task, condition and layouts.

    Returns:
        The groups, and a sentence on what is missing, or nothing.
    """
    if not films:
        return [], "There are no films in videos/; record.py makes them from a comparison."
    sizes = sum(film.path.stat().st_size for film in films)
    embedded = sizes <= _EMBEDDED
    groups: dict[str, list[Player]] = {}
    for film in films:
        if embedded:
            source = "data:video/mp4;base64," + base64.b64encode(film.path.read_bytes()).decode()
        else:
            source = quote(str(film.path.relative_to(folder)))
        groups.setdefault(_title(film), []).append(Player(source, _caption(film)))
    gap = ""
    if not embedded:
        gap = (
            f"The films are {sizes / 1e6:.0f} MB together, too much for one page: they are linked, and play as long as "
            "the folder videos/ lies beside this file."
        )
    return [Group(title, tuple(players)) for title, players in groups.items()], gap


def _title(film: Film) -> str:
    """What its episodes have in common."""
    if not film.shots:
        return film.path.stem
    places = _distinct(f"{shot.get('task')}, {words(str(shot.get('condition')))}" for shot in film.shots)
    layouts = _distinct(str(shot.get("layout_seed")) for shot in film.shots)
    return f"{'; '.join(places)}: layout{'s' if len(layouts) > 1 else ''} {', '.join(layouts)}"


def _caption(film: Film) -> str:
    """Who is seen, and how it ends."""
    if not film.shots:
        return f"{film.path.name}: it has no {film.path.name}.json beside it, so which episodes it shows is not known"
    whose: dict[str, list[dict[str, Any]]] = {}
    for shot in film.shots:
        seed = shot.get("seed")
        whose.setdefault(f"{shot.get('contender')}{'' if seed is None else f', seed {seed}'}", []).append(shot)
    several = any(len(shots) > 1 for shots in whose.values())
    told = []
    for who, shots in whose.items():
        ends = (
            (f"layout {shot.get('layout_seed')} " if several else "")
            + ("solved" if shot.get("success") else "not solved")
            for shot in shots
        )
        told.append(f"{who}: {', '.join(ends)}")
    return "; ".join(told)


def _distinct(values: Any) -> list[str]:
    return list(dict.fromkeys(values))
