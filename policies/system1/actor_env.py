"""The arms of many worlds under System 2 as a Stable-Baselines3 `VecEnv`: every arm of every world is one actor.

One command is one episode of an actor: it ends, for good, when the command is done or its object lost, and is cut off
when another command comes in between. So an arm learns to finish what it is told, whatever it is told next.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from gymnasium import spaces
from stable_baselines3.common.vec_env import VecEnv
from stable_baselines3.common.vec_env.base_vec_env import VecEnvIndices

from envs.vector import DuetVectorEnv
from policies.dual import DualRuntime
from policies.scripted import scripted_actions
from policies.system1.commanded import LOST, harm, observe, progress, space
from policies.system1.vec_env import episode_info


class ActorVecEnv(VecEnv):
    """Worlds of one or several tasks, each with the runtime that commands its arms.

    Infos are as those of `SB3VecEnv`, for episodes of worlds; they stand with the first arm of the world.
    """

    def __init__(self, groups: Sequence[tuple[DuetVectorEnv, DualRuntime]]) -> None:
        self.groups = list(groups)
        for env, _ in self.groups:
            if env.make_kwargs["autoreset"]:
                raise ValueError("the worlds must not reset by themselves; make them without autoreset")
        self._arms = [len(env.scene.arms) for env, _ in self.groups]
        self._sizes = [env.num_envs * arms for (env, _), arms in zip(self.groups, self._arms, strict=True)]
        self.render_mode = None
        self.action_names = tuple(self.groups[0][0].controller.arm_action)
        super().__init__(sum(self._sizes), space(), spaces.Box(-1.0, 1.0, (len(self.action_names),), np.float32))
        self.num_worlds = sum(env.num_envs for env, _ in self.groups)
        self.returns = np.zeros(self.num_worlds)
        self._seed: int | None = None
        self._actions = np.zeros(0)

    def seed(self, seed: int | None = None) -> Sequence[int | None]:
        """The next reset starts the worlds on the streams of layouts from `seed` on."""
        self._seed = seed
        return [None if seed is None else seed + i for i in range(self.num_envs)]

    def reset(self) -> np.ndarray:
        first = self._seed
        for env, runtime in self.groups:
            env.reset(seed=first)
            first = None if first is None else first + env.num_envs
            runtime.begin(np.arange(env.num_envs))
        self.returns[:] = 0.0
        self._seed = None
        self.reset_infos = [{} for _ in range(self.num_envs)]
        return self._observe()

    def _observe(self) -> np.ndarray:
        return np.concatenate([observe(runtime.actors) for _, runtime in self.groups])

    def step_async(self, actions: np.ndarray) -> None:
        self._actions = actions

    def step_wait(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, list[dict[str, Any]]]:
        infos: list[dict[str, Any]] = [{} for _ in range(self.num_envs)]
        rewards, dones = np.zeros(self.num_envs, dtype=np.float32), np.zeros(self.num_envs, dtype=bool)
        first_actor = first_world = 0
        for (env, runtime), size in zip(self.groups, self._sizes, strict=True):
            mine = slice(first_actor, first_actor + size)
            worlds = slice(first_world, first_world + env.num_envs)
            actions = self._actions[mine].reshape(env.num_envs, -1)
            rewards[mine], dones[mine] = self._advance(env, runtime, actions, infos, first_actor, self.returns[worlds])
            first_actor, first_world = mine.stop, worlds.stop
        return self._observe(), rewards, dones, infos

    def _advance(
        self,
        env: DuetVectorEnv,
        runtime: DualRuntime,
        actions: np.ndarray,
        infos: list[dict[str, Any]],
        first: int,
        returns: np.ndarray,
    ) -> tuple[np.ndarray, np.ndarray]:
        """One tick of one group, whose actors are numbered from `first` on. Returns rewards and ends, (N * A,)."""
        arms = len(env.scene.arms)
        _, reward, success, truncated, world_infos = env.step(actions)
        returns += reward
        events = runtime.update()
        over = success | truncated
        # what cannot be planned for any more is as bad as lost
        lost = events.lost | events.stuck[:, None]
        gain = progress(runtime.seen) - 1.0 + LOST * lost - harm(runtime.seen)
        ended = events.done | lost | success[:, None]
        cut = (events.replaced | over[:, None]) & ~ended
        done = (ended | cut).reshape(-1)
        if done.any():
            last = observe(runtime.seen)
            for actor in np.flatnonzero(done).tolist():
                infos[first + actor] = {
                    "terminal_observation": last[actor],
                    "TimeLimit.truncated": bool(cut[actor // arms, actor % arms]),
                }
        for i in np.flatnonzero(over).tolist():
            infos[first + i * arms] |= {"task": env.task_name, **episode_info(world_infos, i, returns[i])}
        if over.any():
            returns[over] = 0.0
            env.reset(options={"reset_mask": over})
            runtime.begin(np.flatnonzero(over))
        return gain.reshape(-1), done

    def scripted_actions(self) -> np.ndarray:
        """(num_envs, A) what the scripted System 1 would do now."""
        size = len(self.action_names)
        return np.concatenate([scripted_actions(runtime.actors).reshape(-1, size) for _, runtime in self.groups])

    def close(self) -> None:
        for env, _ in self.groups:
            env.close()

    # What a checkpoint holds

    def get_state(self) -> dict[str, Any]:
        """Everything that the future of the worlds and of their commands depends on."""
        return {
            str(k): {"worlds": env.get_state(), "runtime": runtime.get_state()}
            for k, (env, runtime) in enumerate(self.groups)
        }

    def set_state(self, state: dict[str, Any]) -> None:
        """Continue from what `get_state` returned."""
        for k, (env, runtime) in enumerate(self.groups):
            env.set_state(state[str(k)]["worlds"])
            runtime.set_state(state[str(k)]["runtime"])

    # The rest of the interface

    def get_attr(self, attr_name: str, indices: VecEnvIndices = None) -> list[Any]:
        return [getattr(self, attr_name)] * len(list(self._get_indices(indices)))

    def set_attr(self, attr_name: str, value: Any, indices: VecEnvIndices = None) -> None:
        setattr(self, attr_name, value)

    def env_method(self, method_name: str, *args: Any, indices: VecEnvIndices = None, **kwargs: Any) -> list[Any]:
        return [getattr(self, method_name)(*args, **kwargs)] * len(list(self._get_indices(indices)))

    def env_is_wrapped(self, wrapper_class: type, indices: VecEnvIndices = None) -> list[bool]:
        return [False] * len(list(self._get_indices(indices)))
