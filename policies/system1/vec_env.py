"""Duet's batched worlds as a Stable-Baselines3 `VecEnv`: one process, no copies of the environment."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from stable_baselines3.common.vec_env import VecEnv
from stable_baselines3.common.vec_env.base_vec_env import VecEnvIndices

from envs.scene import TICK
from envs.vector import DuetVectorEnv


def episode_info(infos: dict[str, np.ndarray], world: int, total: float) -> dict[str, Any]:
    """What Stable-Baselines3 and its callbacks are told of a world whose episode has ended with the return `total`."""
    ticks = int(infos["tick"][world])
    return {
        "is_success": bool(infos["is_success"][world]),
        "best_stage": int(infos["best_stage"][world]),
        "layout_seed": int(infos["layout_seed"][world]),
        "aided": bool(infos["aided"][world]),
        "diverged": bool(infos["diverged"][world]),
        "episode": {"r": float(total), "l": ticks, "t": ticks * TICK},
    }


class SB3VecEnv(VecEnv):
    """Wraps a `DuetVectorEnv` that resets finished worlds by itself.

    The info dict of a world is empty but where its episode ends. There it holds what Stable-Baselines3 and its
    callbacks read: `terminal_observation`, `TimeLimit.truncated`, `is_success` and `episode` (return `r`, length
    `l` in ticks, duration `t` in simulated seconds), and Duet's own `best_stage`, `layout_seed`, `aided` and
    `diverged`.
    """

    def __init__(self, env: DuetVectorEnv) -> None:
        if not env.make_kwargs["autoreset"]:
            raise ValueError("the environment must reset finished worlds by itself; make it with autoreset")
        self.env = env
        self.render_mode = env.render_mode
        self.num_worlds = env.num_envs
        self.action_names = env.action_names
        super().__init__(env.num_envs, env.single_observation_space, env.single_action_space)
        self._seed: int | None = None
        self._options_once: dict[str, Any] = {}
        self._actions = np.zeros(0)
        self.returns = np.zeros(env.num_envs)

    def seed(self, seed: int | None = None) -> Sequence[int | None]:
        """The next reset starts world i on the stream of layouts `seed + i`."""
        self._seed = seed
        return [None if seed is None else seed + i for i in range(self.num_envs)]

    def set_options(self, options: list[dict] | dict | None = None) -> None:
        """Options of the next reset, for all worlds at once (see `DuetVectorEnv.reset`)."""
        if isinstance(options, list):
            raise ValueError("one dict of options serves all worlds; a list of dicts was given")
        self._options_once = options or {}

    def reset(self) -> Any:
        observation, _ = self.env.reset(seed=self._seed, options=self._options_once)
        self.reset_infos = [{} for _ in range(self.num_envs)]
        self._seed, self._options_once = None, {}
        self.returns[:] = 0.0
        return observation

    def step_async(self, actions: np.ndarray) -> None:
        self._actions = actions

    def step_wait(self) -> tuple[Any, np.ndarray, np.ndarray, list[dict[str, Any]]]:
        observation, rewards, terminated, truncated, infos = self.env.step(self._actions)
        done = terminated | truncated
        self.returns += rewards
        per_world: list[dict[str, Any]] = [{} for _ in range(self.num_envs)]
        final = infos.get("final_info", {})
        for i in np.flatnonzero(done).tolist():
            per_world[i] = {
                "terminal_observation": infos["final_obs"][i],
                "TimeLimit.truncated": bool(truncated[i]),
                **episode_info(final, i, self.returns[i]),
            }
        self.returns[done] = 0.0
        return observation, rewards.astype(np.float32), done, per_world

    def get_state(self) -> dict[str, Any]:
        """Everything that the future of the worlds depends on."""
        return self.env.get_state()

    def set_state(self, state: dict[str, Any]) -> None:
        """Continue from what `get_state` returned."""
        self.env.set_state(state)

    def close(self) -> None:
        self.env.close()

    def get_images(self) -> Sequence[np.ndarray | None]:
        return list(self.env.render() or ())

    def get_attr(self, attr_name: str, indices: VecEnvIndices = None) -> list[Any]:
        return [getattr(self.env, attr_name)] * len(self._indices(indices))

    def set_attr(self, attr_name: str, value: Any, indices: VecEnvIndices = None) -> None:
        setattr(self.env, attr_name, value)

    def has_attr(self, attr_name: str) -> bool:
        return hasattr(self.env, attr_name)

    def env_method(self, method_name: str, *args: Any, indices: VecEnvIndices = None, **kwargs: Any) -> list[Any]:
        """The environment's method, called once: it serves all worlds."""
        return [getattr(self.env, method_name)(*args, **kwargs)] * len(self._indices(indices))

    def env_is_wrapped(self, wrapper_class: type, indices: VecEnvIndices = None) -> list[bool]:
        return [False] * len(self._indices(indices))

    def _indices(self, indices: VecEnvIndices) -> list[int]:
        return list(self._get_indices(indices))
