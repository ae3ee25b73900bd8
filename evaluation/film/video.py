"""Films of episodes on named layouts, one after the other or side by side, with titles; mp4 or gif."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import imageio_ffmpeg
import numpy as np
from PIL import Image

from envs.scene import TICK
from evaluation.film.layout import Layout, Size, View, layout_for
from evaluation.film.overlay import Title, card
from evaluation.film.take import OutcomeDiffers, Shot, Take
from policies.files import written_whole

__all__ = ["Filmed", "OutcomeDiffers", "Shot", "Style", "Title", "film", "side_file"]

SIZE: Size = (720, 1280)  # (px) height and width
GIF_SIZE: Size = (540, 640)
KINDS = (".mp4", ".gif")
SPEEDS = (0.05, 16.0)  # slowest and fastest
_RATES = {".mp4": 25.0, ".gif": 12.5}  # (Hz) of frames
_OPENING, _CUT, _FADE, _LINGER = 2.2, 0.8, 0.3, 0.8  # (s) of cards, of the way out of them, of an episode's end
_LEAST_SHOT = 1.2  # (s) from one change of camera to the next
_MP4: dict[str, Any] = {
    "codec": "libx264",
    "pix_fmt_out": "yuv420p",
    "quality": None,
    # browsers begin to play before all is there
    "output_params": ["-crf", "20", "-preset", "veryfast", "-movflags", "+faststart", "-f", "mp4"],
}
_GIF: dict[str, Any] = {
    "codec": "gif",
    "pix_fmt_out": "pal8",
    "output_params": [
        "-f",
        "gif",
        "-filter_complex",
        "[0:v]split[a][b];[a]palettegen[p];[b][p]paletteuse=dither=bayer:bayer_scale=4:diff_mode=rectangle",
    ],
}


@dataclass(frozen=True)
class Style:
    """How episodes are filmed."""

    cameras: tuple[str, ...] = ("front",)
    """Names of cameras of the scene; with several, each new stage is seen by the next one."""
    inset: str | None = None
    """Another camera, as a small picture."""
    speed: float = 1.0
    """1 is real time, 0.5 half of it."""
    size: Size | None = None
    """(px) height and width; None is the usual one."""
    titles: bool = True
    """Cards before the film and between episodes."""


@dataclass(frozen=True)
class Filmed:
    """Where an episode is in a film."""

    contender: str
    task: str
    condition: str
    seed: int | None
    layout_seed: int
    first_frame: int
    """With the card before it."""
    frames: int
    success: bool
    counted_in: str
    """The file that counts the same episode; empty where none does."""


def side_file(path: Path) -> Path:
    """Where it is written which frames of a film show which episode."""
    return path.with_name(path.name + ".json")


def film(
    shots: Iterable[Shot | Sequence[Shot]], path: Path, style: Style | None = None, title: Title | None = None
) -> list[Filmed]:
    """Film episodes one after the other; several shots in a sequence are shown side by side, in step.

    Args:
        shots: the episodes. All frames have one size, so all sequences have one length.
        path: of the mp4, or gif; written aside and renamed. `side_file(path)` says which frames show which episode.
        style: how they are filmed.
        title: on a card before the first.

    Returns:
        What the side file holds, an episode each.

    Raises:
        RenderingUnavailable: nothing here can draw.
        OutcomeDiffers: an episode did not end as it was counted. Nothing is written.
        OSError: the file cannot be written.
        ValueError: a scene has no such camera.
    """
    style = style or Style()
    rate = _RATES[path.suffix]
    filmed: list[Filmed] = []
    reel: _Reel | None = None
    with written_whole(path) as aside:
        try:
            for one in shots:
                group = (one,) if isinstance(one, Shot) else tuple(one)
                if reel is None:
                    size = style.size or _usual_size(path.suffix, len(group))
                    reel = _Reel(aside, path.suffix, size, rate)
                    layout = layout_for(size, len(group), style.inset is not None)
                opening = title if style.titles and not filmed else None
                filmed += _film_group(group, style, layout, reel, opening)
        finally:
            if reel is not None:
                reel.close()
        if reel is None:
            raise ValueError("there is no episode to film")
    with written_whole(side_file(path)) as aside:
        episodes = [asdict(one) for one in filmed]
        aside.write_text(json.dumps({"frames_per_second": rate, "shots": episodes}, indent=2) + "\n")
    return filmed


def _usual_size(kind: str, count: int) -> Size:
    if kind == ".gif":
        return GIF_SIZE if count == 1 else (430, 440 * count)
    return SIZE if count < 3 else (720, 640 * count)


class _Reel:
    """Frames on their way into a file."""

    def __init__(self, path: Path, kind: str, size: Size, rate: float) -> None:
        height, width = size
        options = _GIF if kind == ".gif" else _MP4
        self.rate, self.frames = rate, 0
        self._writer = imageio_ffmpeg.write_frames(
            str(path), (width, height), fps=rate, macro_block_size=2, ffmpeg_log_level="error", **options
        )
        self._writer.send(None)

    def write(self, frame: np.ndarray, seconds: float = 0.0) -> None:
        """Show a frame for so long, at least once."""
        for _ in range(max(1, round(seconds * self.rate))):
            self._writer.send(frame)
            self.frames += 1

    def close(self) -> None:
        self._writer.close()


def _film_group(
    shots: Sequence[Shot], style: Style, layout: Layout, reel: _Reel, opening: Title | None
) -> list[Filmed]:
    filmings = [_Filming(shot, style, layout) for shot in shots]
    takes = [filming.take for filming in filmings]
    ticks = style.speed / (TICK * reel.rate)  # from frame to frame
    frame = layout.frame([filming.view(0.0, 0) for filming in filmings])
    first = reel.frames
    if style.titles:
        if opening is not None:
            _show(reel, frame, opening, _OPENING)
            first = reel.frames
        else:
            _show(reel, frame, _title(shots), _CUT)
    reel.write(frame)
    moment, camera, cut, stages = 0.0, 0, reel.frames, 0
    while any(moment < take.tick or not take.over for take in takes):
        moment += ticks
        for take in takes:
            take.advance_to(moment)
        reached = sum(take.best_stage for take in takes)
        if reached > stages and reel.frames - cut >= _LEAST_SHOT * reel.rate:
            camera, cut = camera + 1, reel.frames
        stages = reached
        frame = layout.frame([filming.view(moment, camera) for filming in filmings])
        reel.write(frame)
    # what the last step of time has passed by
    frame = layout.frame([filming.view(float(filming.take.tick), camera) for filming in filmings])
    reel.write(frame, _LINGER)
    return [
        Filmed(
            shot.contender or shot.actor,
            shot.env.task_name,
            shot.condition,
            shot.seed,
            shot.layout_seed,
            first,
            reel.frames - first,
            take.success,
            shot.counted_in if shot.counted is not None else "",
        )
        for shot, take in zip(shots, takes, strict=True)
    ]


class _Filming:
    """An episode with its cameras. A finished one that waits for others is not drawn again."""

    def __init__(self, shot: Shot, style: Style, layout: Layout) -> None:
        self.take, self._style, self._layout = Take(shot, style.speed), style, layout
        self._drawn: tuple[float, int] | None = None
        self._view: View

    def view(self, tick: float, camera: int) -> View:
        """The episode at a moment, from the camera with this number of those that take turns."""
        tick = min(tick, self.take.tick)
        if self._drawn != (tick, camera):
            qpos, caption = self.take.at(tick)
            draw = self.take.shot.env.pictures.frame
            names, inset = self._style.cameras, self._style.inset
            picture = draw(0, names[camera % len(names)], self._layout.picture, qpos)
            small = None if inset is None else draw(0, inset, self._layout.inset, qpos)
            self._drawn, self._view = (tick, camera), View(picture, caption, small)
        return self._view


def _title(shots: Sequence[Shot]) -> Title:
    """What the next episode is."""
    first = shots[0]
    who = " and ".join(shot.contender or shot.actor for shot in shots)
    lines = [f"{first.env.task_name}, {who}" if who else first.env.task_name]
    lines += [first.condition] if first.condition != "undisturbed" else []
    return Title(f"Layout {first.layout_seed}", (*lines, *([first.note] if first.note else [])))


def _show(reel: _Reel, frame: np.ndarray, title: Title, seconds: float) -> None:
    """A card over a frame, which it then gives way to."""
    shown = card(frame, title)
    reel.write(shown, seconds)
    count = round(_FADE * reel.rate)
    dark, light = Image.fromarray(shown), Image.fromarray(frame)
    for k in range(count):
        reel.write(np.asarray(Image.blend(dark, light, (k + 1) / (count + 1))))
