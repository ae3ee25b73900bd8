"""Figures of success: the headline, every contender under every condition, and differences of systems."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from evaluation.figures.shares import Results, Share, conditions_of, contenders_of, share_of, system_pairs
from evaluation.figures.style import (
    BETTER,
    FAINT,
    INK,
    WORSE,
    Look,
    looks,
    new_figure,
    percent,
    percent_axis,
    points,
    styled,
    words,
)

_ALL = "all tasks"
_VERDICTS = {"better": "better", "worse": "worse", "same": "the same", "unclear": "cannot tell"}
_MOST_COLUMNS = 3  # panels beside one another


@styled
def headline(results: Results) -> Figure | None:
    """Success of each system: a row for each task, or for each condition where there is one task."""
    systems, tasks = contenders_of(results, "system"), results["tasks"]
    if len(tasks) > 1:
        rows = [(task, task, conditions_of(results, task)[:1]) for task in tasks]
    else:
        rows = [(name, tasks[0], [name]) for name in conditions_of(results, tasks[0])]
    shares = [[share_of(results, name, task, at[0]) if at else None for name in systems] for _, task, at in rows]
    if not any(share for row in shares for share in row):
        return None
    height = 0.85 + len(rows) * ((0.2 if len(rows) < 8 else 0.1) + 0.22 * len(systems))
    figure = Figure(figsize=(6.0, height))
    longest = max(len(label) for label, *_ in rows)
    left = min(0.36, 0.045 + 0.0165 * longest)
    axes = figure.add_axes((left, 0.42 / height, 0.985 - left, 1 - 0.85 / height))
    look = looks(results["contenders"])
    for row, of_row in enumerate(shares):
        for name, share, at in zip(systems, of_row, _spread(len(systems), 0.25), strict=True):
            if share:
                _dot(axes, share, row + at, look[name], size=8)
                axes.text(
                    max(share.high, share.rate + 0.012, *share.seeds) + 0.015,
                    row + at,
                    percent(share.rate),
                    va="center",
                    ha="left",
                    color=look[name].colour,
                    fontweight="bold",
                    fontsize=11,
                )
    axes.set_yticks(range(len(rows)), [words(label) for label, *_ in rows], fontsize=12)
    axes.set_ylim(len(rows) - 0.5, -0.5)
    percent_axis(axes)
    axes.set_xlim(-0.03, 1.2)  # room for the label of 100 % in any font
    axes.set_xticks(np.linspace(0, 1, 5))
    axes.spines[["left", "bottom"]].set_visible(False)
    for row in range(1, len(rows)):
        axes.axhline(row - 0.5, color="#eef1f3", lw=0.8, zorder=0)
    _legend(figure, axes, results, height)
    axes.set_xlabel(_small_print(results, systems), fontsize=8, color=FAINT, loc="right")
    return figure


def _small_print(results: Results, systems: list[str]) -> str:
    seeds = [len(one["seeds"]) for one in results["contenders"] if one["name"] in systems]
    each = f"{min(seeds)}" if min(seeds) == max(seeds) else f"{min(seeds)} to {max(seeds)}"
    trained = "one training seed" if each == "1" else f"strokes: each of {each} training seeds"
    return f"success on layouts {results['layout_seeds']}, unseen in training; bars: 95 % Wilson; {trained}"


def _legend(figure: Figure, axes: Axes, results: Results, height: float) -> None:
    look = {name: one for name, one in looks(results["contenders"]).items() if name in contenders_of(results, "system")}
    kinds = {one["name"]: "one system" if one["system"] == "single" else "two systems" for one in results["contenders"]}
    # With one of each kind the words say which is which; with more they would only take room.
    short = len(look) > 2
    handles = [
        axes.plot([], [], ls="none", label=name if short else f"{name}: {kinds[name]}", **one.marks(8))[0]
        for name, one in look.items()
    ]
    legend = figure.legend(
        handles=handles,
        loc="upper left",
        bbox_to_anchor=(axes.get_position().x0 - 0.02, 1 - 0.04 / height),
        ncols=4,
        fontsize=11,
        handletextpad=0.15,
        columnspacing=1.6,
        borderaxespad=0.0,
    )
    for text, one in zip(legend.get_texts(), look.values(), strict=True):
        text.set_color(one.colour)
        text.set_fontweight("bold")


@styled
def success_by_condition(results: Results, task: str) -> Figure | None:
    """Every contender under every condition of a task: a panel a condition, a row a contender."""
    panels = [(condition, task, condition) for condition in conditions_of(results, task)]
    return _panels_of_dots(results, panels)


@styled
def success_by_task(results: Results, condition: str) -> Figure | None:
    """Every contender on every task under one condition: a panel a task."""
    return _panels_of_dots(results, [(task, task, condition) for task in results["tasks"]])


def _panels_of_dots(results: Results, panels: list[tuple[str, str, str]]) -> Figure | None:
    """Panels of (title, task, condition)."""
    names = contenders_of(results)
    shares = {panel: [share_of(results, name, *panel[1:]) for name in names] for panel in panels}
    panels = [panel for panel in panels if any(shares[panel])]
    names = [name for k, name in enumerate(names) if any(shares[panel][k] for panel in panels)]
    if not panels:
        return None
    look = looks(results["contenders"])
    columns = min(_MOST_COLUMNS, len(panels))
    rows = -(-len(panels) // columns)
    figure = new_figure(0.35 + rows * (0.62 + 0.21 * len(names)))
    grid: np.ndarray = figure.subplots(rows, columns, squeeze=False, sharex=True, sharey=True)
    for axes, panel in zip(grid.flat, panels, strict=False):
        for row, name in enumerate(names):
            share = share_of(results, name, *panel[1:])
            if share:
                _dot(axes, share, row, look[name], size=6.5)
                inside = share.high > 0.72
                x = min(share.low, *share.seeds) - 0.035 if inside else max(share.high, *share.seeds) + 0.035
                axes.text(
                    x, row, percent(share.rate), va="center", ha="right" if inside else "left", fontsize=8, color=FAINT
                )
        axes.set_title(words(panel[0]))
        axes.set_ylim(len(names) - 0.4, -0.6)
        axes.set_yticks(range(len(names)), names)
        percent_axis(axes)
        axes.tick_params(axis="x", labelbottom=True, labelsize=8)
        axes.set_xticks([0, 0.5, 1])
        axes.spines[["left", "bottom"]].set_visible(False)
    for axes in grid[:, 0]:
        for label, name in zip(axes.get_yticklabels(), names, strict=True):
            if name in contenders_of(results, "system"):
                label.set(color=look[name].colour, fontweight="bold")
    for axes in grid.flat[len(panels) :]:
        axes.remove()
    return figure


@styled
def differences(results: Results) -> Figure | None:
    """Differences of systems: a panel a task and a row a condition, or a row a task if there is one condition."""
    pairs = system_pairs(results)
    verdicts = [v for v in results["verdicts"] if (v["a"], v["b"]) in pairs]
    if not verdicts:
        return None
    conditions = [c["name"] for c in results["conditions"] if any(v["condition"] == c["name"] for v in verdicts)]
    tasks = [task for task in [*results["tasks"], None] if any(v["task"] == task for v in verdicts)]
    if len(conditions) == 1:
        panels = [("", [(task or _ALL, task, conditions[0]) for task in tasks])]
    else:
        panels = [(task or _ALL, [(condition, task, condition) for condition in conditions]) for task in tasks]
    columns = min(2, len(panels))
    rows = -(-len(panels) // columns)
    in_panel = len(panels[0][1]) * max(0.3, 0.2 * len(pairs) + 0.08)
    figure = new_figure(0.45 + rows * (0.62 + in_panel))
    grid: np.ndarray = figure.subplots(rows, columns, squeeze=False, sharex=True, sharey=True)
    low = min(-0.1, *(v["low"] for v in verdicts))
    high = max(0.1, *(v["high"] for v in verdicts))
    for axes, (title, of_panel) in zip(grid.flat, panels, strict=False):
        _panel_of_differences(axes, of_panel, verdicts, results)
        axes.set_title(title)
        # The words stand right of the intervals.
        axes.set_xlim(low - 0.05 * (high - low), high + (0.5 if columns == 2 else 0.25) * (high - low))
    for axes in grid.flat[len(panels) :]:
        axes.remove()
    figure.supxlabel("difference of success in points; grey: counts as the same", fontsize=8.5, color=FAINT)
    return figure


def _panel_of_differences(
    axes: Axes, rows: list[tuple[str, str | None, str]], verdicts: list[dict[str, Any]], results: Results
) -> None:
    """Rows of (label, task, condition)."""
    margin, pairs, look = results["same_within"], system_pairs(results), looks(results["contenders"])
    axes.axvspan(-margin, margin, color="#e9edf0", lw=0, zorder=0)
    axes.axvline(0, color=INK, lw=1, zorder=1)
    offsets = dict(zip(pairs, _spread(len(pairs), 0.66 / len(pairs)), strict=True))
    for verdict in verdicts:
        place = [k for k, row in enumerate(rows) if row[1:] == (verdict["task"], verdict["condition"])]
        if not place:
            continue
        pair, kind = (verdict["a"], verdict["b"]), verdict["kind"]
        y = place[0] + offsets[pair]
        colour = {"better": BETTER, "worse": WORSE}.get(kind, FAINT)
        axes.plot([verdict["low"], verdict["high"]], [y, y], color=colour, lw=2, solid_capstyle="round")
        face = colour if kind in ("better", "worse") else "white"
        axes.plot(verdict["value"], y, **look[pair[0]].marks(6.5) | {"color": colour, "mec": colour, "mfc": face})
        said = f"{points(verdict['value'])}, {_VERDICTS[kind]}"
        axes.annotate(
            said if len(pairs) == 1 else f"{pair[0]}: {said}",
            (max(verdict["high"], margin), y),
            xytext=(5, 0),
            textcoords="offset points",
            fontsize=8,
            color=colour,
            va="center",
        )
    axes.set_yticks(range(len(rows)), [words(label) for label, *_ in rows])
    axes.set_ylim(len(rows) - 0.45, -0.55)
    axes.xaxis.set_major_formatter(lambda x, _: "" if x > 1 else points(x))
    axes.tick_params(axis="x", labelbottom=True)
    axes.grid(axis="x")
    axes.spines[["left", "bottom"]].set_visible(False)


def _dot(axes: Axes, share: Share, y: float, look: Look, size: float) -> None:
    """Mean and interval; beneath them a small mark for each training seed."""
    axes.plot([share.low, share.high], [y, y], color=look.colour, lw=0.28 * size, solid_capstyle="round", zorder=2)
    if len(share.seeds) > 1:
        axes.plot(share.seeds, [y] * len(share.seeds), ls="none", marker="|", ms=0.9 * size, color=look.colour, mew=0.9)
    axes.plot(share.rate, y, zorder=3, **look.marks(size))


def _spread(n: int, step: float) -> list[float]:
    """Offsets of n things about one row."""
    return [step * (k - (n - 1) / 2) for k in range(n)]
