"""Playing at the pace of a clock, and what a page says of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from envs.scene import TICK
from evaluation.play.cast import Cast
from evaluation.play.interventions import Stall
from evaluation.play.live import Controls, live
from evaluation.play.log import replay
from evaluation.play.panel import status
from evaluation.play.session import Session

SCRIPTED = "scripted System 1"


def session(task: str = "PickPlace", seed: int = 1, planner: str = "symbolic", **options: Any) -> Session:
    """The scripted System 1 under a planner, on a layout."""
    cast = Cast.of([], task)
    return Session(cast, seed, cast.role(planner=planner), **options)


class Clock:
    """Time that passes by sleeping alone."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


class Watcher:
    """A view that does something before some pictures, and is closed after the last."""

    def __init__(self, controls: Controls, does: dict[int, Callable[[], Any]], pictures: int) -> None:
        self.controls, self.does, self.pictures = controls, does, pictures
        self.shown = 0
        self.ticks: list[int] = []

    @property
    def open(self) -> bool:
        return self.shown < self.pictures

    def show(self) -> None:
        self.does.get(self.shown, lambda: None)()
        self.shown += 1
        self.ticks.append(self.controls.session.ticks)

    def close(self) -> None:
        self.shown = self.pictures


Doing = Callable[[Controls], dict[int, Any]]  # before which picture what is done


def watch(played: Session, path: Path, pictures: int, does: Doing) -> tuple[Watcher, Clock]:
    controls, clock = Controls(played), Clock()
    view = Watcher(controls, does(controls), pictures)
    live(played, controls, [view], path, clock, clock.sleep)
    return view, clock


def test_speed_and_pause_change_the_pace_and_no_tick(tmp_path: Path) -> None:
    played = session()
    path = tmp_path / "log.json"
    _, clock = watch(played, path, 20, lambda c: {0: lambda: setattr(c, "speed", 0.5), 9: lambda: c.knock(0)})
    assert played.ticks == 20
    assert clock.now == pytest.approx(19 * 2 * TICK + TICK, abs=2 * TICK)
    assert replay(path)[0].same
    played = session()
    view, _ = watch(played, path, 10, lambda c: {2: lambda: setattr(c, "paused", True), 5: c.one_tick, 8: c.one_tick})
    assert view.ticks == [1, 2, 3, 3, 3, 3, 4, 4, 4, 5]


def test_the_next_layout_begins_by_itself_or_when_it_is_asked_for(tmp_path: Path) -> None:
    played = session(limit=0.2)
    view, _ = watch(played, tmp_path / "log.json", 70, lambda c: {})
    assert played.episode.layout_seed == 2
    assert played.tally[SCRIPTED, "failed"] >= 1
    assert view.ticks[10] == 5, "the end stays on screen"
    played = session()
    watch(played, tmp_path / "log.json", 20, lambda c: {3: lambda: c.begin(9), 6: c.next, 9: c.again})
    assert (played.episode.layout_seed, played.ticks) == (10, 9)


def test_interventions_are_in_the_file_before_the_session_ends(tmp_path: Path) -> None:
    path = tmp_path / "log.json"
    seen = []
    played = session()
    watch(played, path, 60, lambda c: {1: lambda: c.push(0, 0.0), 50: lambda: seen.append(replay(path)[0].same)})
    assert seen == [True]


def test_the_panel_says_what_is_the_case() -> None:
    played = session("Tidy")
    while int(played.infos["stage"][0]) < 1:
        played.tick()
        assert not played.verdict
    played.ask(Stall(2.0))
    played.tick()
    told = status(played, paused=False, speed=2.0)
    for part in ("Tidy", "layout seed 1", f"{SCRIPTED} under the symbolic planner", "1 of 3", "arm 0", "stalled", "▶"):
        assert part in told, part
    assert "1 intervention in this episode, last stall" in told
    assert played.runtime is not None
    steps, at = played.runtime.plan_of(0)
    assert told.index("▶") < told.index(steps[at].label, told.index("▶"))
    assert "paused" in status(session(), paused=True, speed=1.0)
