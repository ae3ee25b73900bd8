"""What stands beside the pictures of a film: who acts, the plan, the commands, the clock, the stages, titles."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Literal

import numpy as np
from PIL import Image, ImageDraw, ImageFont

Colour = tuple[int, int, int]
INK, FAINT, GOOD, BAD, NOTE = (255, 255, 255), (150, 160, 172), (70, 215, 140), (245, 130, 70), (250, 200, 70)
PAPER, LINE, CHIP = (13, 16, 22), (38, 45, 56), (24, 29, 38)
_STALE = 1.0  # (s) commands of this age stand out
_LEAST = 9  # (px) font size that can be read


@dataclass(frozen=True)
class Title:
    """A title card."""

    heading: str
    lines: tuple[str, ...] = ()


@dataclass(frozen=True)
class PlanLine:
    """One step of a plan."""

    label: str
    mark: Literal["done", "now", "later"]


@dataclass(frozen=True)
class Caption:
    """What is written beside one picture."""

    task: str
    contender: str
    """Who acts, in a word: single or dual."""
    actor: str
    """The same in a few words."""
    layout_seed: int
    seconds: float
    stage: int
    """Stages done."""
    stages: tuple[str, ...]
    plan: tuple[PlanLine, ...] = ()
    commands: tuple[str, ...] = ()
    """In force, of each arm; none where there is one system."""
    system1_rate: float = 25.0
    """(Hz)"""
    system2_rate: float | None = None
    """(Hz); 0 where it is asked once, None where there is no System 2."""
    command_age: float | None = None
    """(s) of the oldest command in force."""
    no_plan: str = ""
    """Why the planner has found no plan."""
    disturbed: str = ""
    """What has been done to the episode from outside, and when."""
    struck: bool = False
    """Whether that was a moment ago."""
    speed: float = 1.0
    """Of the film; 1 is real time."""
    verdict: str = ""
    """`success`, `failed`, or nothing while the episode lasts."""

    @property
    def still(self) -> Caption:
        """Without what changes from frame to frame."""
        return replace(self, seconds=0.0, command_age=None if self.command_age is None else 0.0, struck=False)

    @property
    def frame_colour(self) -> Colour | None:
        """Of a line around the picture."""
        if self.struck:
            return NOTE
        return None if not self.verdict else GOOD if self.verdict == "success" else BAD


@lru_cache(maxsize=64)
def font(size: float) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """Of so many px, or the smallest that can be read."""
    return ImageFont.load_default(max(_LEAST, round(size)))


@lru_cache(maxsize=512)
def fitted(text: str, size: float, width: float) -> tuple[str, float]:
    """The text and the font size (px), made smaller and then cut so that it is at most `width` px wide."""
    while font(size).getlength(text) > width and size > 0.75 * max(size, _LEAST) and size > _LEAST:
        size -= 1
        if size <= 12:
            break
    if font(size).getlength(text) <= width:
        return text, size
    while text and font(size).getlength(text + "...") > width:
        text = text[:-1]
    return text.rstrip() + "...", size


@lru_cache(maxsize=128)
def wrapped(text: str, size: float, width: float) -> tuple[str, ...]:
    """The text in lines of at most `width` px, where its words allow."""
    lines: list[str] = []
    for word in text.split():
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and font(size).getlength(longer) <= width:
            lines[-1] = longer
        else:
            lines.append(word)
    return tuple(lines)


class Pen:
    """Draws in units of a design that is `unit` px large."""

    def __init__(self, image: Image.Image, unit: float) -> None:
        self.unit = unit
        self._draw = ImageDraw.Draw(image)

    def text(
        self,
        at: tuple[float, float],
        text: str,
        size: float,
        ink: Colour = INK,
        width: float = 1e6,
        anchor: str = "ls",
    ) -> None:
        """A line of text; `at` is where its `anchor` goes (see Pillow), on the base line unless it says otherwise."""
        shown, px = fitted(text, size * self.unit, width * self.unit)
        self._draw.text((at[0] * self.unit, at[1] * self.unit), shown, font=font(px), fill=ink, anchor=anchor)

    def box(self, corners: Sequence[float], fill: Colour, radius: float = 6, outline: Colour | None = None) -> None:
        """A box with round corners: left, top, right, bottom."""
        x0, y0, x1, y1 = (c * self.unit for c in corners)
        thick = max(1, round(1.5 * self.unit))
        self._draw.rounded_rectangle((x0, y0, x1, y1), radius * self.unit, fill=fill, outline=outline, width=thick)

    def lines(self, points: Sequence[tuple[float, float]], ink: Colour, width: float) -> None:
        """Joined lines."""
        scaled = [(x * self.unit, y * self.unit) for x, y in points]
        self._draw.line(scaled, fill=ink, width=max(1, round(width * self.unit)), joint="curve")

    def mark(self, x: float, y: float, mark: str, size: float) -> None:
        """The sign before a step of a plan, centred at (x, y): a tick, an arrow or a dot."""
        r = 0.36 * size
        if mark == "done":
            self.lines(((x - r, y), (x - 0.25 * r, y + 0.7 * r), (x + r, y - 0.8 * r)), GOOD, 0.12 * size)
        elif mark == "now":
            tip = [(x - 0.7 * r, y - r), (x + r, y), (x - 0.7 * r, y + r)]
            self._draw.polygon([(a * self.unit, b * self.unit) for a, b in tip], fill=NOTE)
        else:
            r *= 0.4
            ring = tuple(v * self.unit for v in (x - r, y - r, x + r, y + r))
            self._draw.ellipse(ring, fill=FAINT)


def steps_shown(plan: Sequence[PlanLine], room: int) -> Sequence[PlanLine]:
    """At most `room` steps in order: the one being done, what was done just before it, and what comes."""
    if len(plan) <= room:
        return plan
    now = next((k for k, line in enumerate(plan) if line.mark == "now"), len(plan))
    first = min(max(0, now - room // 3), len(plan) - room)
    return plan[first : first + room]


def draw_plan(pen: Pen, caption: Caption, corner: tuple[float, float], width: float, room: int, size: float) -> float:
    """The plan, in at most `room` lines; returns where it ends (units)."""
    x, y = corner
    if caption.no_plan:
        text = wrapped(f"no plan: {caption.no_plan}", size * pen.unit, width * pen.unit)
        for line in text[:room]:
            y += 1.4 * size
            pen.text((x, y), line, size, BAD, width)
        return y
    for step in steps_shown(caption.plan, room):
        y += 1.4 * size
        ink = INK if step.mark == "now" else FAINT
        pen.mark(x + 0.45 * size, y - 0.34 * size, step.mark, size)
        pen.text((x + 1.3 * size, y), step.label, size, ink, width - 1.3 * size)
    if not caption.plan:
        y += 1.4 * size
        pen.text((x, y), "no step", size, FAINT, width)
    return y


def draw_commands(pen: Pen, caption: Caption, corner: tuple[float, float], width: float, size: float) -> float:
    """What each arm is told; returns where it ends (units)."""
    x, y = corner
    for arm, command in enumerate(caption.commands):
        y += 1.4 * size
        pen.text((x, y), f"arm {arm}", size, FAINT)
        pen.text((x + 3.4 * size, y), command, size, INK, width - 3.4 * size)
    return y


def draw_age(pen: Pen, caption: Caption, at: tuple[float, float], size: float, anchor: str = "ls") -> None:
    """How old the commands are."""
    if caption.command_age is not None:
        stale = caption.command_age > _STALE
        pen.text(at, f"command age {caption.command_age:.2f} s", size, NOTE if stale else FAINT, anchor=anchor)


def rates(caption: Caption) -> tuple[str, str]:
    """How often System 2 plans, and how often System 1, or whoever acts alone, does."""
    hz = caption.system2_rate
    planner = "" if hz is None else "System 2  once" if hz == 0 else f"System 2  {hz:g} Hz"
    return planner, f"{'actions' if hz is None else 'System 1'}  {caption.system1_rate:g} Hz"


@lru_cache(maxsize=16)
def ladder(
    stages: tuple[str, ...], stage: int, over: bool, width: int, height: int, unit: float, size: float
) -> Image.Image:
    """The stages side by side: done, being done, to come."""
    image = Image.new("RGB", (width, height), PAPER)
    pen = Pen(image, unit)
    wide, high, gap, margin = width / unit, height / unit, 8, 16
    each = (wide - 2 * margin - gap * (len(stages) - 1)) / len(stages)
    for k, name in enumerate(stages):
        x = margin + k * (each + gap)
        done, now = k < stage, k == stage and not over
        pen.box((x, 6, x + each, high - 8), GOOD if done else CHIP, outline=INK if now else None)
        ink = (8, 30, 20) if done else INK if now else FAINT
        pen.text((x + each / 2, high / 2 - 1), name, size, ink, each - 6, anchor="mm")
    return image


def card(picture: np.ndarray, title: Title) -> np.ndarray:
    """(height, width, 3) uint8: a title over a darkened frame."""
    height, width = picture.shape[:2]
    dark = Image.blend(Image.fromarray(picture), Image.new("RGB", (width, height), PAPER), 0.86)
    unit = min(height / 720, width / 900)
    pen = Pen(dark, unit)
    wide, y = width / unit, height / unit / 2 - 24 * len(title.lines) + 8
    pen.lines(((wide / 2 - 36, y - 76), (wide / 2 + 36, y - 76)), GOOD, 4)
    pen.text((wide / 2, y), title.heading, 60, INK, wide - 80, anchor="ms")
    for k, line in enumerate(title.lines):
        pen.text((wide / 2, y + 52 + 40 * k), line, 25, INK if k == 0 else FAINT, wide - 60, anchor="ms")
    return np.asarray(dark)
