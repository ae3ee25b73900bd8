"""Films for a comparison: its systems side by side, on one layout and in step."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from evaluation.archive import VIDEOS
from evaluation.comparison import Comparison
from evaluation.conditions import Condition
from evaluation.film.layout import Size
from evaluation.film.picks import Archive, Columns
from evaluation.film.shots import Pick, shots_of
from evaluation.film.video import Style, film

_SIZE: Size = (540, 960)  # (px) height and width: a film in a page
_TELLING = 2  # layouts of a film


def write_films(
    comparison: Comparison,
    columns: Columns,
    folder: Path,
    conditions: Sequence[str] = ("undisturbed",),
    layouts: int = _TELLING,
    speed: float = 1.0,
) -> list[Path]:
    """Film the first two systems of a comparison side by side, on layouts where they differ if there are some.

    Args:
        comparison: whose systems are filmed.
        columns: its episodes, as `evaluation.archive.read_episodes` returns them.
        folder: of the comparison; the films go into its folder `videos`, one for each task and condition.
        conditions: names of those to film, where a task has them.
        layouts: how many a film shows.
        speed: 1 is real time.

    Returns:
        The films.

    Raises:
        RenderingUnavailable: nothing here can draw.
        OutcomeDiffers: an episode did not end as it was counted.
        OSError: a file cannot be written.
    """
    archive = Archive(comparison, columns)
    contenders, counted = archive.contenders(()), archive.counted()
    (folder / VIDEOS).mkdir(exist_ok=True)
    paths = []
    for task in comparison.tasks:
        for condition in comparison.conditions[task]:
            if condition.name not in conditions:
                continue
            picks = telling(columns, [one.name for one in contenders], condition, task, layouts)
            if not picks:
                continue
            path = folder / VIDEOS / (re.sub(r"[^\w.]+", "-", f"{task}-{condition.name}") + ".mp4")
            film(shots_of(contenders, picks, condition, counted), path, Style(size=_SIZE, speed=speed))
            paths.append(path)
    return paths


def telling(
    columns: Columns, names: Sequence[str], condition: Condition, task: str, count: int = _TELLING
) -> list[Pick]:
    """Layouts that say most about how contenders differ: first those that only some of them solve.

    Episodes of each contender's first training count. A layout that one of them did not meet is left out.
    """
    ends: dict[int, dict[str, bool]] = {}
    firsts: dict[str, int] = {}
    rows = (columns["condition"] == condition.name) & (columns["task"] == task)
    table = (columns[name][rows].tolist() for name in ("contender", "seed", "layout_seed", "success"))
    for name, seed, layout_seed, success in sorted(zip(*table, strict=True)):
        if name in names and firsts.setdefault(name, seed) == seed:
            ends.setdefault(layout_seed, {})[name] = success
    met = {layout_seed: found for layout_seed, found in ends.items() if len(found) == len(names)}
    order = sorted(met, key=lambda layout_seed: (len(set(met[layout_seed].values())) == 1, layout_seed))
    return [Pick(task, layout_seed) for layout_seed in order[:count]]
