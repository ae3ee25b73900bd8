"""The command that plays: bad input, replays, and the page in a real browser."""

from __future__ import annotations

import json
import socket
import sys
from pathlib import Path

import pytest

import play
from evaluation.play import log
from evaluation.play.cast import Cast
from evaluation.play.interventions import Knock
from evaluation.play.session import Session
from evaluation.run import Run
from policies.system1.config import TrainConfig


def main(*arguments: str | Path) -> int:
    """The exit code of the command."""
    before, sys.argv = sys.argv, ["play.py", *map(str, arguments)]
    try:
        return play.main()
    finally:
        sys.argv = before


@pytest.fixture
def other_task(tmp_path: Path) -> Path:
    folder = tmp_path / "reach"
    Run.create(TrainConfig(task="Reach").resolved(), folder)
    return folder


def test_bad_input_is_one_sentence(
    tiny_runs: tuple[Path, Path], other_task: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.create_server(("localhost", 0)) as taken:
        port = str(taken.getsockname()[1])
        for arguments, code, sentence in [
            ((), 2, "name a run folder, or a task with --task"),
            (("--task", "Stak"), 2, "did you mean 'Stack'"),
            ((tmp_path / "none",), 2, "there is no run folder"),
            ((other_task,), 2, "holds no checkpoint yet"),
            ((tiny_runs[0], other_task), 2, "the runs are of different tasks"),
            ((tiny_runs[0], tiny_runs[0]), 2, "is named twice"),
            ((tiny_runs[0], "--task", "Stack"), 2, "--task is Stack; what all these runs have learned is PickPlace"),
            ((tiny_runs[1], "--planner", "symbolic"), 2, "single is one policy; it has no planner"),
            ((tiny_runs[0], "--planner", "symbolik"), 2, "did you mean 'symbolic'"),
            ((tiny_runs[0], "--latency", "-1"), 2, "latency must be from 0 to 60 s, not -1"),
            ((tiny_runs[0], "--layout-seed", "-1"), 2, "layout_seed must be from 0"),
            ((tiny_runs[0], "--limit", "0"), 2, "limit must be from 0 to 3600 s, not 0"),
            ((tiny_runs[0], "--port", "70000"), 2, "port must be from 0 to 65535, not 70000"),
            ((tiny_runs[0], "--log", tmp_path / "no" / "log.json"), 2, "there is no folder"),
            (("--task", "Tidy", "--objects", "99"), 2, "num_objects is 99; Tidy comes with"),
            ((tiny_runs[0], "--port", port), 1, f"port {port} of localhost cannot be used"),
            (("--replay", tmp_path / "log.json"), 2, "there is no log"),
        ]:
            assert main(*arguments) == code, arguments
            told = capsys.readouterr().err
            assert sentence in told, arguments
            assert told.startswith("error: ")
            assert told.count("\n") == 1


def test_without_viser_the_extra_is_named(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setitem(sys.modules, "viser", None)
    assert main("--task", "Reach") == 1
    assert 'pip install -e ".[play]"' in capsys.readouterr().err


def test_the_viewer_needs_a_display(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    glfw = pytest.importorskip("glfw")
    monkeypatch.setattr(glfw, "init", lambda: False)
    assert main("--task", "Reach", "--viewer") == 1
    assert "--viewer needs a display; leave it out to play in a page" in capsys.readouterr().err


def test_a_log_is_replayed_by_the_command(
    tiny_runs: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    played, path = Session(Cast.of([], "PickPlace"), 1), tmp_path / "log.json"
    while not played.verdict:
        if played.ticks == 40:
            played.ask(Knock(0, 1.0))
        played.tick()
    assert played.verdict == "success"
    log.write(path, played)
    assert main("--replay", path) == 0
    told = capsys.readouterr().out
    assert told.startswith("layout seed 1")
    assert "1 intervention: success; the same final state as live" in told
    assert main(tiny_runs[0], "--replay", path) == 0, "the scripted System 1 acts whatever runs are there"
    values = json.loads(path.read_text())
    values["episodes"][0]["state"] = "0"
    path.write_text(json.dumps(values))
    assert main("--replay", path) == 1
    assert "the replay differs from what was live" in capsys.readouterr().err
