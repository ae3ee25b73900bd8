"""The phase diagram: where, over lateness and errors of System 2, two systems are better than one."""

from __future__ import annotations

from dataclasses import dataclass

import matplotlib.patheffects as effects
import numpy as np
from contourpy import contour_generator
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from evaluation.figures.style import BETTER, FAINT, WIDTH, WORSE, ink_on, new_figure, percent, styled

_LETTERS = 11.0  # (points) size of the words on it
_FINE = 40  # points that a cell is drawn with when the contour is sought
# On one line, or where that does not fit, on two.
_TWO = ("two systems are better here", "two systems\nare better here")
_ONE = ("one system is better here", "one system\nis better here")


@dataclass(frozen=True)
class Phase:
    """Success over two things that spoil a planner."""

    latencies: tuple[float, ...]
    """(s) of System 2's answers, rising."""
    wrong: tuple[float, ...]
    """Share of plans that are wrong, rising."""
    success: np.ndarray
    """(wrong, latencies) of the dual system, in [0, 1]."""
    single: float | None
    """Success of the single system, which neither touches."""

    @property
    def sentence(self) -> str:
        """What the diagram says, in words."""
        if self.single is None:
            return "No single system was evaluated, so there is no contour: the diagram shows the dual system alone."
        level, best, worst = self.single, float(self.success.max()), float(self.success.min())
        if worst > level:
            return f"Two systems are better everywhere here: one system solves {percent(level)}, below all cells."
        if best < level:
            return f"One system is better everywhere here: it solves {percent(level)}, above all cells."
        if worst == level or best == level:
            sign = "least" if worst == level else "most"
            return f"One system solves {percent(level)}; two systems solve at {sign} that everywhere here."
        ahead = int((self.success > level).sum())
        return (
            f"One system solves {percent(level)}, whatever System 2 does. Two systems solve more than that in {ahead} "
            f"of the {self.success.size} cells: on the bright side of the line."
        )


@styled
def phase_diagram(phase: Phase, where: str) -> Figure:
    """Success of the dual system as a heat map, and the single system's level as a contour on it.

    Args:
        phase: what is drawn.
        where: task and condition, for the title.
    """
    rows, columns = phase.success.shape
    figure = new_figure(1.2 + 0.78 * rows)
    axes = figure.subplots()
    axes.set_title(f"{where}: success when System 2 is late or wrong", fontsize=12.5, pad=9)
    image = axes.imshow(phase.success, cmap="viridis", vmin=0.0, vmax=1.0, origin="lower", aspect="auto")
    for edge in range(1, columns):
        axes.axvline(edge - 0.5, color="white", lw=1.2)
    for edge in range(1, rows):
        axes.axhline(edge - 0.5, color="white", lw=1.2)
    axes.set_xticks(range(columns), [f"{latency:g} s" for latency in phase.latencies], fontsize=12)
    axes.set_yticks(range(rows), [percent(share, 1 if 1000 * share % 10 else 0) for share in phase.wrong], fontsize=12)
    axes.set_xlabel("how late System 2 answers", fontsize=12)
    axes.set_ylabel("how many of its plans are wrong", fontsize=12)
    axes.spines[:].set_visible(False)
    bar = figure.colorbar(image, ax=axes, aspect=34, pad=0.02)
    bar.outline.set_visible(False)
    bar.ax.yaxis.set_major_formatter(lambda value, _: f"{100 * value:.0f} %")
    bar.ax.tick_params(labelsize=10, colors=FAINT)
    bar.set_label("success of two systems", fontsize=10, color=FAINT)
    lines: list[np.ndarray] = []
    if phase.single is not None:
        bar.ax.axhline(phase.single, color="black", lw=3)
        lines = _draw_level(axes, phase.success, phase.single)
        if not lines:
            axes.set_title(
                f"{axes.get_title(loc='left')}\none system solves {percent(phase.single)}", fontsize=12.5, pad=9
            )
    for (row, column), value in np.ndenumerate(phase.success):
        ground = image.to_rgba(value)
        number = axes.text(column, row, percent(float(value)), ha="center", va="center", fontsize=13, zorder=5)
        number.set_color(ink_on(ground[:3]))
        if any((np.abs(line - (column, row)) < (0.4, 0.25)).all(axis=1).any() for line in lines):
            number.set_path_effects([effects.withStroke(linewidth=3, foreground=ground)])  # the line stays behind it
    return figure


