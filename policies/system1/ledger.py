"""The ledger of a training: what it cost, and what it was given. A comparison is only as fair as two of them agree."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from stable_baselines3.common.base_class import BaseAlgorithm

from policies.files import written_whole
from policies.system1 import commanded
from policies.system1.actor_env import ActorVecEnv
from policies.system1.algorithms import world_steps
from policies.system1.config import TrainConfig
from policies.system1.vec_env import SB3VecEnv

LEDGER = "ledger.json"


@dataclass
class Spent:
    """What a training has used up so far, over all sittings."""

    seconds: float = 0.0
    """Wall time, with the making of demonstrations."""
    cpu_seconds: float = 0.0
    """Of all threads."""
    shown_steps: int = 0
    """Environment steps of the expert's episodes."""
    planner_calls: int = 0
    """In the learning and in the demonstrations."""

    def __add__(self, other: Spent) -> Spent:
        return Spent(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(self)))


def planner_calls(worlds: SB3VecEnv | ActorVecEnv) -> int:
    """Calls of System 2 so far; 0 where there is none."""
    return sum(len(runtime.plan_seconds) for _, runtime in worlds.groups) if isinstance(worlds, ActorVecEnv) else 0


def write_ledger(
    folder: Path, config: TrainConfig, model: BaseAlgorithm, worlds: SB3VecEnv | ActorVecEnv, spent: Spent
) -> None:
    """Write the ledger of a training as it stands."""
    if isinstance(worlds, ActorVecEnv):
        observed, reward = [name for name, *_ in commanded.PARTS], "progress of commands"
    else:
        observed, reward = [part.name for part in worlds.env.parts], f"progress of the task ({config.reward})"
    ledger: dict[str, Any] = {
        "environment_steps": world_steps(model),
        "actor_steps": model.num_timesteps,
        **asdict(spent),
        "parameters": sum(weights.numel() for weights in model.policy.parameters()),
        "observation": observed,
        "reward": reward,
        "demonstrations": config.demonstrations,
        "starts": config.starts,
        "planner": config.planner,
        "gamma": config.gamma,
    }
    with written_whole(folder / LEDGER) as aside:
        aside.write_text(json.dumps(ledger, indent=2) + "\n")
