"""Films of episodes on named layouts: 1280x720, 25 frames a second, with task, time and stage on every frame."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import closing
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import imageio_ffmpeg
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from envs.scene import TICK
from envs.vector import DuetVectorEnv
from policies.agents import Agent
from policies.commands import SKILLS
from policies.files import written_whole

SIZE = (720, 1280)  # (px) height and width
_FRAMES_PER_SECOND = round(1 / TICK)  # real time
_LINGER = 18  # (frames) that the end of an episode stays on screen
_MP4: dict[str, Any] = {"codec": "libx264", "pix_fmt_out": "yuv420p", "quality": 8, "output_params": ["-f", "mp4"]}
_GIF: dict[str, Any] = {  # half the size and rate, for a page; what moves chooses the colours
    "codec": "gif",
    "pix_fmt_out": "pal8",
    "output_params": [
        "-f",
        "gif",
        "-filter_complex",
        "[0:v]fps=12.5,scale=640:-1:flags=lanczos,split[a][b];[a]palettegen=stats_mode=diff[p];[b][p]paletteuse",
    ],
}
_INK, _FAINT, _GOOD, _BAD = (255, 255, 255), (185, 195, 205), (70, 215, 140), (245, 150, 70)
_PANEL = (12, 16, 22, 165)


@dataclass(frozen=True)
class Caption:
    """What is written on one frame."""

    task: str
    actor: str
    layout_seed: int
    seconds: float
    stage: int
    """Stages done."""
    stages: tuple[str, ...]
    commands: tuple[str, ...] = ()
    """What System 2 commands, line by line."""
    verdict: str = ""
    """`success`, `failed`, or nothing while the episode lasts."""


@dataclass(frozen=True)
class Shot:
    """One episode of a film."""

    env: DuetVectorEnv
    """One world that does not reset by itself."""
    agent: Agent
    layout_seed: int


def film(shots: Iterable[Shot], path: Path, actor: str, camera: str = "front") -> list[bool]:
    """Film episodes one after the other.

    Args:
        shots: the episodes.
        path: of the mp4, or gif; written aside and renamed.
        actor: who acts, as written on the frames.
        camera: name of a camera of the scene.

    Returns:
        Whether each episode succeeded.

    Raises:
        RenderingUnavailable: nothing here can draw.
        OSError: the file cannot be written.
    """
    height, width = SIZE
    kind = _GIF if path.suffix == ".gif" else _MP4
    with written_whole(path) as aside:
        writer = imageio_ffmpeg.write_frames(
            str(aside), (width, height), fps=_FRAMES_PER_SECOND, macro_block_size=8, ffmpeg_log_level="error", **kind
        )
        with closing(writer):
            writer.send(None)
            return [_film_episode(shot, actor, camera, writer.send) for shot in shots]


def _film_episode(shot: Shot, actor: str, camera: str, write: Callable[[np.ndarray], object]) -> bool:
    env, agent = shot.env, shot.agent
    observation, infos = env.reset(options={"layout_seeds": [shot.layout_seed]})
    agent.begin(env)

    def frame(verdict: str = "") -> np.ndarray:
        seconds, stage = int(infos["tick"][0]) * TICK, int(infos["stage"][0])
        caption = Caption(
            env.task_name, actor, shot.layout_seed, seconds, stage, env.task.stages, _commands(agent), verdict
        )
        return captioned(env.render_world(0, camera, SIZE), caption)

    write(frame())
    while True:
        observation, _, terminated, truncated, infos = env.step(agent.act(observation))
        if terminated[0] or truncated[0]:
            last = frame("success" if terminated[0] else "failed")
            for _ in range(_LINGER):
                write(last)
            return bool(terminated[0])
        write(frame())


def _commands(agent: Agent) -> tuple[str, ...]:
    """What System 2 has told the arms: the step of its plan, and the skill of each arm."""
    if agent.runtime is None:
        return ()
    steps, at = agent.runtime.plan_of(0)
    if at >= len(steps):
        return ("plan done",)
    skills = (f"arm {arm}: {SKILLS[skill]}" for arm, skill in enumerate(agent.runtime.commands.skill[0]))
    return (f"{at + 1}/{len(steps)}  {steps[at].label}", *skills)


@lru_cache(maxsize=8)
def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)


def captioned(picture: np.ndarray, caption: Caption) -> np.ndarray:
    """(height, width, 3) uint8: the picture with its caption."""
    height = picture.shape[0]
    unit = height / 720
    image = Image.fromarray(picture)
    draw = ImageDraw.Draw(image, "RGBA")

    def at(x: float, y: float) -> tuple[float, float]:
        return x * unit, y * unit

    def font(size: float) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
        return _font(max(8, round(size * unit)))

    draw.rounded_rectangle((*at(24, 24), *at(404, 140)), radius=14 * unit, fill=_PANEL)
    draw.text(at(44, 36), caption.task, font=font(34), fill=_INK)
    draw.text(at(44, 82), caption.actor, font=font(20), fill=_FAINT)
    draw.text(at(44, 108), f"layout seed {caption.layout_seed}", font=font(18), fill=_FAINT)
    draw.text(at(384, 40), f"{caption.seconds:.1f} s", font=font(30), fill=_INK, anchor="ra")
    if caption.commands:
        draw.rounded_rectangle(
            (*at(24, 152), *at(404, 168 + 30 * len(caption.commands))), radius=14 * unit, fill=_PANEL
        )
        for line, text in enumerate(caption.commands):
            draw.text(at(44, 160 + 30 * line), text, font=font(20), fill=_FAINT if line else _INK)
    _draw_ladder(draw, caption, unit)
    if caption.verdict:
        good = caption.verdict == "success"
        draw.rounded_rectangle((*at(1036, 24), *at(1256, 84)), radius=14 * unit, fill=_PANEL)
        draw.text(at(1146, 53), caption.verdict, font=font(30), fill=_GOOD if good else _BAD, anchor="mm")
    return np.asarray(image)


def _draw_ladder(draw: ImageDraw.ImageDraw, caption: Caption, unit: float) -> None:
    """The stages along the bottom: done, being done, to come."""
    gap, left, top, bottom = 10, 24, 664, 700
    width = (1280 - 2 * left - gap * (len(caption.stages) - 1)) / len(caption.stages)
    for k, name in enumerate(caption.stages):
        x = left + k * (width + gap)
        done, now = k < caption.stage, k == caption.stage
        box = (x * unit, top * unit, (x + width) * unit, bottom * unit)
        draw.rounded_rectangle(box, radius=10 * unit, fill=(*_GOOD, 200) if done else _PANEL)
        if now and not caption.verdict:
            draw.rounded_rectangle(box, radius=10 * unit, outline=_INK, width=max(1, round(2 * unit)))
        ink = (10, 30, 20) if done else _INK if now else _FAINT
        middle = ((x + width / 2) * unit, (top + bottom) / 2 * unit)
        draw.text(middle, name, font=_font(max(8, round(20 * unit))), fill=ink, anchor="mm")
