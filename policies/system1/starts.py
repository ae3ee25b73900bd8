"""Start states for training: what the scripted expert passes through, evenly over the stages of the task."""

from __future__ import annotations

import numpy as np

from envs.layout import StartStates
from envs.vector import DuetVectorEnv
from policies.expert import Expert

_WORLDS = 128
_SEED = 1 << 31  # a stream of layouts that no training and no evaluation draws from
_TICKS_A_STAGE = 25  # of an episode that are kept while it stays in one stage
_NOISE = 0.2  # standard deviation added to the expert's actions: states that a learner gets into


def expert_starts(env: DuetVectorEnv, share: float) -> StartStates:
    """Start states for the task of `env`, whose worlds are left alone, for a `share` of its episodes."""
    kwargs = env.make_kwargs | {"num_envs": _WORLDS, "autoreset": False, "render_mode": None}
    own = DuetVectorEnv(**kwargs)
    own.reset(seed=_SEED)
    expert, random = Expert(own), np.random.default_rng(_SEED)
    rows: list[dict[str, np.ndarray]] = []
    stages: list[np.ndarray] = []
    going = np.ones(_WORLDS, dtype=bool)
    since = np.zeros(_WORLDS, dtype=np.int64)
    before = np.zeros(_WORLDS, dtype=np.int64)
    for _ in range(own.max_ticks):
        action = expert.act() + random.normal(0.0, _NOISE, own.action_space.shape)
        _, _, terminated, truncated, infos = own.step(np.clip(action, -1.0, 1.0))
        going &= ~(terminated | truncated)
        if not going.any():
            break
        # an expert that noise keeps from finishing must not fill the bank with one moment
        since = np.where(infos["stage"] == before, since + 1, 0)
        before = infos["stage"]
        kept = going & (since < _TICKS_A_STAGE)
        rows.append({name: values[kept] for name, values in own.get_scene_state().items()})
        stages.append(infos["stage"][kept])
    own.close()
    stage = np.concatenate(stages)
    order = np.argsort(stage, kind="stable")
    states = {name: np.concatenate([row[name] for row in rows])[order] for name in rows[0]}
    return StartStates(states, stage[order], share)
