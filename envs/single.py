"""One world of a task behind Gymnasium's `Env`: a batch of one."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np

from envs.senses import row
from envs.vector import DuetVectorEnv


class DuetEnv(gym.Env):
    """One world of a task, exactly as in a `DuetVectorEnv` of one world that its caller resets.

    It takes the arguments of `DuetVectorEnv` except `num_envs` and `autoreset`, and lends its attributes, such as
    `parts`, `action_names` and `task_name`, and `compute_reward` with goal observations. Values in the info dict are
    Python's bool, int and float.
    """

    metadata: dict[str, Any] = {
        "render_modes": DuetVectorEnv.metadata["render_modes"],
        "render_fps": DuetVectorEnv.metadata["render_fps"],
    }

    def __init__(self, **kwargs: Any) -> None:
        self.batch = DuetVectorEnv(1, autoreset=False, **kwargs)
        self.render_mode = self.batch.render_mode
        self.observation_space = self.batch.single_observation_space
        self.action_space = self.batch.single_action_space
        if self.batch.observation_mode == "goal":
            # libraries take an environment that has this for a goal-conditioned one
            self.compute_reward = self.batch.compute_reward

    def __getattr__(self, name: str) -> Any:
        if name in ("batch", "compute_reward") or name.startswith("_"):  # without them, there is nothing to lend
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        return getattr(self.batch, name)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        """Begin a new episode.

        Its layout is the next of the stream `seed` (without a seed, of the stream in use), or the one that
        `options={"layout_seed": 7}` names.
        """
        super().reset(seed=seed)
        options = dict(options or {})
        named = options.pop("layout_seed", None)
        if options:
            raise ValueError(f"no reset option {sorted(options)[0]!r}; known: layout_seed")
        observation, infos = self.batch.reset(seed=seed, options=None if named is None else {"layout_seeds": [named]})
        return row(observation, 0), _scalars(infos)

    def step(self, action: np.ndarray) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        """Advance one tick with an (A,) action."""
        action = np.asarray(action)
        if action.shape != self.action_space.shape:
            raise ValueError(f"the action must have the shape {self.action_space.shape}, not {action.shape}")
        observation, reward, terminated, truncated, infos = self.batch.step(action[None])
        return row(observation, 0), float(reward[0]), bool(terminated[0]), bool(truncated[0]), _scalars(infos)

    def render(self) -> np.ndarray | None:
        """(height, width, 3) uint8 picture (`rgb_array`), or nothing but the window's next picture (`human`)."""
        frames = self.batch.render()
        return None if frames is None else frames[0]

    def close(self) -> None:
        self.batch.close()


def _scalars(infos: dict[str, np.ndarray]) -> dict[str, Any]:
    return {name: values.item() for name, values in infos.items()}
