"""The commands as a user types them: a whole small run, interruption, and bad input."""

from __future__ import annotations

import importlib
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
_TINY_DUAL = [
    *("--task", "PickPlace", "--system", "dual", "--num-worlds", "16", "--demonstrations", "16", "--steps", "1024"),
    *("--episodes", "10", "--threads", "1", "--no-video"),
]
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
        (["train.py", "--task", "PickPlase"], "did you mean 'PickPlace'? known: Handover, HandoverPlace, Lift"),
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
        (["record.py"], "name a run folder, a comparison with --comparison, or a task with --task"),
        (["record.py", "runs/x", "--policy", "random"], "leave out --policy and --objects"),
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


# Two systems


@pytest.fixture(scope="module")
def dual(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run of the dual system, made by the command."""
    folder = tmp_path_factory.mktemp("runs") / "dual"
    done = run("train.py", *_TINY_DUAL, "--out", folder)
    assert done.returncode == 0, done.stderr
    assert "Training System 1 under the symbolic planner on PickPlace" in done.stdout
    return folder


def told(module: str, monkeypatch: pytest.MonkeyPatch, *arguments: str | Path) -> int:
    """The exit code of a command, run in this process: what tests of its options need is not its start."""
    monkeypatch.chdir(_ROOT)
    monkeypatch.setattr(sys, "argv", [module, *map(str, arguments)])
    try:
        return importlib.import_module(module).main()
    except SystemExit as error:
        return int(error.code or 0)


def test_a_dual_run_is_evaluated_at_the_end_and_again_with_the_same_result(dual: Path, tmp_path: Path) -> None:
    result = read(dual / "evaluation.json")
    assert set(result) >= _KEYS | {"planner", "planner_calls", "planner_faults", "replans", "no_plan", "actor_steps"}
    assert (result["system"], result["planner"], result["planner_faults"]) == ("dual", "symbolic", 0)
    file = tmp_path / "again.json"
    done = run("-m", "evaluation", dual, "--layout-seeds", "0:10", "--json", file)
    assert done.returncode == 0, done.stderr
    assert read(file) == result


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (
            ["--task", "Tidy", "--objects", "2", "--knock"],
            {"task": "Tidy", "objects": 2, "layout_seeds": "40:44", "episodes": 4},
        ),
        (["--perturb", "push", "--jitter", "1", "--stall", "2", "--wrong-plans", "0.5"], {"perturbation": "push"}),
        (["--task", "Handover", "--latency", "0.4"], {"task": "Handover", "objects": 1, "planner": "symbolic"}),
        (["--planner", "none", "--knock"], {"planner": "none", "successes": 0, "knocked": 0, "replans": 0.0}),
    ],
)
def test_a_dual_run_is_evaluated_on_other_tasks(
    options: list[str],
    expected: dict,
    dual: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    file = tmp_path / "result.json"
    code = told("evaluation.__main__", monkeypatch, dual, *options, "--layout-seeds", "40:44", "--json", file)
    assert code == 0, capsys.readouterr().err
    result = read(file)
    assert {name: result[name] for name in expected} == expected
    assert ("recovery_rate" in result) == ("--knock" in options or "--perturb" in options)
    assert f"{result['task']}: {result['successes']} of 4 unseen layouts solved" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--task", "Lift"], r"observes \(\d+,\) numbers; Lift with 1 objects has \(\d+,\)"),
        (["--task", "Tidy", "--objects", "2"], r"observes \(\d+,\) numbers; Tidy with 2 objects has \(\d+,\)"),
        (["--planner", "symbolic"], "is a single system; it has no planner"),
        (["--latency", "0.2"], "is a single system; it has no planner"),
        (["--wrong-plans", "0.2"], "is a single system; it has no planner"),
        (["--perturb", "push"], "Reach has no perturbation 'push'; it has goal_moves, goal_drifts, goal_changes"),
        (["--knock"], "Reach has no perturbation 'knock'; it has goal_moves"),
        (["--objects", "2"], "the number of Reach's objects is fixed"),
        (["--task", "Tydy"], "did you mean 'Tidy'"),
        (["--planner", "symbolik"], "did you mean 'symbolic'"),
        (["--latency", "-1"], "latency must be from 0 to 60 s, not -1"),
        (["--latency", "nan"], "latency must be from 0 to 60 s, not nan"),
        (["--json", "nowhere/result.json"], "there is no folder"),
    ],
)
def test_what_a_single_run_cannot_be_evaluated_on_is_said_in_a_sentence(
    options: list[str],
    says: str,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert told("evaluation.__main__", monkeypatch, folder, "--layout-seeds", "0:2", *options) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: ")
    assert re.search(says, line)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--system", "duel"], "no system 'duel'; did you mean 'dual'"),
        (["--system", "dual", "--planner", "oracle"], "no planner 'oracle'"),
        (["--system", "dual", "--planner", "learned"], "the learned planner comes from a file"),
        (["--planner", "symbolic"], "the single system has no planner"),
        (["--latency", "0.2"], "the single system has no planner"),
        (["--system", "dual", "--latency", "-1"], "latency must be from 0 to 60, not -1"),
        (["--system", "dual", "--latency", "61"], "latency must be from 0 to 60, not 61"),
        (["--task", "Tidy", "--objects", "9"], "num_objects is 9; Tidy comes with 1, 2, 3, 4, 5, 6, 7, 8"),
        (["--task", "Reach", "--objects", "1"], "the number of Reach's objects is fixed"),
        (["--task", "all"], "needs the dual system"),
        (["--task", "all", "--system", "dual", "--objects", "3"], "leave out --objects"),
        (["--task", "all", "--system", "dual", "--algorithm", "sac"], "learns with ppo, not with sac"),
        (["--task", "al", "--system", "dual"], "did you mean 'all'"),
        (["--system", "dual", "--reward", "sparse"], "leave --observation, --reward and --control as they are"),
    ],
)
def test_bad_options_of_two_systems_are_one_sentence_and_nothing_is_made(
    options: list[str],
    says: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert told("train", monkeypatch, *options, "--out", tmp_path / "run") == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: ")
    assert says in line
    assert not list(tmp_path.iterdir())


def test_a_planner_called_none_is_no_missing_planner(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--system", "dual", "--planner", "none", "--steps", "0"]
    assert told("train", monkeypatch, *options, "--out", tmp_path / "run") == 2
    assert "steps must be from 1" in capsys.readouterr().err
    assert told("train", monkeypatch, "--planner", "none", "--out", tmp_path / "run") == 2
    assert "the single system has no planner" in capsys.readouterr().err


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
