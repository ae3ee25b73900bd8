"""What a training leaves on disk: tensors and plain values, which cannot execute code when they are loaded.

`policy_state` is all that acting needs; `training_state` is the rest of what going on needs. Both are dicts of
tensors, numbers, strings, lists and dicts, written by `write` and read by `read`.
"""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import numpy as np
import torch
from stable_baselines3 import HerReplayBuffer
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.off_policy_algorithm import OffPolicyAlgorithm
from stable_baselines3.common.running_mean_std import RunningMeanStd

from policies.files import written_whole
from policies.system1.algorithms import normalizer, world_steps

_HER_FIELDS = ("actions", "rewards", "dones", "timeouts", "ep_start", "ep_length")  # a row for every tick


class CheckpointError(ValueError):
    """A file that is no checkpoint of ours, or not a whole one."""


def write(path: Path, state: dict[str, Any]) -> None:
    """Write a state; the file is there whole or not at all.

    Raises:
        OSError: it cannot be written.
    """
    try:
        with written_whole(path) as aside:
            torch.save(_packed(state), aside)
    except RuntimeError as error:  # what PyTorch makes of a full disk
        raise OSError(f"{path} cannot be written ({str(error).splitlines()[0][:100]})") from None


def read(path: Path) -> dict[str, Any]:
    """Read what `write` wrote. Nothing in the file is executed.

    Raises:
        CheckpointError: the file is missing, truncated, or holds something else.
    """
    try:
        state = _unpacked(torch.load(path, map_location="cpu", weights_only=True))
    except FileNotFoundError:
        raise CheckpointError(f"{path} does not exist") from None
    except Exception as error:
        reason = str(error).splitlines()[0][:100] if str(error) else type(error).__name__
        raise CheckpointError(f"{path} is truncated or not a checkpoint of Duet ({reason})") from None
    if not isinstance(state, dict):
        raise CheckpointError(f"{path} is not a checkpoint of Duet")
    return state


def policy_state(model: BaseAlgorithm, seconds: float) -> dict[str, Any]:
    """Weights and observation statistics, and the steps and seconds of learning that they took."""
    return {
        "steps": world_steps(model),
        "actor_steps": model.num_timesteps,
        "seconds": seconds,
        "weights": model.policy.state_dict(),
        "observations": _statistics(normalizer(model).obs_rms),
    }


def load_policy_state(model: BaseAlgorithm, state: dict[str, Any], source: Path) -> None:
    """Put a `policy_state` into a model of the same configuration.

    Raises:
        CheckpointError: it belongs to a model of other shapes.
    """
    try:
        for name, mine in model.policy.state_dict().items():
            theirs = state["weights"].get(name, mine)
            if theirs.shape != mine.shape:
                raise ValueError(f"{name} has the shape {list(theirs.shape)} there, and {list(mine.shape)} here")
        model.policy.load_state_dict(state["weights"])
        _set_statistics(normalizer(model).obs_rms, state["observations"])
        model.num_timesteps = int(state["actor_steps"])
    except (KeyError, RuntimeError, AttributeError, TypeError, ValueError) as error:
        reason = " ".join(str(error).split())[:200]
        raise CheckpointError(f"{source} does not fit this run's configuration: {reason}") from None


def training_state(model: BaseAlgorithm) -> dict[str, Any]:
    """Everything besides `policy_state` that makes a continued training the same as an uninterrupted one."""
    norm = normalizer(model)
    optimizers = {name: value for name, value in model.get_parameters().items() if "optimizer" in name}
    state: dict[str, Any] = {
        "optimizers": optimizers,
        "updates": model._n_updates,
        "episodes": model._episode_num,
        "random": {
            "python": random.getstate(),
            "numpy": np.random.get_state(),  # noqa: NPY002 (Stable-Baselines3 draws from it)
            "torch": torch.get_rng_state(),
            "cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
        },
        "returns": _statistics(norm.ret_rms),
        "return_now": norm.returns,
        "last_observation": model._last_obs,
        "last_original": model._last_original_obs if model._last_original_obs is not None else norm.old_obs,
        "last_starts": model._last_episode_starts,
        "worlds": norm.venv.get_state(),  # type: ignore[attr-defined]
        "episode_returns": norm.venv.returns,  # type: ignore[attr-defined]
    }
    if isinstance(model, OffPolicyAlgorithm):
        state["replay"] = _replay(model)
        if getattr(model, "log_ent_coef", None) is not None:
            state["log_entropy_weight"] = model.log_ent_coef.detach()  # type: ignore[attr-defined]
    return state


