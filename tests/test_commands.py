"""The commands as a user types them: a whole small run, interruption, and bad input."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import imageio_ffmpeg
import pytest

_ROOT = Path(__file__).parents[1]
_TINY = ["--task", "Reach", "--num-worlds", "16", "--demonstrations", "16", "--episodes", "20", "--threads", "1"]
_KEYS = {
    "task",
    "system",
    "episodes",
    "successes",
    "success_rate",
    "wilson_low",
    "wilson_high",
    "stage_counts",
    "train_seconds",
    "train_steps",
}


def run(*command: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *map(str, command)],
        cwd=_ROOT,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def read(path: Path) -> dict:
    return json.loads(path.read_text())


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run, made by the command."""
    folder = tmp_path_factory.mktemp("runs") / "run"
    done = run("train.py", *_TINY, "--steps", "2048", "--out", folder)
    assert done.returncode == 0, done.stderr
    assert str(folder) in done.stdout
    assert "record.py" in done.stdout.splitlines()[-1]
    return folder


def test_a_run_folder_holds_everything(folder: Path) -> None:
    for name in ("config.json", "machine.json", "metrics.csv", "checkpoints", "tensorboard", "evaluation.json"):
        assert (folder / name).exists(), name
    result = read(folder / "evaluation.json")
    assert set(result) >= _KEYS
    assert (result["task"], result["episodes"], result["train_steps"]) == ("Reach", 20, 2048)
    frames, seconds = imageio_ffmpeg.count_frames_and_secs(str(folder / "video.mp4"))
    assert frames > 100
    assert seconds == pytest.approx(frames / 25, abs=0.1)
    assert not list(folder.rglob("*.part*"))


def test_a_run_is_evaluated_again_on_named_layouts(folder: Path, tmp_path: Path) -> None:
    file = tmp_path / "again.json"
    done = run("-m", "evaluation", folder, "--layout-seeds", "0:20", "--json", file)
    assert done.returncode == 0, done.stderr
    assert read(file) == read(folder / "evaluation.json")


@pytest.mark.parametrize("what", ["run", "expert", "random", "zero", "gif"])
def test_a_film_is_made(what: str, folder: Path, tmp_path: Path) -> None:
    out = tmp_path / f"film.{'gif' if what == 'gif' else 'mp4'}"
    options = [folder] if what in ("run", "gif") else ["--task", "Reach", "--policy", what]
    done = run("record.py", *options, "--layout-seeds", "3:4", "--out", out)
    assert done.returncode == 0, done.stderr
    assert "layout seed 3: " in done.stdout
    assert out.stat().st_size > 10_000


def test_ctrl_c_saves_and_says_how_to_go_on(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    options = ["--steps", "200000", "--out", str(folder), "--no-video"]
    child = subprocess.Popen(
        [sys.executable, "train.py", *_TINY, *options], cwd=_ROOT, stdout=subprocess.PIPE, text=True
    )
    deadline = time.monotonic() + 120
    while not (folder / "metrics.csv").exists():
        assert child.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.1)
    child.send_signal(signal.SIGINT)
    output, _ = child.communicate(timeout=60)
    assert child.returncode == 130
    assert f"python train.py --resume {folder}" in output
    assert (folder / "resume.pt").exists()
    changed = run("train.py", "--resume", folder, "--steps", "300000")
    assert changed.returncode == 2
    assert "leave out: steps" in changed.stderr