def _draw_level(axes: Axes, success: np.ndarray, level: float) -> list[np.ndarray]:
    """Draw the contour with its label, and the names of the regions that it parts; returns its lines (n, 2)."""
    x, y, fine = _fine(success)
    lines = [_smooth(np.asarray(line)) for line in contour_generator(x, y, fine).lines(level)]
    for line in lines:
        axes.plot(*line.T, color="black", lw=4, zorder=4, path_effects=[
            effects.withStroke(linewidth=7, foreground="white")])  # fmt: skip
    label = None
    if lines:
        label = _label_line(axes, max(lines, key=len), success.shape, f"single: {percent(level)}")
    for forms, colour, margin in ((_TWO, BETTER, fine - level), (_ONE, WORSE, level - fine)):
        places = ((words, _place(margin, success.shape, words, label)) for words in forms)
        words, place = next((found for found in places if found[1]), ("", None))
        if place:
            _sign(axes, place, words, colour)
    return lines


def _smooth(line: np.ndarray) -> np.ndarray:
    """A polyline (n, 2) with its corners rounded, within a sixth of a cell of where it was; its ends stay."""
    window = min(_FINE // 3, (len(line) - 1) // 2) // 2
    if window < 1:
        return line
    padded = np.concatenate([np.repeat(line[:1], window, 0), line, np.repeat(line[-1:], window, 0)])
    kernel = np.full(2 * window + 1, 1 / (2 * window + 1))
    smooth = np.stack([np.convolve(padded[:, k], kernel, mode="valid") for k in range(2)], axis=1)
    smooth[[0, -1]] = line[[0, -1]]
    return smooth


def _sign(axes: Axes, place: tuple[float, float], words: str, colour: str) -> None:
    axes.text(*place, words, ha="center", va="center", fontsize=_LETTERS, fontweight="bold", color="white", zorder=7,
              bbox={"boxstyle": "round,pad=0.32", "fc": colour, "ec": "white", "lw": 1.2})  # fmt: skip


def _label_line(axes: Axes, line: np.ndarray, shape: tuple[int, ...], words: str) -> tuple[float, float, float]:
    """Write on the line, where it is farthest from the numbers in the cells; returns where, and half its width."""
    rows, columns = shape
    margin = _half_width(words, columns)
    inside = (line[:, 0] > margin - 0.5) & (line[:, 0] < columns - 0.5 - margin)
    inside &= (line[:, 1] > -0.3) & (line[:, 1] < rows - 0.7)
    points = line[inside] if inside.any() else line
    between_rows = np.abs(points[:, 1] - np.round(points[:, 1]))  # 0.5 on the border of two rows, where no number is
    spot = points[np.argmax(between_rows)]
    x, y = float(spot[0]), float(spot[1])
    _sign(axes, (x, y), words, "black")
    return x, y, margin


def _half_width(words: str, columns: int) -> float:
    """(cells) Of words on the diagram, about."""
    return 0.5 * max(map(len, words.split("\n"))) * 0.62 * _LETTERS / 72 / ((WIDTH - 1.9) / columns) + 0.08


def _place(
    margin: np.ndarray, shape: tuple[int, ...], words: str, taken: tuple[float, float, float] | None
) -> tuple[float, float] | None:
    """Where a region's name fits between two rows of numbers, well inside the region; None where it does not.

    Args:
        margin: fine field, above 0 inside the region.
        shape: rows and columns of cells.
        words: the name.
        taken: place and half-width of the line's label.
    """
    rows, columns = shape
    half_width, half_height = _half_width(words, columns), 0.16 * len(words.split("\n"))
    best, found = 0.0, None
    if columns < 2 * half_width:
        return None
    for y in np.arange(rows - 1) + 0.5:
        for x in np.linspace(half_width - 0.5, columns - 0.5 - half_width, 25):
            if taken and abs(x - taken[0]) < half_width + taken[2] and abs(y - taken[1]) < 0.4:
                continue
            across = slice(int((x - half_width + 0.5) * _FINE), int((x + half_width + 0.5) * _FINE) + 1)
            up = slice(int((y - half_height + 0.5) * _FINE), int((y + half_height + 0.5) * _FINE) + 1)
            inside = float(margin[up, across].min())
            if inside > best:
                best, found = inside, (float(x), float(y))
    return found


def _fine(success: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The field between the centres of cells, straight from one to the next, and flat beyond the outermost.

    Returns:
        x (m,) and y (n,) in cells, and the field (n, m).
    """
    rows, columns = success.shape
    x, y = (np.linspace(-0.5, n - 0.5, n * _FINE + 1) for n in (columns, rows))
    along = np.array([np.interp(x, np.arange(columns), row) for row in success])
    return x, y, np.array([np.interp(y, np.arange(rows), column) for column in along.T]).T