def load_training_state(model: BaseAlgorithm, state: dict[str, Any]) -> None:
    """Make a model go on from a `training_state`; its `policy_state` has been loaded."""
    norm = normalizer(model)
    model.set_parameters({"policy": model.policy.state_dict()} | state["optimizers"], exact_match=True)
    model._n_updates = state["updates"]
    model._episode_num = state["episodes"]
    _set_statistics(norm.ret_rms, state["returns"])
    norm.returns = state["return_now"]
    norm.old_obs = state["last_original"]
    model._last_obs = state["last_observation"]
    model._last_original_obs = state["last_original"]
    model._last_episode_starts = state["last_starts"]
    norm.venv.set_state(state["worlds"])  # type: ignore[attr-defined]
    norm.venv.returns[:] = state["episode_returns"]  # type: ignore[attr-defined]
    if isinstance(model, OffPolicyAlgorithm):
        _set_replay(model, state["replay"])
        if "log_entropy_weight" in state:
            model.log_ent_coef.data.copy_(state["log_entropy_weight"])  # type: ignore[attr-defined]
    # last: nothing above may draw from them
    python, numpy, torch_state = (state["random"][name] for name in ("python", "numpy", "torch"))
    random.setstate((python[0], tuple(python[1]), python[2]))
    np.random.set_state(tuple(numpy))  # noqa: NPY002
    torch.set_rng_state(torch_state)
    if torch.cuda.is_available():
        torch.cuda.set_rng_state_all(state["random"]["cuda"])


def _replay(model: OffPolicyAlgorithm) -> dict[str, Any]:
    buffer = model.replay_buffer
    assert isinstance(buffer, HerReplayBuffer)
    filled = buffer.size()
    return {
        "position": buffer.pos,
        "full": buffer.full,
        "observations": {key: values[:filled] for key, values in buffer.observations.items()},
        "next_observations": {key: values[:filled] for key, values in buffer.next_observations.items()},
        **{name: getattr(buffer, name)[:filled] for name in _HER_FIELDS},
        "_current_ep_start": buffer._current_ep_start,
    }


def _set_replay(model: OffPolicyAlgorithm, state: dict[str, Any]) -> None:
    buffer = model.replay_buffer
    assert isinstance(buffer, HerReplayBuffer)
    buffer.pos, buffer.full = state["position"], state["full"]
    for mine, saved in (
        (buffer.observations, state["observations"]),
        (buffer.next_observations, state["next_observations"]),
    ):
        for key, values in saved.items():
            mine[key][: len(values)] = values
    for name in _HER_FIELDS:
        getattr(buffer, name)[: len(state[name])] = state[name]
    buffer._current_ep_start[:] = state["_current_ep_start"]


def _statistics(rms: RunningMeanStd | dict[str, RunningMeanStd]) -> dict[str, Any]:
    if isinstance(rms, dict):
        return {key: _statistics(one) for key, one in rms.items()}
    return {"mean": np.asarray(rms.mean), "var": np.asarray(rms.var), "count": float(rms.count)}


def _set_statistics(rms: RunningMeanStd | dict[str, RunningMeanStd], state: dict[str, Any]) -> None:
    if isinstance(rms, dict):
        for key, one in rms.items():
            _set_statistics(one, state[key])
    else:
        if np.shape(rms.mean) != np.shape(state["mean"]) or np.shape(rms.var) != np.shape(state["var"]):
            raise ValueError(f"statistics of {np.shape(state['mean'])} numbers, not of {np.shape(rms.mean)}")
        rms.mean, rms.var, rms.count = state["mean"], state["var"], state["count"]


# NumPy arrays travel as marked tensors: `weights_only` loading takes no others.
_ARRAY = "__numpy__"


def _packed(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        kind = str(value.dtype)
        # torch lacks some unsigned types; all of our numbers fit the signed ones
        plain = value.astype(np.int64) if value.dtype.kind == "u" else value
        return {_ARRAY: kind, "values": torch.from_numpy(np.ascontiguousarray(plain).reshape(value.shape).copy())}
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, dict):
        return {key: _packed(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_packed(one) for one in value]
    return value


def _unpacked(value: Any) -> Any:
    if isinstance(value, dict):
        if _ARRAY in value:
            return value["values"].numpy().astype(value[_ARRAY])
        return {key: _unpacked(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_unpacked(one) for one in value]
    return value
