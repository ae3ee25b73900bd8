"""Films: what is on them is the counted episode, frame by frame, with what was planned and told at that moment."""

from __future__ import annotations

import dataclasses
import json
from functools import partialmethod
from pathlib import Path
from typing import Any

import imageio_ffmpeg
import numpy as np
import pytest
from PIL import Image, ImageSequence

from envs.rendering import SceneRenderer
from envs.scene import TICK
from envs.vector import DuetVectorEnv
from evaluation.film.layout import Columns, View, Wide, layout_for
from evaluation.film.overlay import Caption, PlanLine, Title, fitted, font, steps_shown
from evaluation.film.take import OutcomeDiffers, Shot, Take
from evaluation.film.video import GIF_SIZE, Style, film, side_file
from evaluation.perturbations import make_perturbation
from evaluation.rollout import roll_out
from policies.agents import DualAgent, SingleAgent
from policies.system2.symbolic import SymbolicPlanner

SIZE = (240, 320)  # (px) height and width
LINGER = 20  # frames at the end of an episode
LAYOUT = 3


@pytest.fixture(autouse=True)
def plain(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pictures without shadows and smooth edges, which take most of the time."""
    monkeypatch.setattr(SceneRenderer, "__init__", partialmethod(SceneRenderer.__init__, beauty=False))


def world(task: str = "PickPlace", ticks: int | None = None) -> DuetVectorEnv:
    env = DuetVectorEnv(1, task=task, threads=1, autoreset=False)
    env.max_ticks = ticks or env.max_ticks
    return env


def planned(task: str = "PickPlace", ticks: int | None = None, **more: Any) -> Shot:
    """An episode of the scripted System 1 under the planner."""
    return Shot(world(task, ticks), DualAgent(SymbolicPlanner()), LAYOUT, "dual", "two systems", **more)


def still(ticks: int) -> Shot:
    """An episode in which nobody moves."""
    env = world(ticks=ticks)
    zeros = np.zeros(env.action_space.shape or ())
    return Shot(env, SingleAgent(lambda _: zeros), LAYOUT, "single", "one policy")


def decoded(path: Path) -> tuple[dict[str, Any], np.ndarray]:
    """What a player makes of a film: its properties, and frames (n, height, width, 3) uint8."""
    frames = imageio_ffmpeg.read_frames(str(path))
    about = next(frames)
    width, height = about["size"]
    return about, np.stack([np.frombuffer(frame, np.uint8).reshape(height, width, 3) for frame in frames])


@pytest.fixture(scope="module")
def ticks() -> int:
    """Of the episode that is filmed, as what counts episodes counts it."""
    episodes = roll_out(world(), DualAgent(SymbolicPlanner()), np.array([LAYOUT]))
    assert episodes.success.all()
    return int(episodes.ticks[0])


def test_a_film_decodes_to_the_frames_that_the_side_file_names(tmp_path: Path, ticks: int) -> None:
    path = tmp_path / "film.mp4"
    shots = [planned(seed=7, counted=True, counted_in="here"), dataclasses.replace(planned(), layout_seed=4)]
    filmed = film(shots, path, Style(size=SIZE), Title("A film"))
    about, frames = decoded(path)
    assert (about["codec"], about["fps"], frames.shape[1:]) == ("h264", 1 / TICK, (*SIZE, 3))
    side = json.loads(side_file(path).read_text())
    assert side["frames_per_second"] == 1 / TICK
    assert side["shots"] == [dataclasses.asdict(one) for one in filmed]
    first, second = filmed
    assert (first.layout_seed, first.seed, first.success, first.counted_in) == (LAYOUT, 7, True, "here")
    assert (second.layout_seed, second.seed, second.counted_in) == (4, None, "")
    assert first.frames == 1 + ticks + LINGER, "a frame a tick, in real time"
    assert first.first_frame + first.frames == second.first_frame, "its card counts as a part of the episode"
    assert second.first_frame + second.frames == len(frames)
    assert not any(path.with_name(name).exists() for name in ("film.mp4.part", "film.mp4.json.part"))
    card = np.abs(frames[0].astype(int) - frames[first.first_frame]).mean()
    assert card > 20, "the title is another picture than the first frame"


@pytest.mark.parametrize(("speed", "frames_a_tick"), [(0.5, 2.0), (2.0, 0.5)])
def test_slow_motion_has_more_frames_and_fast_motion_fewer(
    speed: float, frames_a_tick: float, tmp_path: Path, ticks: int
) -> None:
    (one,) = film([planned()], tmp_path / "film.mp4", Style(size=SIZE, speed=speed, titles=False))
    assert one.first_frame == 0
    assert one.frames == 1 + np.ceil(frames_a_tick * ticks) + LINGER
    assert one.success


def test_between_ticks_joints_are_between_and_turns_stay_turns() -> None:
    take = Take(planned(), speed=0.25)
    for _ in range(20):
        take.advance()
    before, half, after = (take.at(tick)[0] for tick in (19, 19.5, 20))
    arm = slice(0, 7)
    assert not np.array_equal(before[arm], after[arm])
    np.testing.assert_allclose(half[arm], (before[arm] + after[arm]) / 2)
    np.testing.assert_allclose(np.linalg.norm(half[take._turns[0]]), 1.0)


def test_what_ended_otherwise_than_it_was_counted_is_not_shown(tmp_path: Path) -> None:
    path = tmp_path / "film.mp4"
    with pytest.raises(OutcomeDiffers, match="layout seed 3, undisturbed, is a success on film and a failure in there"):
        film([planned(counted=False, counted_in="there")], path, Style(size=SIZE))
    assert list(tmp_path.iterdir()) == []


def test_two_are_side_by_side_in_step_and_who_is_ready_waits(tmp_path: Path, ticks: int) -> None:
    path = tmp_path / "film.mp4"
    ready, going = film([(planned(), still(ticks + 30))], path, Style(size=(240, 640), titles=False))
    assert (ready.contender, ready.success, going.contender, going.success) == ("dual", True, "single", False)
    assert (ready.first_frame, ready.frames) == (going.first_frame, going.frames) == (0, 1 + ticks + 30 + LINGER)
    _, frames = decoded(path)
    left = frames[:, 40:, :310].astype(int)  # below the head, where the clock is
    waiting = np.abs(left[ticks + 5] - left[-1]).mean()
    moving = np.abs(left[5] - left[ticks]).mean()
    assert waiting < 1 < moving


def test_each_new_stage_is_seen_by_the_next_camera(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []
    shot = planned()
    pictures = shot.env.pictures
    frame = type(pictures).frame

    def watched(self: Any, index: int, camera: str, *rest: Any) -> np.ndarray:
        seen.append(camera)
        return frame(self, index, camera, *rest)

    monkeypatch.setattr(type(pictures), "frame", watched)
    film([shot], tmp_path / "film.mp4", Style(("front", "side"), inset="arm0/wrist", size=SIZE, titles=False))
    turns = [camera for camera in seen if camera != "arm0/wrist"]
    assert turns[0] == "front"
    changes = [k for k in range(1, len(turns)) if turns[k] != turns[k - 1]]
    assert {"front", "side"} == set(turns)
    assert len(changes) <= len(shot.env.task.stages)
    assert min(np.diff([0, *changes])) >= 1.2 / TICK, "no flicker"
    assert seen.count("arm0/wrist") == len(turns), "the inset is in every frame"


def test_a_gif_repeats_for_ever(tmp_path: Path, ticks: int) -> None:
    path = tmp_path / "film.gif"
    (one,) = film([planned(ticks=ticks // 2)], path, Style(titles=False))
    with Image.open(path) as gif:
        assert gif.size == GIF_SIZE[::-1]
        assert gif.info["loop"] == 0
        assert gif.info["duration"] == 80
        frames = sum(1 for _ in ImageSequence.Iterator(gif))
        assert 1 < frames <= one.frames, "frames that do not change may be joined"
    assert path.stat().st_size < 1_000_000


def test_a_film_of_nothing_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no episode to film"):
        film([], tmp_path / "film.mp4")
    assert list(tmp_path.iterdir()) == []


# What stands beside the pictures


def test_plan_and_commands_are_those_of_the_moment() -> None:
    take = Take(planned("Handover"))
    told, steps, marks = [], [], []
    while not take.over:
        take.advance()
        told.append(take.caption.commands)
        steps.append([line.label for line in take.caption.plan])
        marks.append([line.mark for line in take.caption.plan])
        runtime = take.shot.agent.runtime
        assert runtime is not None
        assert take.caption.command_age == pytest.approx(runtime.command_age[0].max())
    assert take.caption.verdict == "success"
    assert take.caption.stage == len(take.caption.stages)
    assert all(len(commands) == 2 for commands in told)
    skills = {command.split()[0] for commands in told for command in commands}
    assert {"reach", "pick", "carry", "hold"} <= skills
    assert all(mark.count("now") <= 1 for mark in marks)
    assert all(mark == sorted(mark, key=["done", "now", "later"].index) for mark in marks), "done, then now, then later"
    assert marks[0].count("done") == 0 < marks[-1].count("done")
    assert all(label for plan in steps for label in plan)


def test_a_knock_is_named_with_its_moment_and_marked_for_a_while() -> None:
    shot = planned("Handover", condition="knock", perturbation=make_perturbation("knock", "Handover"))
    take, captions = Take(shot), []
    while not take.over:
        take.advance()
        captions.append(take.caption)
    assert shot.perturbation is not None
    at = int(shot.perturbation.at[0]) * TICK
    named = [caption for caption in captions if caption.disturbed]
    assert {caption.disturbed for caption in named} == {f"knocked at {at:.1f} s"}
    struck = [caption.seconds for caption in captions if caption.struck]
    assert at <= struck[0]
    assert struck[-1] == pytest.approx(at + 0.8, abs=2 * TICK)
    assert captions[0].disturbed == ""


def _caption(**changes: Any) -> Caption:
    plan = (PlanLine("pick bar", "done"), PlanLine("hand over bar", "now"), PlanLine("place bar", "later"))
    caption = Caption(
        "Handover", "dual", "two systems", 3, 1.5, 1, ("reach", "grasp", "pass"), plan, ("hold bar", "reach bar"),
        system2_rate=2.5, command_age=0.3,
    )  # fmt: skip
    return dataclasses.replace(caption, **changes)


@pytest.mark.parametrize("size", [(540, 960), (240, 320)], ids=["wide", "column"])
@pytest.mark.parametrize(
    "change",
    [
        {"seconds": 2.5},
        {"stage": 2},
        {"commands": ("hold bar", "pick bar")},
        {"plan": (PlanLine("pick bar", "now"), PlanLine("hand over bar", "later"), PlanLine("place bar", "later"))},
        {"command_age": 2.3},
        {"no_plan": "nobody reaches the bar"},
        {"disturbed": "knocked at 1.2 s"},
        {"struck": True},
        {"speed": 0.5},
        {"verdict": "failed"},
        {"task": "Relay"},
    ],
    ids=lambda change: next(iter(change)),
)
def test_whatever_changes_is_seen_in_the_frame(size: tuple[int, int], change: dict[str, Any]) -> None:
    layout = layout_for(size, 1, inset=False)
    assert isinstance(layout, Wide if size[1] == 960 else Columns)
    picture = np.full((*layout.picture, 3), 90, np.uint8)
    before, after = (layout.frame([View(picture, caption)]) for caption in (_caption(), _caption(**change)))
    assert before.shape == (*size, 3)
    assert not np.array_equal(before, after)


def test_nothing_is_written_over_the_picture() -> None:
    layout = layout_for((720, 1280), 1, inset=False)
    picture = np.random.default_rng(0).integers(0, 255, (*layout.picture, 3), dtype=np.uint8)
    frame = layout.frame([View(picture, _caption(disturbed="knocked at 1.2 s", speed=0.5))])
    high, wide = layout.picture
    assert np.array_equal(frame[:high, -wide:], picture)


def test_a_long_plan_shows_the_step_being_done() -> None:
    plan = [PlanLine(f"step {k}", "done" if k < 9 else "now" if k == 9 else "later") for k in range(20)]
    for room in (1, 4, 8):
        shown = steps_shown(plan, room)
        assert len(shown) == room
        assert "now" in [line.mark for line in shown]
    assert steps_shown(plan[:3], 8) == plan[:3]
    assert steps_shown([PlanLine("a", "done")] * 9, 4)[-1].mark == "done"


def test_text_is_made_smaller_and_then_cut_to_its_room() -> None:
    text = "System 1 under the symbolic planner with a very long name"
    for width in (400, 200, 80):
        shown, size = fitted(text, 25, width)
        assert font(size).getlength(shown) <= width
    assert fitted("short", 25, 400) == ("short", 25)


def test_pictures_too_flat_for_their_number_are_refused() -> None:
    with pytest.raises(ValueError, match="too low for 4 pictures side by side"):
        layout_for((120, 1280), 4, inset=False)
