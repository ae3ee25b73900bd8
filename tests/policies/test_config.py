"""The options of a training: resolved from tuned settings, and refused with a reason."""

from __future__ import annotations

from typing import Any

import pytest

from envs.registration import TASK_NAMES
from envs.scene import TICK
from policies.system1.config import ALL, MIXTURE, TrainConfig
from policies.system1.settings import ALGORITHMS
from policies.system1.worlds import make_worlds

_MAY_BE_OPEN = {
    "planner",
    "planner_file",
    "objects",
}  # the single system has no planner, and every task a usual number of objects


@pytest.mark.parametrize("task", TASK_NAMES)
@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_every_algorithm_is_tuned_for_every_task(task: str, algorithm: str) -> None:
    config = TrainConfig(task=task, algorithm=algorithm).resolved()
    assert {name for name, value in vars(config).items() if value is None} == _MAY_BE_OPEN


@pytest.mark.parametrize("task", [*TASK_NAMES, ALL])
def test_the_dual_system_is_tuned_for_every_task(task: str) -> None:
    config = TrainConfig(task=task, system="dual").resolved()
    assert {name for name, value in vars(config).items() if value is None} == {"objects", "planner_file"}
    assert config.planner == "symbolic"
    assert config.tasks == (MIXTURE if task == ALL else (task,))
    # resolving again changes nothing: what a run folder holds is resolved
    assert config.resolved() == config


@pytest.mark.parametrize("task", TASK_NAMES)
def test_both_systems_have_the_same_budget(task: str) -> None:
    single, dual = (TrainConfig(task=task, system=system).resolved() for system in ("single", "dual"))
    assert single.steps == dual.steps


def test_a_mixture_shares_its_worlds_evenly_and_keeps_all_of_them() -> None:
    config = TrainConfig(task=ALL, system="dual", num_worlds=15, threads=1, latency=0.4).resolved()
    worlds = make_worlds(config)
    assert [env.task_name for env, _ in worlds.groups] == list(MIXTURE)  # type: ignore[union-attr]
    assert [env.num_envs for env, _ in worlds.groups] == [3, 3, 3, 2, 2, 2]  # type: ignore[union-attr]
    worlds.seed(0)
    worlds.reset()
    drawn = [int(tick) for _, runtime in worlds.groups for tick in runtime.counts["latency"]]  # type: ignore[union-attr]
    assert config.latency_ticks == (0, 10)
    assert len(set(drawn)) > 4
    assert min(drawn) >= 0
    assert max(drawn) * TICK <= 0.4


def test_own_values_win_over_tuned_ones() -> None:
    config = TrainConfig(steps=123, learning_rate=0.5, gamma=0.9).resolved()
    assert (config.steps, config.settings().learning_rate, config.settings().gamma) == (123, 0.5, 0.9)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"task": "PickPlase"}, "no task 'PickPlase'; did you mean 'PickPlace'"),
        ({"algorithm": "pp0"}, "no algorithm 'pp0'; did you mean 'ppo'"),
        ({"robot": "pander"}, "no robot 'pander'; did you mean 'panda'"),
        ({"observation": "stat"}, "no observation mode 'stat'; did you mean 'state'"),
        ({"control": "cartesain"}, "did you mean 'cartesian'"),
        ({"reward": "none"}, "no reward 'none'.*known: dense, sparse"),
        ({"device": "tpu"}, "known: auto, cpu, cuda"),
        ({"steps": 0}, "steps must be from 1 to"),
        ({"num_worlds": -1}, "num_worlds must be from 1"),
        ({"seed": -1}, "seed must be from 0"),
        ({"starts": 1.5}, "starts must be from 0 to 1"),
        ({"learning_rate": float("nan")}, "learning_rate must be between"),
        ({"algorithm": "sac", "observation": "state"}, "hindsight goals"),
        ({"observation": "pixels"}, "pixels is not supported"),
        ({"control": "joints"}, "--starts 0 --demonstrations 0"),
        ({"observation": "goal", "demonstrations": 9}, "state observations only"),
        ({"system": "duel"}, "no system 'duel'; did you mean 'dual'.*known: single, dual"),
        ({"system": "dual", "task": "Handovr"}, "did you mean 'Handover'.*known: .*all"),
        ({"task": "all"}, "needs the dual system; pass --system dual, or one task"),
        ({"task": "all", "system": "dual", "objects": 3}, "leave out --objects"),
        ({"system": "dual", "algorithm": "sac"}, "learns with ppo, not with sac"),
        ({"system": "dual", "planner": "symbolc"}, "no planner 'symbolc'; did you mean 'symbolic'.*known: "),
        ({"system": "dual", "observation": "goal"}, "leave --observation, --reward and --control as they are"),
        ({"system": "dual", "reward": "sparse"}, "leave --observation, --reward and --control as they are"),
        ({"system": "dual", "control": "joints", "demonstrations": 0}, "leave --observation, --reward and --control"),
        ({"planner": "symbolic"}, "the single system has no planner; leave out its flags"),
        ({"planner": "nonsense"}, "the single system has no planner"),
        ({"latency": 0.2}, "the single system has no planner; leave out its flags"),
        ({"system": "dual", "latency": -0.1}, "latency must be from 0 to 60, not -0.1"),
        ({"system": "dual", "latency": 61}, "latency must be from 0 to 60, not 61"),
        ({"system": "dual", "latency": float("nan")}, "latency must be from 0 to 60, not nan"),
        ({"system": "dual", "latency": "fast"}, "latency must be float, not 'fast'"),
        ({"task": "PickPlace", "objects": 2}, "the number of PickPlace's objects is fixed"),
        ({"task": "Tidy", "objects": 9}, "num_objects is 9; Tidy comes with 1, 2, 3, 4, 5, 6, 7, 8"),
        ({"task": "Tidy", "objects": 0}, "num_objects is 0; Tidy comes with"),
        ({"task": "Relay", "system": "dual", "objects": 1}, "num_objects is 1; Relay comes with 2, 3, 4"),
        ({"task": "Tidy", "objects": "many"}, "objects must be int or NoneType, not 'many'"),
    ],
)
def test_a_bad_option_is_refused_with_a_reason(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message) as error:
        TrainConfig(**options).resolved()
    assert "\n" not in str(error.value)
