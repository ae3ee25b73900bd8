"""The options of a training: resolved from tuned settings, and refused with a reason."""

from __future__ import annotations

from typing import Any

import pytest

from envs.registration import TASK_NAMES
from policies.system1.config import TrainConfig
from policies.system1.settings import ALGORITHMS


@pytest.mark.parametrize("task", TASK_NAMES)
@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_every_algorithm_is_tuned_for_every_task(task: str, algorithm: str) -> None:
    config = TrainConfig(task=task, algorithm=algorithm).resolved()
    assert all(value is not None for value in vars(config).values())


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
    ],
)
def test_a_bad_option_is_refused_with_a_reason(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        TrainConfig(**options).resolved()