def test_no_renderer_keeps_the_evaluation_and_says_what_to_install(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    done = run("train.py", *_TINY, "--steps", "512", "--out", folder, MUJOCO_GL="disable")
    assert done.returncode == 1
    assert (folder / "evaluation.json").exists()
    assert "apt-get install libegl1" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("command", "says"),
    [
        (["train.py", "--task", "PickPlase"], "did you mean 'PickPlace'? known: Lift, PickPlace, Reach"),
        (["train.py", "--algorithm", "pppo"], "did you mean 'ppo'"),
        (["train.py", "--robot", "ur5"], "no robot 'ur5'; known: panda"),
        (["train.py", "--observation", "pixel"], "did you mean 'pixels'"),
        (["train.py", "--tusk", "Lift"], "--task"),
        (["train.py", "--steps", "0"], "steps must be from 1"),
        (["train.py", "--out", "README.md"], "README.md exists and is not empty"),
        (["train.py", "--resume", "nowhere"], "there is no run folder nowhere"),
        (["train.py", "--resume", "tests"], "tests is not a run of Duet"),
        (["-m", "evaluation", "nowhere"], "there is no run folder nowhere"),
        (["-m", "evaluation", "tests", "--layout-seeds", "5"], "layout seeds are A:B"),
        (["record.py"], "name a run folder, or a task"),
        (["record.py", "runs/x", "--policy", "random"], "leave out --task and --policy"),
        (["train.py", "--episodes", "1000000000000"], "episodes must be from 1 to 1000000"),
        (["-m", "evaluation", "tests", "--layout-seeds", "0:4000000000"], "more than 1,000,000 layouts"),
        (["record.py", "--task", "Lift", "--policy", "expart"], "did you mean 'expert'"),
        (["record.py", "--task", "Lift", "--camera", "frond"], "did you mean 'front'"),
        (["record.py", "--task", "Lift", "--out", "film.avi"], "written as .mp4 or .gif"),
        (["record.py", "--task", "Lift", "--out", "nowhere/film.mp4"], "there is no folder"),
    ],
)
def test_bad_input_is_one_sentence(command: list[str], says: str) -> None:
    done = run(*command)
    assert done.returncode == 2
    assert says in done.stderr + done.stdout
    assert "Traceback" not in done.stderr


def test_a_truncated_checkpoint_is_said(folder: Path, tmp_path: Path) -> None:
    import shutil

    damaged = tmp_path / "damaged"
    shutil.copytree(folder, damaged)
    for path in (damaged / "checkpoints").iterdir():
        path.write_bytes(path.read_bytes()[:1000])
    done = run("-m", "evaluation", damaged)
    assert done.returncode == 2
    assert "truncated or not a checkpoint of Duet" in done.stderr
    assert "Traceback" not in done.stderr


def test_throughput_writes_the_rows_that_scripts_rely_on(tmp_path: Path) -> None:
    file = tmp_path / "rows.json"
    options = ["--tasks", "Reach", "--num-worlds", "1", "8", "--rounds", "1", "--steps", "100"]
    done = run("benchmarks/throughput.py", *options, "--json", file)
    assert done.returncode == 0, done.stderr
    rows = json.loads(file.read_text())
    assert {row["num_worlds"] for row in rows} == {1, 8}
    for row in rows:
        assert row["task"] == "Reach"
        assert row["threads"] >= 1
        assert row["robot_seconds_per_second"] == pytest.approx(row["steps_per_second"] / 25, rel=0.01)
        assert 0 < row["ratio_to_physics"] < 2


def test_training_benchmark_takes_finished_runs_as_they_are(folder: Path, tmp_path: Path) -> None:
    import shutil

    shutil.copytree(folder, tmp_path / "Reach-ppo-0")
    file = tmp_path / "rows.json"
    options = ["--task", "Reach", "--seeds", "1", "--steps", "2048"]
    done = run("benchmarks/training.py", *options, "--out", tmp_path, "--json", file)
    assert done.returncode == 0, done.stderr
    (row,) = read(file)["rows"]
    assert row["successes"] == read(folder / "evaluation.json")["successes"]
    assert [point["steps"] for point in row["curve"]] == [2048]


def _blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", (_ROOT / "README.md").read_text(), re.DOTALL)


def test_the_readme_s_python_runs() -> None:
    (block,) = _blocks("python")
    done = run("-c", block.replace("num_envs=256", "num_envs=8").replace("range(100)", "range(130)"))
    assert done.returncode == 0, done.stderr
    assert re.search(r"world \d: (not )?solved", done.stdout)


def test_the_readme_s_commands_exist() -> None:
    """Every flag in the README is one that the command has; the first two commands are what CI runs."""
    lines = [line.split("#")[0].strip() for block in _blocks("sh") for line in block.splitlines()]
    assert "pip install -e . && python train.py" in lines
    assert 'pip install -e ".[test]" && pytest' in lines
    checked = 0
    for line in lines:
        for command in line.split("&&"):
            words = command.split()
            if words[0] != "python":
                continue
            target = words[1:3] if words[1] == "-m" else words[1:2]
            known = run(*target, "--help").stdout
            for flag in (word for word in words if word.startswith("--")):
                assert flag in known, f"{command}: no flag {flag}"
                checked += 1
    assert checked >= 8
