"""The trainings of a comparison: which are missing, what is in their way, and what becomes of them on Ctrl-C."""

from __future__ import annotations

import dataclasses
import os
import signal
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from evaluation import trainings as module
from evaluation.run import EVALUATION, Run, RunError
from evaluation.trainings import Training, TrainingFailed, train_missing, trainings_of
from policies.system1.training import RESUME

STUB = """
import pathlib, signal, sys, time
folder = pathlib.Path(sys.argv[sys.argv.index("--resume" if "--resume" in sys.argv else "--out") + 1])
def stop(*_):
    print("saved", flush=True)
    sys.exit(130)
signal.signal(signal.SIGINT, stop)
folder.mkdir(exist_ok=True)
(folder / "arguments").write_text(" ".join(sys.argv[1:]))
print("learning", flush=True)
if "fails" in folder.name:
    sys.exit("no such luck")
time.sleep(60 if "long" in folder.name else 0)
(folder / "evaluation.json").write_text("{}")
"""


@pytest.fixture(autouse=True)
def stub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In place of train.py."""
    path = tmp_path / "stub.py"
    path.write_text(STUB)
    monkeypatch.setattr(module, "_TRAIN", path)


def trainings(tmp_path: Path, *names: str) -> list[Training]:
    (some,) = trainings_of(["Stack"], ["dual"], 1, 1000, tmp_path)
    return [Training(some.config, tmp_path / name) for name in names]


def create(training: Training, **changes: Any) -> Run:
    return Run.create(dataclasses.replace(training.config, **changes), training.folder)


def test_trainings_come_a_seed_at_a_time_with_names_that_say_what_they_are(tmp_path: Path) -> None:
    found = trainings_of(["Stack", "Tidy"], ["single", "dual"], 2, 1000, tmp_path)
    assert [one.folder.name for one in found[:4]] == [
        "Stack-single-seed0",
        "Stack-dual-seed0",
        "Stack-single-seed1",
        "Stack-dual-seed1",
    ]
    assert {one.config.steps for one in found} == {1000}
    assert trainings_of(["Stack"], ["dual"], 1, None, tmp_path)[0].config.steps != 1000


def test_what_is_missing_is_trained_and_what_is_there_is_not(tmp_path: Path) -> None:
    said: list[str] = []
    some = trainings(tmp_path, "there", "new", "begun")
    create(some[0])
    (some[0].folder / EVALUATION).write_text("{}")
    create(some[2])
    (some[2].folder / RESUME).write_text("")
    for one in some:
        one.check()
    train_missing(some, 2, said.append)
    assert said[0] == "1 of 3 trainings are there already."
    assert "new: learning" in said
    assert not (some[0].folder / "arguments").exists()
    words = (some[1].folder / "arguments").read_text()
    assert words.startswith("--task Stack --system dual --seed 0 --steps 1000")
    assert f"--no-video --out {some[1].folder}" in words
    assert (some[2].folder / "arguments").read_text() == f"--resume {some[2].folder}"


def test_another_training_in_the_way_is_refused_by_name(tmp_path: Path) -> None:
    (one,) = trainings(tmp_path, "a")
    create(one, gamma=0.5, threads=1)
    with pytest.raises(RunError, match=r"a holds a training with another configuration \(gamma is 0.5, not 0.9\d+\)"):
        one.check()
    (other,) = trainings(tmp_path, "b")
    create(other, threads=1, episodes=7)  # this makes no other policy
    with pytest.raises(RunError, match="b was stopped before its first checkpoint; delete it"):
        other.check()
    (other.folder / RESUME).write_text("")
    other.check()
    with pytest.raises(ValueError, match="seeds must be 1 or more"):
        trainings_of(["Stack"], ["dual"], 0, None, tmp_path)
    with pytest.raises(ValueError, match="did you mean 'dual'"):
        trainings_of(["Stack"], ["duel"], 1, None, tmp_path)


def test_a_training_that_fails_is_named_and_stops_the_others(tmp_path: Path) -> None:
    began = time.monotonic()
    with pytest.raises(TrainingFailed, match=r"fails ended with exit code 1 \(no such luck\)"):
        train_missing(trainings(tmp_path, "long", "fails", "never"), 2, lambda _: None)
    assert time.monotonic() - began < 50
    assert not (tmp_path / "long" / EVALUATION).exists()


def test_ctrl_c_lets_every_training_save(tmp_path: Path) -> None:
    said: list[str] = []

    def say(text: str) -> None:
        said.append(text)
        if text == "long2: learning":
            threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT)).start()

    began = time.monotonic()
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs ignore it
    try:
        with pytest.raises(KeyboardInterrupt):
            train_missing(trainings(tmp_path, "long1", "long2", "never"), 2, say)
    finally:
        signal.signal(signal.SIGINT, before)
    assert time.monotonic() - began < 50
    assert {"long1: saved", "long2: saved"} <= set(said)
    assert not (tmp_path / "never").exists()
