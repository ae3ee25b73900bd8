"""Run folders: whole, ours, and of this version, or refused in one sentence."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from envs.scene import TICK
from envs.vector import DuetVectorEnv
from evaluation import run as run_module
from evaluation.run import CONFIG, Run, RunError
from policies.agents import DualAgent, SingleAgent
from policies.system1 import checkpoint
from policies.system1.algorithms import build
from policies.system1.config import TrainConfig
from policies.system1.training import CHECKPOINTS
from policies.system1.worlds import make_worlds
from policies.system2.faulty import System2Faults
from policies.system2.planners import make_planner

CONFIGURATION = TrainConfig(task="Reach", steps=100, num_worlds=4).resolved()
DUAL = TrainConfig(task="all", system="dual", steps=100, num_worlds=6, threads=1, latency=0.2).resolved()


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


# Two systems


def with_policy(folder: Path, config: TrainConfig) -> Run:
    """A run whose policy has learned nothing."""
    run = Run.create(config, folder)
    (run.folder / CHECKPOINTS).mkdir()
    model = build(config, make_worlds(config), to_train=False)
    checkpoint.write(run.folder / CHECKPOINTS / "0000000000.pt", checkpoint.policy_state(model, seconds=1.0))
    return run


def test_a_dual_run_opens_as_it_was_created(tmp_path: Path) -> None:
    run = Run.create(DUAL, tmp_path / "run")
    assert Run.open(run.folder).config == DUAL
    values = json.loads((run.folder / CONFIG).read_text())
    assert (values["system"], values["planner"], values["latency"]) == ("dual", "symbolic", 0.2)
    assert run.actor == "System 1 under the symbolic planner"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"planner": "oracle"}, "no planner 'oracle'"),
        ({"planner": 3}, "planner must be str"),
        ({"system": "triple"}, "no system 'triple'"),
        ({"latency": -1.0}, "latency must be from 0"),
        ({"objects": 3}, "leave out --objects"),
        ({"system": "single", "task": "Reach"}, "the single system has no planner"),
    ],
)
def test_a_changed_dual_configuration_is_refused(tmp_path: Path, change: dict, message: str) -> None:
    run = Run.create(DUAL, tmp_path / "run")
    path = run.folder / CONFIG
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(RunError, match=message):
        Run.open(run.folder)


def test_a_runs_name_says_which_system_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert Run.create(DUAL).folder.name.startswith("all-dual-seed0-")
    assert Run.create(CONFIGURATION).folder.name.startswith("Reach-ppo-seed0-")


def test_who_acts_in_a_dual_run_is_system_1_under_the_planner_that_is_given(tmp_path: Path) -> None:
    run = with_policy(tmp_path / "run", DUAL)
    policy = run.policy()
    env = run.make_env(task="Handover", num_envs=2, autoreset=False)
    env.reset(options={"layout_seeds": [0, 1]})
    for planner, latency, calls in ((None, 0.6, 2), (make_planner("frozen"), 0.2, 1)):
        agent = run.agent(policy, env, planner, System2Faults(latency=latency))
        assert isinstance(agent, DualAgent)
        agent.begin(env)
        assert agent.runtime is not None
        for _ in range(11):
            assert agent.act(None).shape == (2, 10)
        assert agent.runtime.counts["calls"].tolist() == [calls] * 2
        late = {message.due - round(message.observed / TICK) for mail in agent.runtime._mail for message in mail}
        assert late == ({15} if planner is None else set())


def test_a_single_policy_does_not_act_where_it_would_see_something_else(tmp_path: Path) -> None:
    run = with_policy(tmp_path / "run", CONFIGURATION)
    policy, env = run.policy(), run.make_env(num_envs=1)
    assert isinstance(run.agent(policy, env), SingleAgent)
    sizes = [space.shape[0] for space in (policy.observation_space, other_env(run).single_observation_space)]  # type: ignore[index]
    with pytest.raises(RunError, match=rf"observes \({sizes[0]},\) numbers; Lift with 1 objects has \({sizes[1]},\)"):
        run.agent(policy, other_env(run))
    for planner, latency in ((make_planner("symbolic"), 0.0), (None, 0.4)):
        with pytest.raises(RunError, match="is a single system; it has no planner"):
            run.agent(policy, env, planner, System2Faults(latency=latency))


def other_env(run: Run) -> DuetVectorEnv:
    return run.make_env(task="Lift", num_envs=1)
