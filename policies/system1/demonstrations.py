"""What the scripted expert gives to learning: states to start from, and actions and returns to begin with.

Both are aids, which a configuration can turn off (`starts`, `demonstrations`) and a run records.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from stable_baselines3 import PPO
from stable_baselines3.common.vec_env import VecNormalize

from envs.layout import StartStates
from envs.vector import DuetVectorEnv
from policies.expert import Expert
from policies.system1.actor_env import ActorVecEnv

# (standard deviation) added to what the expert does but not to what it says, so that it shows the way back too:
# Laskey et al. 2017, "DART: Noise injection for robust imitation learning"
NOISE = 0.2
_STEP = 0.05  # of a stage: an episode gives a start state whenever it is this much further than ever before
_BATCH = 512
_LEARNING_RATE = 1e-3
_SETTLED = 1e15  # observations behind a running mean that no training will move


@dataclass(frozen=True)
class Demonstrations:
    """Episodes of the expert, tick by tick."""

    observations: np.ndarray
    """(n, S) as the learner sees them."""
    actions: np.ndarray
    """(n, A) what the expert asks for in each."""
    returns: np.ndarray
    """(n,) discounted sum of the rewards from each on."""
    steps: int
    """Environment steps that they took."""
    states: dict[str, np.ndarray] = field(default_factory=dict)
    """Rows of `DuetVectorEnv.get_scene_state`, sorted by stage."""
    stages: np.ndarray = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    """Stages done in each of these states."""

    def starts(self, share: float) -> StartStates:
        """Start states for a share of the training episodes, evenly over the stages."""
        return StartStates(self.states, self.stages, share)


def demonstrate(env: DuetVectorEnv, episodes: int, gamma: float, seed: int) -> Demonstrations:
    """Let the expert do the task of `env`, whose own worlds are left alone, on the streams of layouts from `seed` on.

    Raises:
        ValueError: the expert cannot do it.
    """
    changes: dict[str, Any] = {
        "num_envs": episodes,
        "autoreset": False,
        "render_mode": None,
        "reward": "dense",
        "observation": "state",
    }
    own = DuetVectorEnv(**env.make_kwargs | changes)
    observation, _ = own.reset(seed=seed)
    expert, random = Expert(own), np.random.default_rng(seed)
    going, best = np.ones(episodes, dtype=bool), np.full(episodes, -1.0)
    shown: list[tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]] = []
    states: list[dict[str, np.ndarray]] = []
    stages: list[np.ndarray] = []
    while going.any():
        action = expert.act()
        noisy = np.clip(action + random.normal(0.0, NOISE, action.shape), -1.0, 1.0)
        before = observation
        observation, reward, terminated, truncated, infos = own.step(noisy)
        earned = reward if env.reward_mode == "dense" else terminated - 1.0
        shown.append((before, action, earned, going.copy()))
        going &= ~(terminated | truncated)
        # new ground only: an expert that noise keeps from finishing must not fill the bank with one moment
        now = (reward + 1.0) * len(own.task.stages)
        kept = going & (now > best + _STEP)
        best = np.where(kept, now, best)
        states.append({name: values[kept] for name, values in own.get_scene_state().items()})
        stages.append(infos["stage"][kept])
    own.close()
    observations, actions, rewards, valid = (np.stack(part) for part in zip(*shown, strict=True))
    returns = np.zeros_like(rewards)
    ahead = np.zeros(episodes)
    for t in range(len(rewards) - 1, -1, -1):
        ahead = np.where(valid[t], rewards[t] + gamma * ahead, 0.0)
        returns[t] = ahead
    stage = np.concatenate(stages)
    order = np.argsort(stage, kind="stable")
    return Demonstrations(
        observations[valid],
        actions[valid],
        returns[valid],
        int(valid.sum()),
        {name: np.concatenate([part[name] for part in states])[order] for name in states[0]},
        stage[order],
    )


def demonstrate_commands(worlds: ActorVecEnv, episodes: int, gamma: float, seed: int) -> Demonstrations:
    """Let the scripted System 1 do what System 2 commands, on the streams of layouts from `seed` on.

    The returns are those of single commands, as in the learning; what is not finished at the end is left out.
    `worlds` are used up.
    """
    worlds.seed(seed)
    observation: np.ndarray = worlds.reset()
    random = np.random.default_rng(seed)
    shown: list[tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]] = []
    ended = 0
    while ended < episodes:
        action = worlds.scripted_actions()
        noisy = np.clip(action + random.normal(0.0, NOISE, action.shape), -1.0, 1.0)
        before = observation
        worlds.step_async(noisy)
        observation, reward, done, infos = worlds.step_wait()
        ended += sum("episode" in info for info in infos)
        shown.append((before, action, reward, done))
    worlds.close()
    observations, actions, rewards, dones = (np.stack(part) for part in zip(*shown, strict=True))
    returns, finished = np.zeros_like(rewards), np.zeros_like(dones)
    ahead, closed = np.zeros(len(rewards[0])), np.zeros(len(rewards[0]), dtype=bool)
    for t in range(len(rewards) - 1, -1, -1):
        ahead = rewards[t] + gamma * np.where(dones[t], 0.0, ahead)
        closed |= dones[t]
        returns[t], finished[t] = ahead, closed
    return Demonstrations(observations[finished], actions[finished], returns[finished], len(shown) * worlds.num_worlds)


def imitate(model: PPO, normalizer: VecNormalize, shown: Demonstrations, epochs: int, keep_statistics: bool) -> None:
    """Begin with the expert's actions and returns: regress the actor and the critic on them, in so many passes.

    With `keep_statistics` what is learned later is normalised as it is here.
    """
    observation_statistics: Any = normalizer.obs_rms
    observation_statistics.update(shown.observations)
    normalizer.ret_rms.update(shown.returns)
    if keep_statistics:
        observation_statistics.count = _SETTLED
    policy = model.policy
    observations = torch.as_tensor(normalizer.normalize_obs(shown.observations), device=model.device)
    actions = torch.as_tensor(shown.actions, dtype=torch.float32, device=model.device)
    scale = np.sqrt(normalizer.ret_rms.var + normalizer.epsilon)
    returns = torch.as_tensor(shown.returns / scale, dtype=torch.float32, device=model.device)
    optimizer = torch.optim.Adam(policy.parameters(), lr=_LEARNING_RATE)
    for _ in range(epochs):
        for rows in torch.randperm(len(observations)).split(_BATCH):
            mean = policy.get_distribution(observations[rows]).mode()
            value = policy.predict_values(observations[rows])[:, 0]
            loss = torch.nn.functional.mse_loss(mean, actions[rows])
            loss = loss + 0.5 * torch.nn.functional.mse_loss(value, returns[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
