"""Where pictures and writing go in a frame. Nothing is written over a picture, so that no arm is covered."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol

import numpy as np
from PIL import Image

from evaluation.film.overlay import (
    BAD,
    CHIP,
    FAINT,
    GOOD,
    LINE,
    NOTE,
    PAPER,
    Caption,
    Pen,
    draw_age,
    draw_commands,
    draw_plan,
    ladder,
    rates,
    wrapped,
)

Size = tuple[int, int]  # (px) height and width
_PANEL, _EDGE = 244, 16  # (px of a 1280x720 frame) width of the panel, and of its margin
_COMMANDS = (330, 220)  # (px of a column of 640) where commands begin, without an inset and with one
_WIDEST = 1.6  # width over height of a picture in a column: stretched elbows are in it, and no more


@dataclass(frozen=True)
class View:
    """One episode in one frame."""

    picture: np.ndarray
    """(height, width, 3) uint8, of the size that the layout asks for."""
    caption: Caption
    inset: np.ndarray | None = None
    """The same, from another camera."""


class Layout(Protocol):
    """Composes frames of one size."""

    picture: Size
    inset: Size

    def frame(self, views: Sequence[View]) -> np.ndarray:
        """(height, width, 3) uint8"""


class Wide:
    """One episode: a slim panel at the left, the picture, and the stages along the bottom."""

    def __init__(self, size: Size) -> None:
        height, width = size
        self._size, self._unit = size, height / 720
        self._panel, self._ladder = _even(_PANEL * self._unit), _even(52 * self._unit)
        self.picture: Size = (height - self._ladder, width - self._panel)
        across = _even((_PANEL - 2 * _EDGE) * self._unit)
        self.inset: Size = (_even(across * 9 / 16), across)

    def frame(self, views: Sequence[View]) -> np.ndarray:
        """(height, width, 3) uint8"""
        (view,) = views
        caption, unit, (height, width) = view.caption, self._unit, self._size
        frame = np.empty((height, width, 3), dtype=np.uint8)
        frame[: -self._ladder, self._panel :] = view.picture
        steps = ladder(caption.stages, caption.stage, bool(caption.verdict), width, self._ladder, unit, 19)
        frame[-self._ladder :] = np.asarray(steps)
        room = height - self._ladder
        panel, age_at = _panel(caption.still, self._panel, room, unit, view.inset is not None)
        panel = panel.copy()
        pen = Pen(panel, unit)
        pen.text((_EDGE, 186), f"{caption.seconds:.1f} s", 40)
        draw_age(pen, caption, age_at, 16)
        frame[:room, : self._panel] = np.asarray(panel)
        if view.inset is not None:
            h, w = self.inset
            left, bottom = round(_EDGE * unit), room - round(14 * unit)
            frame[bottom - h : bottom, left : left + w] = view.inset
        _outline(frame[:room, self._panel :], caption)
        return frame


@lru_cache(maxsize=8)
def _panel(
    caption: Caption, width: int, height: int, unit: float, inset: bool
) -> tuple[Image.Image, tuple[float, float]]:
    """The panel of `Wide` without clock and command age; and where the age goes."""
    image = Image.new("RGB", (width, height), PAPER)
    pen, across = Pen(image, unit), _PANEL - 2 * _EDGE
    pen.text((_EDGE, 50), caption.task, 32, width=across)
    y = 74.0
    for line in wrapped(caption.actor or caption.contender, 16 * unit, across * unit)[:2]:
        pen.text((_EDGE, y), line, 16, FAINT, across)
        y += 21
    pen.text((_EDGE, y), f"layout seed {caption.layout_seed}", 16, FAINT, across)
    _badge(pen, caption, _PANEL - _EDGE, 172)
    if caption.disturbed:
        pen.text((_EDGE, 216), caption.disturbed, 18, NOTE, across)
    planner, actions = rates(caption)
    y = 254.0
    if planner:
        y = _section(pen, y, "PLAN", planner, across)
        y = draw_plan(pen, caption, (_EDGE, y), across, 4 if inset else 8, 18) + 34
        y = _section(pen, y, "COMMANDS", actions, across)
        y = draw_commands(pen, caption, (_EDGE, y), across, 18)
    else:
        y = _section(pen, y, "ONE POLICY" if caption.contender == "single" else "ACTIONS", actions, across)
    return image, (_EDGE, y + 28)


def _section(pen: Pen, y: float, name: str, rate: str, width: float) -> float:
    pen.lines(((_EDGE, y - 20), (_EDGE + width, y - 20)), LINE, 1)
    pen.text((_EDGE, y), name, 14, FAINT)
    pen.text((_EDGE + width, y), rate, 14, FAINT, anchor="rs")
    return y + 2


def _badge(pen: Pen, caption: Caption, right: float, middle: float, size: float = 19) -> None:
    """The verdict, or how fast the film runs."""
    if caption.verdict:
        ink = GOOD if caption.verdict == "success" else BAD
        pen.box((right - 5.4 * size, middle - 0.9 * size, right, middle + 0.9 * size), CHIP, outline=ink)
        pen.text((right - 2.7 * size, middle - 1), caption.verdict, size, ink, anchor="mm")
    elif caption.speed != 1:
        pen.text((right, middle), f"{caption.speed:g}x", size, NOTE, anchor="rm")


class Columns:
    """One episode or more side by side, each with its writing above and below its picture."""

    def __init__(self, size: Size, count: int, inset: bool = False) -> None:
        height, width = size
        self._size, self._count = size, count
        self._column = width // count // 2 * 2
        self._unit = unit = self._column / 640
        self._head, self._ladder = _even(58 * unit), _even(36 * unit)
        least = 132 if inset else 96
        high = min(self._column / _WIDEST, height - self._head - self._ladder - least * unit)
        if high < 0.3 * self._column:
            raise ValueError(f"{width}x{height} is too low for {count} pictures side by side")
        self.picture: Size = (_even(high), self._column)
        self._foot = height - self._head - self._ladder - self.picture[0]
        across = _even(200 * unit)
        self.inset: Size = (_even(across * 9 / 16), across)

    def frame(self, views: Sequence[View]) -> np.ndarray:
        """(height, width, 3) uint8"""
        height, width = self._size
        frame = np.empty((height, width, 3), dtype=np.uint8)
        frame[:] = PAPER
        for k, view in enumerate(views):
            self._column_of(frame[:, k * self._column : (k + 1) * self._column], view)
            if k:
                frame[:, k * self._column - 1 : k * self._column + 1] = LINE
        return frame

    def _column_of(self, frame: np.ndarray, view: View) -> None:
        caption, unit = view.caption, self._unit
        top, under = self._head, self._head + self.picture[0]
        head = _head(caption.still, self._column, top, unit).copy()
        Pen(head, unit).text((624, 36), f"{caption.seconds:.1f} s", 28, anchor="rs")
        frame[:top] = np.asarray(head)
        frame[top:under] = view.picture
        inset = view.inset is not None
        foot = _foot(caption.still, self._column, self._foot, unit, inset)
        if caption.command_age is not None:
            foot = foot.copy()
            draw_age(Pen(foot, unit), caption, _age_at(caption, inset), 17)
        frame[under : under + self._foot] = np.asarray(foot)
        steps = ladder(caption.stages, caption.stage, bool(caption.verdict), self._column, self._ladder, unit, 16)
        frame[under + self._foot :] = np.asarray(steps)
        if view.inset is not None:
            h, w = self.inset
            x, y = self._column - w - round(16 * unit), under + round(10 * unit)
            frame[y : y + h, x : x + w] = view.inset
        _outline(frame[top:under], caption)


@lru_cache(maxsize=8)
def _head(caption: Caption, width: int, height: int, unit: float) -> Image.Image:
    """What stands above a picture of `Columns`, without the clock."""
    image = Image.new("RGB", (width, height), PAPER)
    pen = Pen(image, unit)
    pen.text((16, 30), caption.contender or caption.actor, 25, width=390)
    pen.text((16, 50), f"{caption.task}, layout seed {caption.layout_seed}", 15, FAINT, 390)
    _badge(pen, caption, 516, 28, 18)
    return image


@lru_cache(maxsize=8)
def _foot(caption: Caption, width: int, height: int, unit: float, inset: bool) -> Image.Image:
    """What stands below a picture of `Columns`, without the command age."""
    image = Image.new("RGB", (width, height), PAPER)
    pen, size = Pen(image, unit), 19
    room = max(1, int((height / unit - 10) / (1.4 * size)))
    planner, actions = rates(caption)
    if not planner:
        pen.text((16, 28), f"{caption.actor},  {actions}", 17, FAINT, 390 if inset else 600)
        pen.text((16, 54), caption.disturbed, 17, NOTE, 390 if inset else 600)
        return image
    draw_plan(pen, caption, (16, 2), 190 if inset else 290, room, size)
    x = _COMMANDS[inset]
    y = draw_commands(pen, caption, (x, 2), 420 - x if inset else 624 - x, size)
    left, right = height / unit - y, 420 if inset else 624
    if left > 90:
        pen.text((x, y + 52), f"{planner},  {actions}", 15, FAINT, right - x)
        pen.text((x, y + 78), caption.disturbed, 17, NOTE, right - x)
    elif left > 60:
        pen.text((x, y + 52), caption.disturbed, 17, NOTE, right - x)
    else:  # beside the command age
        pen.text((624, y + 26), caption.disturbed, 16, NOTE, 112, anchor="rs")
    return image


def _age_at(caption: Caption, inset: bool) -> tuple[float, float]:
    return _COMMANDS[inset], 2 + 1.4 * 19 * len(caption.commands) + 26


def _outline(picture: np.ndarray, caption: Caption) -> None:
    """A line around the picture, at the end and when something is done to the episode from outside."""
    colour = caption.frame_colour
    if colour is None:
        return
    thick = max(2, round(picture.shape[0] / 130))
    picture[:thick] = picture[-thick:] = colour
    picture[:, :thick] = picture[:, -thick:] = colour


def _even(px: float) -> int:
    """The nearest even number: encoders halve pictures."""
    return 2 * round(px / 2)


def layout_for(size: Size, count: int, inset: bool) -> Layout:
    """How frames of a size show so many episodes at once."""
    height, width = size
    if count == 1 and width >= 960 and width > 1.5 * height:
        return Wide(size)
    return Columns(size, count, inset)
