"""Files of checkpoints: whole or refused, and never executed."""

from __future__ import annotations

import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from policies.system1 import checkpoint
from policies.system1.algorithms import build
from policies.system1.checkpoint import CheckpointError
from policies.system1.commanded import space
from policies.system1.config import TrainConfig
from policies.system1.policy import LearnedPolicy
from policies.system1.worlds import make_worlds


class _Trap:
    """Unpickling this writes a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return Path.write_text, (self.path, "executed")


def test_arrays_and_values_survive(tmp_path: Path) -> None:
    state = {
        "flags": np.array([True, False]),
        "words": np.arange(4, dtype=np.uint32),
        "scalar": np.float32(0.5),
        "nothing": np.zeros((0, 3)),
        "zero": np.array(2.5),
        "list": [1, "two", {3: torch.ones(2)}],
    }
    path = tmp_path / "state.pt"
    checkpoint.write(path, state)
    back = checkpoint.read(path)
    for name in ("flags", "words", "nothing", "zero"):
        np.testing.assert_array_equal(back[name], state[name])
        assert back[name].dtype == state[name].dtype  # type: ignore[attr-defined]
    assert back["scalar"] == 0.5
    assert back["list"][:2] == [1, "two"]
    assert torch.equal(back["list"][2][3], torch.ones(2))
    assert [file.name for file in tmp_path.iterdir()] == ["state.pt"]


@pytest.mark.parametrize("legacy", [False, True])
def test_code_in_a_file_is_not_executed(tmp_path: Path, legacy: bool) -> None:
    path, proof = tmp_path / "state.pt", tmp_path / "proof"
    if legacy:
        path.write_bytes(pickle.dumps({"weights": _Trap(proof)}))
    else:
        torch.save({"weights": _Trap(proof)}, path)
    with pytest.raises(CheckpointError, match="not a checkpoint of Duet"):
        checkpoint.read(path)
    assert not proof.exists()


@pytest.mark.parametrize("content", [b"", b"hello", b".", None, "list"])
def test_what_is_no_checkpoint_is_refused(tmp_path: Path, content: bytes | str | None) -> None:
    path = tmp_path / "state.pt"
    if content == "list":
        torch.save([1, 2], path)
    elif content is None:  # truncated
        checkpoint.write(path, {"values": np.arange(1000.0)})
        path.write_bytes(path.read_bytes()[:-500])
    else:
        assert isinstance(content, bytes)
        path.write_bytes(content)
    with pytest.raises(CheckpointError, match="checkpoint of Duet"):
        checkpoint.read(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"none\.pt does not exist"):
        checkpoint.read(tmp_path / "none.pt")


@pytest.fixture(scope="module")
def untrained() -> tuple[TrainConfig, dict]:
    """A dual configuration, and the policy state of its System 1 as it begins."""
    config = TrainConfig(task="Handover", system="dual", num_worlds=2, threads=1).resolved()
    return config, checkpoint.policy_state(build(config, make_worlds(config), to_train=False), seconds=1.0)


def _save(path: Path, state: dict, weights: dict, observations: dict | None = None) -> Path:
    changed = state | {"weights": state["weights"] | weights}
    checkpoint.write(path, changed | ({} if observations is None else {"observations": observations}))
    return path


def test_a_system_1_of_other_sizes_is_refused_with_both_shapes(
    untrained: tuple[TrainConfig, dict], tmp_path: Path
) -> None:
    config, state = untrained
    size = space().shape[0]
    first = "mlp_extractor.policy_net.0.weight"
    width = state["weights"][first].shape[0]
    for other in (torch.zeros(width, size + 3), torch.zeros(width * 2, size)):
        path = _save(tmp_path / "system1.pt", state, {first: other})
        with pytest.raises(CheckpointError, match=r"system1\.pt does not fit this run's configuration") as error:
            LearnedPolicy.load(config, path)
        said = str(error.value)
        assert "\n" not in said
        for shape in (tuple(other.shape), (width, size)):
            assert str(list(shape)) in said


def test_observation_statistics_of_another_size_are_refused_with_both_sizes(
    untrained: tuple[TrainConfig, dict], tmp_path: Path
) -> None:
    config, state = untrained
    size = space().shape[0]
    other = {"mean": np.zeros(size + 3), "var": np.ones(size + 3), "count": 1.0}
    path = _save(tmp_path / "system1.pt", state, {}, other)
    with pytest.raises(CheckpointError, match=rf"\({size + 3},\) numbers, not of \({size},\)"):
        LearnedPolicy.load(config, path)


@pytest.mark.parametrize("missing", ["weights", "observations", "actor_steps"])
def test_a_policy_with_a_part_missing_is_refused(
    missing: str, untrained: tuple[TrainConfig, dict], tmp_path: Path
) -> None:
    config, state = untrained
    path = tmp_path / "system1.pt"
    checkpoint.write(path, {name: value for name, value in state.items() if name != missing})
    with pytest.raises(CheckpointError, match="does not fit"):
        LearnedPolicy.load(config, path)


def test_actions_do_not_depend_on_how_many_are_asked_for(untrained: tuple[TrainConfig, dict], tmp_path: Path) -> None:
    """To the last bit: else an episode that is filmed alone is not the one that was evaluated among others."""
    config, state = untrained
    checkpoint.write(tmp_path / "system1.pt", state)
    policy = LearnedPolicy.load(config, tmp_path / "system1.pt")
    observations = np.random.default_rng(0).normal(size=(64, *(space().shape or ()))).astype(np.float32)
    together = policy.act(observations)
    for size in (1, 2, 3, 5, 16, 31, 47):
        apart = np.concatenate([policy.act(observations[i : i + size]) for i in range(0, 64, size)])
        np.testing.assert_array_equal(apart, together, err_msg=f"{size} at a time")


def test_a_system_1_of_one_task_is_that_of_every_task(untrained: tuple[TrainConfig, dict], tmp_path: Path) -> None:
    """Arms see the same of themselves and of their commands everywhere."""
    config, state = untrained
    checkpoint.write(tmp_path / "system1.pt", state)
    observations = np.random.default_rng(0).normal(size=(4, *(space().shape or ()))).astype(np.float32)
    actions = [
        LearnedPolicy.load(replace(config, task=task), tmp_path / "system1.pt").act(observations)
        for task in ("Handover", "PickPlace", "all")
    ]
    for other in actions[1:]:
        np.testing.assert_array_equal(actions[0], other)
