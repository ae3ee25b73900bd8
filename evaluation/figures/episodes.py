"""Figures of what happened in episodes: stages reached, time to success, and who is to blame for failures."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from evaluation.figures.shares import Results, cells_of, contenders_of
from evaluation.figures.style import FAINT, INK, ink_on, looks, new_figure, percent, styled, words

# Of blame: field of the results, words, colour, hatching for black-and-white print.
BLAMED = (
    ("system1", "System 1", "#56B4E9", ""),
    ("system2", "System 2", "#E69F00", "///"),
    ("interface", "what passes between them", "#CC79A7", "xxx"),
    ("neither_alone", "neither alone", "#c5ccd3", ""),
)


@styled
def funnel(results: Results, task: str, condition: str) -> Figure | None:
    """Share of episodes that reached each stage of a task: a panel a contender, a bar a stage."""
    reached: dict[str, dict[str, float]] = {}
    for name in contenders_of(results):
        cells = cells_of(results, name, task, condition)
        episodes = sum(cell["episodes"] for cell in cells)
        if episodes and cells[0]["stage_counts"]:
            stages = cells[0]["stage_counts"]
            reached[name] = {s: sum(cell["stage_counts"][s] for cell in cells) / episodes for s in stages}
    if not reached:
        return None
    stages, systems = next(iter(reached.values())), contenders_of(results, "system")
    columns = min(4, len(reached))
    rows = -(-len(reached) // columns)
    figure = new_figure(0.3 + rows * (0.4 + 0.2 * len(stages)))
    grid: np.ndarray = figure.subplots(rows, columns, squeeze=False, sharex=True, sharey=True)
    look = looks(results["contenders"])
    for axes, (name, shares) in zip(grid.flat, reached.items(), strict=False):
        for row, share in enumerate(shares.values()):
            axes.barh(row, 1, height=0.72, color="#f1f3f5", zorder=0)
            axes.barh(row, share, height=0.72, color=look[name].colour, lw=0)
            inside = share > 0.45
            axes.text(
                share - 0.03 if inside else share + 0.03,
                row,
                percent(share),
                va="center",
                ha="right" if inside else "left",
                fontsize=7.5,
                color=ink_on(look[name].colour) if inside else INK,
            )
        axes.set_title(name, fontsize=8.5, fontweight="bold" if name in systems else "normal")
        axes.set_yticks(range(len(stages)), [words(stage) for stage in stages], fontsize=8.5)
        axes.set_ylim(len(stages) - 0.45, -0.55)
        axes.set_xlim(0, 1)
        axes.set_xticks([])
        axes.spines[["left", "bottom"]].set_visible(False)
    for axes in grid.flat[len(reached) :]:
        axes.remove()
    return figure


@styled
def time_to_success(
    results: Results, episodes: Mapping[str, np.ndarray], condition: str, tasks: list[str]
) -> Figure | None:
    """Share of episodes solved by each moment, a panel a task; what was not solved within the limit never is.

    Args:
        results: of the comparison.
        episodes: columns `contender`, `task`, `condition`, `success` and `seconds`, each (episodes,); seconds of a
            success count from the episode's beginning.
        condition: of the episodes to draw.
        tasks: a panel each.
    """
    of_condition = np.asarray(episodes["condition"]) == condition
    tasks = [task for task in tasks if (of_condition & (episodes["task"] == task)).any()]
    if not tasks:
        return None
    columns = min(2, len(tasks))
    rows = -(-len(tasks) // columns)
    figure = new_figure(0.25 + 2.75 * rows)
    grid: np.ndarray = figure.subplots(rows, columns, squeeze=False, sharey=True)
    for axes, task in zip(grid.flat, tasks, strict=False):
        _solved_by(axes, results, episodes, of_condition & (episodes["task"] == task), task, condition)
    for axes in grid.flat[len(tasks) :]:
        axes.remove()
    return figure


def _solved_by(
    axes: Axes, results: Results, episodes: Mapping[str, np.ndarray], here: np.ndarray, task: str, condition: str
) -> None:
    look, systems = looks(results["contenders"]), contenders_of(results, "system")
    ends = []
    limit = 0.0
    for name in contenders_of(results):
        mine = here & (episodes["contender"] == name)
        if not mine.any():
            continue
        limit = max(limit, *(cell["limit"] for cell in cells_of(results, name, task, condition)))
        # All episodes are censored at the one limit, so that Kaplan and Meier's estimate is the share itself.
        seconds = np.sort(episodes["seconds"][mine & episodes["success"].astype(bool)])
        shares = np.arange(1, len(seconds) + 1) / mine.sum()
        x, y = (
            np.concatenate([[0], seconds, [limit]]),
            np.concatenate([[0], shares, [shares[-1] if len(shares) else 0]]),
        )
        thick = name in systems
        axes.step(x, y, where="post", color=look[name].colour, lw=2.4 if thick else 1.1, zorder=3 if thick else 2,
                  ls="-" if look[name].filled else (0, (4, 1.5)))  # fmt: skip
        ends.append((limit, float(y[-1]), name))
    axes.set_xlim(0, limit)
    axes.set_ylim(-0.02, 1.03)
    axes.yaxis.set_major_formatter(lambda value, _: f"{100 * value:.0f} %")
    axes.grid(axis="y")
    axes.set_title(task)
    axes.set_xlabel("solved within so many seconds", fontsize=8.5, color=FAINT)
    label_ends(axes, ends, {name: one.colour for name, one in look.items()}, set(systems), inches=2.1)


def label_ends(
    axes: Axes, ends: list[tuple[float, float, str]], colours: Mapping[str, str], bold: set[str], inches: float
) -> None:
    """Write names beside the right ends of lines, pushed apart where they would overlap.

    Args:
        axes: with their final limits.
        ends: x, y and name of each line.
        colours: of each name.
        bold: names to print bold.
        inches: height of the axes.
    """
    (left, right), (low, high) = axes.get_xlim(), axes.get_ylim()
    step = 0.145 / inches * (high - low)
    ends = sorted(ends, key=lambda end: -end[1])
    places: list[float] = []
    for _, y, _ in ends:
        places.append(min(y, places[-1] - step) if places else y)
    floor = low + step / 2
    for k in reversed(range(len(places))):  # what was pushed below the axes comes up again, with what it meets
        places[k], floor = max(places[k], floor), max(places[k], floor) + step
    for place, (x, y, name) in zip(places, ends, strict=True):
        axes.annotate(
            name,
            (x, y),
            xytext=(right + 0.03 * (right - left), place),
            fontsize=8,
            color=colours[name],
            va="center",
            annotation_clip=False,
            fontweight="bold" if name in bold else "normal",
        )


@styled
def blame(results: Results) -> Figure | None:
    """What the failures of the dual system are put down to, a bar for each task and condition, in episodes."""
    rows = [row for row in results["blame"] if row["failures"]]
    if not rows:
        return None
    figure = new_figure(0.75 + 0.32 * len(rows))
    axes = figure.subplots()
    most = max(row["failures"] for row in rows)
    for y, row in enumerate(rows):
        left = 0
        for field, _, colour, hatch in BLAMED:
            count = row[field]
            axes.barh(y, count, left=left, height=0.66, color=colour, hatch=hatch, edgecolor="white", lw=0.8)
            if count >= 0.035 * most:
                axes.text(left + count / 2, y, str(count), ha="center", va="center", fontsize=8.5, color=INK,
                          bbox={"boxstyle": "round,pad=0.15", "fc": "white", "ec": "none", "alpha": 0.85})  # fmt: skip
            left += count
        axes.text(left + 0.01 * most, y, f" {row['failures']} failed", va="center", fontsize=8, color=FAINT)
    several = len({row["task"] for row in rows}) > 1
    axes.set_yticks(
        range(len(rows)), [words(f"{row['task']}, {row['condition']}" if several else row["condition"]) for row in rows]
    )
    axes.set_ylim(len(rows) - 0.45, -0.55)
    axes.set_xlim(0, 1.16 * most)
    axes.set_xticks([])
    axes.spines[["left", "bottom"]].set_visible(False)
    handles = [axes.barh(0, 0, color=colour, hatch=hatch, edgecolor="white", label=whom)
               for _, whom, colour, hatch in BLAMED]  # fmt: skip
    figure.legend(handles=handles, loc="outside upper left", ncols=4, fontsize=8.5, handlelength=1.4, columnspacing=1.4)
    return figure
