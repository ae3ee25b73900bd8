"""The worlds that a configuration trains in, as Stable-Baselines3 wants them."""

from __future__ import annotations

from policies.dual import DualRuntime
from policies.system1.actor_env import ActorVecEnv
from policies.system1.config import TrainConfig
from policies.system1.vec_env import SB3VecEnv


def make_worlds(
    config: TrainConfig, num_worlds: int | None = None, threads: int | None = None
) -> SB3VecEnv | ActorVecEnv:
    """Worlds for a resolved configuration; `num_worlds` and `threads` replace its own."""
    num_worlds = config.num_worlds if num_worlds is None else num_worlds
    threads = config.threads if threads is None else threads
    assert num_worlds is not None
    if config.system == "single":
        return SB3VecEnv(config.make_env(num_envs=num_worlds, threads=threads))
    tasks = config.tasks[:num_worlds]
    groups = []
    for k, task in enumerate(tasks):
        share = num_worlds // len(tasks) + (k < num_worlds % len(tasks))
        env = config.make_env(task=task, num_envs=share, threads=threads, autoreset=False)
        groups.append((env, DualRuntime(env, config.make_planner(), latency=config.latency_ticks)))
    return ActorVecEnv(groups)
