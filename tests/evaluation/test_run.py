"""Run folders: whole, ours, and of this version, or refused in one sentence."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from evaluation import run as run_module
from evaluation.run import CONFIG, Run, RunError
from policies.system1.config import TrainConfig
from policies.system1.training import CHECKPOINTS

CONFIGURATION = TrainConfig(task="Reach", steps=100, num_worlds=4).resolved()


def test_a_run_opens_as_it_was_created(tmp_path: Path) -> None:
    run = Run.create(CONFIGURATION, tmp_path / "run")
    assert Run.open(run.folder).config == CONFIGURATION
    assert json.loads((run.folder / "machine.json").read_text())["packages"]["mujoco"]


def test_a_folder_with_something_in_it_is_not_taken(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").touch()
    with pytest.raises(RunError, match="not empty"):
        Run.create(CONFIGURATION, tmp_path)
    assert [file.name for file in tmp_path.iterdir()] == ["thesis.tex"]


def test_a_file_where_a_folder_should_be(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(RunError, match="file"):
        Run.create(CONFIGURATION, tmp_path / "file" / "run")


def test_a_full_disk_is_said_before_training(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = run_module.shutil.disk_usage(tmp_path)
    monkeypatch.setattr(run_module.shutil, "disk_usage", lambda _: usage._replace(free=10 << 20))
    with pytest.raises(RunError, match="10 MiB free"):
        Run.create(CONFIGURATION, tmp_path / "run")


def test_a_missing_folder_and_a_strange_one(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="no run folder"):
        Run.open(tmp_path / "nowhere")
    with pytest.raises(RunError, match="not a run of Duet"):
        Run.open(tmp_path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"version": 99}, "format 99"),
        ({"version": None}, "format None"),
        ({"surprise": 1}, "another version of Duet; it differs in: surprise"),
        ({"task": "Juggle"}, "no task 'Juggle'"),
        ({"steps": "many"}, "damaged"),
        ({"num_worlds": 2.5}, "num_worlds must be int"),
        ({"steps": True}, "steps must be int"),
        ({"video": []}, "video must be bool"),
        ({"num_worlds": 10**12}, "num_worlds must be from 1 to"),
    ],
)
def test_a_changed_configuration_is_refused(tmp_path: Path, change: dict, message: str) -> None:
    run = Run.create(CONFIGURATION, tmp_path / "run")
    path = run.folder / CONFIG
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(RunError, match=message):
        Run.open(run.folder)


@pytest.mark.parametrize("content", ["", "{", "[]", "\x00\xff"])
def test_a_damaged_configuration_is_refused(tmp_path: Path, content: str) -> None:
    run = Run.create(CONFIGURATION, tmp_path / "run")
    (run.folder / CONFIG).write_text(content)
    with pytest.raises(RunError, match=CONFIG):
        Run.open(run.folder)


def test_a_run_without_a_whole_checkpoint_has_no_policy(tmp_path: Path) -> None:
    run = Run.create(CONFIGURATION, tmp_path / "run")
    with pytest.raises(RunError, match="no checkpoint yet"):
        run.policy()
    (run.folder / CHECKPOINTS).mkdir()
    (run.folder / CHECKPOINTS / "0000000100.pt").write_bytes(b"PK\x03\x04 half of a file")
    with pytest.raises(RunError, match=r"0000000100\.pt is truncated or not a checkpoint"):
        run.policy()


def test_a_run_of_other_settings_is_not_resumed(tmp_path: Path) -> None:
    run = Run.create(CONFIGURATION, tmp_path / "run")
    with pytest.raises(RunError, match="no checkpoint"):
        run.check_resumable()
    (run.folder / "resume.pt").touch()
    run.check_resumable()
    path = run.folder / CONFIG
    values = json.loads(path.read_text())
    values["settings"]["epochs"] += 1
    path.write_text(json.dumps(values))
    with pytest.raises(RunError, match="other settings"):
        Run.open(run.folder).check_resumable()
