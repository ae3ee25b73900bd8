"""How figures look: colours and markers that colour-blind eyes and black-and-white print tell apart; svg and png."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import wraps
from io import StringIO
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import matplotlib
from matplotlib import font_manager, ticker
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from policies.files import written_whole

WIDTH = 7.2  # (inches) of a figure of the page
INK, FAINT, GRID = "#1f2933", "#5b6770", "#e3e7ea"
BETTER, WORSE = "#0072B2", "#D55E00"  # blue for two systems, vermillion for one, in every figure
# M. Okabe and K. Ito, "Color Universal Design", 2008; without yellow, which white paper swallows.
_SINGLES = (("#D55E00", "s"), ("#B8860B", "P"))
_DUALS = (("#0072B2", "o"), ("#009E73", "D"), ("#56B4E9", "h"), ("#CC79A7", "8"))
_PLACEBOS = (("#56B4E9", "v"), ("#CC79A7", "^"), ("#009E73", "<"), ("#E69F00", ">"))
_BOUNDS = (("#000000", "X"), ("#6b6b6b", "d"))
_FONTS = ("Inter", "Helvetica Neue", "Helvetica", "Arial", "Liberation Sans")

P = ParamSpec("P")
Drawn = TypeVar("Drawn", Figure, Figure | None)


@dataclass(frozen=True)
class Look:
    """Of one contender, the same in all figures."""

    colour: str
    marker: str
    filled: bool

    def marks(self, size: float) -> dict[str, Any]:
        """Arguments of `Axes.plot` for its marker."""
        face = self.colour if self.filled else "white"
        return {"marker": self.marker, "ms": size, "mfc": face, "mec": self.colour, "mew": 1.2, "color": self.colour}


def looks(contenders: Sequence[Mapping[str, Any]]) -> dict[str, Look]:
    """The look of each contender of a comparison, by name: filled for systems, hollow for placebos, dark for bounds."""
    found: dict[str, Look] = {}
    used: dict[int, int] = {}
    for one in contenders:
        palette = {"placebo": _PLACEBOS, "bound": _BOUNDS}.get(one["kind"])
        palette = palette or (_SINGLES if one["system"] == "single" else _DUALS)
        place = used.get(id(palette), 0)
        used[id(palette)] = place + 1
        found[one["name"]] = Look(*palette[place % len(palette)], one["kind"] != "placebo")
    return found


def new_figure(height: float) -> Figure:
    """A figure of the page's width, `height` inches high, that arranges what is in it."""
    return Figure(figsize=(WIDTH, height), layout=ConstrainedLayoutEngine(h_pad=0.08, w_pad=0.06))


def styled(draw: Callable[P, Drawn]) -> Callable[P, Drawn]:
    """The figure function under our settings of matplotlib, whatever the user's own are."""

    @wraps(draw)
    def inside(*args: P.args, **kwargs: P.kwargs) -> Drawn:
        with _settings():
            figure = draw(*args, **kwargs)
            if figure is not None and figure.get_layout_engine() is not None:
                figure.draw_without_rendering()  # arranges it, once for all the files it is written to
                figure.set_layout_engine("none")
            return figure

    return inside


def save(figure: Figure, path: Path, pixels: int = 1600) -> None:
    """Write a png, `pixels` wide."""
    with _settings(), written_whole(path) as aside:
        figure.savefig(aside, format="png", dpi=pixels / figure.get_figwidth(), facecolor="white", metadata={})


def inline_svg(figure: Figure, name: str, title: str) -> str:
    """The figure as an svg element to stand within a page.

    Args:
        figure: to draw.
        name: set before every id, so that figures of one page do not share any.
        title: what it shows, for those who do not see it.
    """
    text = StringIO()
    with _settings():
        figure.savefig(text, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    svg = text.getvalue()
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r'\bid="', f'id="{name}-', svg)
    svg = svg.replace('xlink:href="#', f'href="#{name}-').replace("url(#", f"url(#{name}-")
    svg = re.sub(r'(<svg[^>]*?) width="[^"]*"', r"\1", svg, count=1)
    svg = re.sub(r'(<svg[^>]*?) height="[^"]*"', r"\1", svg, count=1)
    label = title.replace("&", "&amp;").replace("<", "&lt;").replace('"', "&quot;")
    return svg.replace("<svg", f'<svg role="img" aria-label="{label}"', 1)


def percent_axis(axes: Axes, low: float = 0.0, high: float = 1.0, room: float = 0.04) -> None:
    """Let x be a share, in percent, with room beyond both ends for markers."""
    axes.set_xlim(low - room * (high - low), high + room * (high - low))
    axes.xaxis.set_major_locator(ticker.MultipleLocator(0.25 if high - low > 0.6 else 0.1))
    axes.xaxis.set_major_formatter(ticker.PercentFormatter(1.0, decimals=0, symbol=" %"))
    axes.grid(axis="x")


def points(difference: float, decimals: int = 0) -> str:
    """A difference of shares in points, with its sign unless it is 0."""
    text = f"{100 * difference:+.{decimals}f}"
    return text if float(text) else text[1:]


def words(name: str) -> str:
    """A name out of the code as words: `goal_moves` is `goal moves`."""
    return name.replace("_", " ")


def ink_on(colour: Any) -> str:
    """Black or white, whichever reads better on a colour."""
    red, green, blue = to_rgb(colour)
    return INK if 0.299 * red + 0.587 * green + 0.114 * blue > 0.5 else "white"


def percent(rate: float, decimals: int = 0) -> str:
    """A share in [0, 1] as written in figures: never rounded to 0 or 100 unless it is."""
    text = f"{100 * rate:.{decimals}f}"
    if 0 < rate < 1 and float(text) in (0, 100):
        text = f"{100 * rate:.1f}" if 0.0005 <= rate < 0.9995 else ("<0.1" if rate < 0.5 else ">99.9")
    return f"{text} %"


@contextmanager
def _settings() -> Iterator[None]:
    there = set(font_manager.get_font_names())
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(
            {
                "font.family": [*(name for name in _FONTS if name in there), "DejaVu Sans"],
                "font.size": 9.0,
                "text.color": INK,
                "axes.labelcolor": INK,
                "axes.edgecolor": "#9aa5b1",
                "axes.linewidth": 0.8,
                "axes.spines.top": False,
                "axes.spines.right": False,
                "axes.titlesize": 10.0,
                "axes.titleweight": "bold",
                "axes.titlelocation": "left",
                "axes.titlepad": 7.0,
                "axes.axisbelow": True,
                "xtick.color": FAINT,
                "ytick.color": INK,
                "xtick.major.size": 0.0,
                "ytick.major.size": 0.0,
                "grid.color": GRID,
                "grid.linewidth": 0.8,
                "legend.frameon": False,
                "hatch.linewidth": 0.7,
                "svg.fonttype": "path",  # text keeps its width whatever fonts the reader has
                "svg.hashsalt": "duet",  # the same figure has the same bytes
            }
        )
        yield
