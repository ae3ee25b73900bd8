"""The log of what was done to episodes: it replays to the last bit, and what is wrong with one is a sentence."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from evaluation.play import log
from evaluation.play.cast import Cast
from evaluation.play.interventions import (
    KINDS,
    NO_FORCE,
    Drag,
    Force,
    Intervention,
    Knock,
    Latency,
    MoveGoal,
    Push,
    Stall,
    Switch,
    as_json,
    from_json,
)  # fmt: skip
from evaluation.play.log import LogError, replay
from evaluation.play.session import Session, checksum
from evaluation.run import Run

SCRIPTED = "scripted System 1"
EVERYTHING: dict[int, Intervention] = {
    3: Push(0, 2.0),
    8: Stall(0.6),
    20: Switch(SCRIPTED, "scripted"),
    30: Drag(0, (-0.2, 0.1, 0.2)),
    31: Drag(0, (-0.19, 0.1, 0.21)),
    45: Drag(0, None),
    60: Latency(0.4),
    62: Force(12, (0.1, 0.0, 1.0, 0.0, 0.0, 0.001)),
    65: Force(12, NO_FORCE),
    70: MoveGoal((-0.25, -0.2, 0.2, 1.0)),
    75: Switch(SCRIPTED, "symbolic"),
    90: Knock(0, -1.0),
}


def session(task: str = "PickPlace", seed: int = 1, planner: str = "symbolic", **options: Any) -> Session:
    """The scripted System 1 under a planner, on a layout."""
    cast = Cast.of([], task)
    return Session(cast, seed, cast.role(planner=planner), **options)


def live_through(played: Session, happens: dict[int, Intervention], ticks: int) -> None:
    for tick in range(ticks):
        if tick in happens:
            played.ask(happens[tick])
        played.tick()


def test_a_log_replays_to_the_last_bit(tmp_path: Path) -> None:
    assert {type(i) for i in EVERYTHING.values()} == set(KINDS.values())
    played = session(latency=0.2, limit=30.0)
    live_through(played, EVERYTHING, 110)
    played.begin(7)
    live_through(played, {5: Knock(0, 1.0)}, 20)
    path = tmp_path / "log.json"
    assert log.write(path, played)
    first, second = replay(path)
    assert (first.same, second.same) == (True, True)
    assert (first.episode.layout_seed, second.episode.layout_seed) == (1, 7)
    assert first.episode.interventions == sorted(EVERYTHING.items())
    assert second.state == checksum(played)
    assert first.state != second.state


def test_a_log_that_says_something_else_is_told_from_what_happened(tmp_path: Path) -> None:
    played = session()
    live_through(played, {30: Knock(0, 1.0)}, 60)
    path = tmp_path / "log.json"
    log.write(path, played)
    values = json.loads(path.read_text())
    values["episodes"][0]["interventions"][0]["angle"] = 1.0 + 1e-12
    path.write_text(json.dumps(values))
    (one,) = replay(path)
    assert not one.same
    assert "but not to the last bit" in log.text([one])


def test_episodes_in_which_nobody_intervened_are_not_logged(tmp_path: Path) -> None:
    played = session()
    live_through(played, {}, 5)
    played.begin(2)
    live_through(played, {}, 5)
    assert not log.write(tmp_path / "log.json", played)
    assert not list(tmp_path.iterdir())


def test_learned_systems_replay_wherever_their_folders_go(tiny_runs: tuple[Path, Path], tmp_path: Path) -> None:

    home = tmp_path / "home"
    folders = [Path(shutil.copytree(run, home / run.name)) for run in tiny_runs]
    played = Session(Cast.of([Run.open(folder) for folder in folders]), 1)
    live_through(played, {4: Switch("single", None), 12: Knock(0, 1.0), 20: Switch("dual", "random")}, 30)
    log.write(home / "dual" / "log.json", played)
    moved = home.rename(tmp_path / "elsewhere")
    (one,) = replay(moved / "dual" / "log.json")
    assert one.same
    found = log.read(moved / "dual" / "log.json")
    assert log.why_different(found) == ""
    checkpoints = moved / "single" / "checkpoints"
    (acted,) = checkpoints.glob("*.pt")
    shutil.copy(acted, checkpoints / "9999999999.pt")  # it has been trained on since
    assert [path.name for path in found.checkpoints] == [acted.name, acted.name]
    assert replay(found.path)[0].same
    acted.unlink()
    assert f"{acted.name} is not the policy that acted" in log.why_different(found)


def test_other_runs_can_be_put_to_the_same_test(tiny_runs: tuple[Path, Path], tmp_path: Path) -> None:
    played = Session(Cast.of([Run.open(tiny_runs[0])]), 1, limit=2.0)
    live_through(played, {5: Knock(0, 1.0)}, 10)
    log.write(tmp_path / "log.json", played)
    other = Path(shutil.copytree(tiny_runs[0], tmp_path / "other"))
    (one,) = replay(tmp_path / "log.json", [other])
    assert (one.episode.outcome, one.outcome) == ("unfinished", "failed")
    with pytest.raises(LogError, match="no system 'dual'"):
        replay(tmp_path / "log.json", [tiny_runs[1]])


@pytest.mark.parametrize("kind", KINDS)
def test_every_intervention_survives_json(kind: str) -> None:
    (intervention, *_) = (i for i in EVERYTHING.values() if isinstance(i, KINDS[kind]))
    assert from_json(json.loads(json.dumps(as_json(intervention)))) == intervention


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda v: v.update(format="a poem"), "is no log of play.py"),
        (lambda v: v.update(version=99), "has the format 99; this version of Duet reads 1"),
        (lambda v: v.pop("limit"), "damaged: it has no 'limit'"),
        (lambda v: v["episodes"][0].pop("system"), "damaged: it has no 'system'"),
        (lambda v: v["episodes"][0].update(ticks=3), "ticks of interventions must ascend from 0 to 2"),
        (lambda v: v["episodes"][0]["interventions"][0].update(kind="kick"), "no intervention 'kick'; known: knock"),
        (lambda v: v["episodes"][0]["interventions"][0].update(angle="up"), "angle of knock is 'up'"),
        (lambda v: v["episodes"][0]["interventions"][0].update(angle=float("nan")), "angle of knock is nan"),
        (lambda v: v["episodes"][0]["interventions"][0].update(strength=1), "knock has thing, angle, not"),
        (lambda v: v["episodes"][0]["interventions"][0].update(thing=4), "there is no number 4"),
        (lambda v: v["episodes"][0].update(planner="oracle"), "no planner 'oracle'"),
        (lambda v: v.update(task="Juggle"), "no task 'Juggle'"),
    ],
)
def test_a_damaged_log_is_a_sentence(change: Callable[[dict], Any], sentence: str, tmp_path: Path) -> None:
    played = session()
    live_through(played, {5: Knock(0, 1.0)}, 10)
    path = tmp_path / "log.json"
    log.write(path, played)
    values = json.loads(path.read_text())
    change(values)
    path.write_text(json.dumps(values))
    with pytest.raises(LogError, match=sentence):
        replay(path)


def test_no_log_and_half_a_log(tmp_path: Path) -> None:
    with pytest.raises(LogError, match="there is no log"):
        replay(tmp_path / "log.json")
    (tmp_path / "log.json").write_text('{"format": ')
    with pytest.raises(LogError, match="cannot be read"):
        replay(tmp_path / "log.json")
