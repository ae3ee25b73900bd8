"""Tuned settings, one table for all tasks and algorithms. Nothing else in the project holds a hyperparameter."""

from __future__ import annotations

from dataclasses import dataclass, replace

from envs.names import check_name


@dataclass(frozen=True)
class Settings:
    """What every algorithm is given."""

    steps: int
    """Environment steps (one world, one tick) of a whole training."""
    num_worlds: int
    """Worlds stepped together."""
    learning_rate: float
    gamma: float
    """Discount factor a tick; 0.98 looks about 2 s ahead."""
    net: tuple[int, ...]
    """Widths of the hidden layers of actor and critic."""
    starts: float
    """Share of training episodes that begin at a later state which the scripted expert passed through."""
    observation: str
    """Observation mode of the environment."""
    reward: str
    """`dense` or `sparse`."""


@dataclass(frozen=True)
class PPOSettings(Settings):
    """Proximal policy optimisation (Schulman et al. 2017)."""

    rollout: int
    """(ticks) collected in every world between updates."""
    minibatch: int
    epochs: int
    final_learning_rate: float
    """The learning rate falls linearly to this."""
    gae_lambda: float
    target_kl: float
    """An update stops early beyond this divergence from the policy that collected the data."""
    entropy: float
    log_std: float
    """Logarithm of the initial standard deviation of actions."""


@dataclass(frozen=True)
class OffPolicySettings(Settings):
    """SAC (Haarnoja et al. 2018) and TD3 (Fujimoto et al. 2018), with hindsight goals (Andrychowicz et al. 2017)."""

    buffer: int
    """Transitions kept."""
    batch: int
    tau: float
    """Share of the way that target networks move towards the learning ones in an update."""
    gradient_steps: int
    """Updates after every tick of all worlds."""
    learning_starts: int
    """Environment steps of random actions first."""
    hindsight_goals: int
    """Relabelled transitions for every original one."""


_PPO = PPOSettings(
    steps=1_500_000,
    num_worlds=256,
    learning_rate=1e-3,
    gamma=0.98,
    net=(128, 64),
    starts=0.5,
    observation="state",
    reward="dense",
    rollout=32,
    minibatch=1024,
    epochs=6,
    final_learning_rate=1e-4,
    gae_lambda=0.95,
    target_kl=0.03,
    entropy=0.0,
    log_std=-0.3,
)
_SAC = OffPolicySettings(
    steps=600_000,
    num_worlds=16,
    learning_rate=1e-3,
    gamma=0.97,
    net=(256, 256),
    starts=0.5,
    observation="goal",
    reward="sparse",
    buffer=1_000_000,
    batch=512,
    tau=0.02,
    gradient_steps=2,
    learning_starts=5_000,
    hindsight_goals=4,
)

# (algorithm, task) -> settings; a task that is not listed takes its algorithm's settings for any task, ""
_TUNED: dict[tuple[str, str], Settings] = {
    ("ppo", ""): _PPO,
    ("ppo", "Reach"): replace(_PPO, steps=300_000, starts=0.0),
    ("ppo", "Lift"): replace(_PPO, steps=1_000_000),
    ("sac", ""): _SAC,
    ("sac", "Reach"): replace(_SAC, steps=60_000, starts=0.0),
    ("td3", ""): _SAC,
    ("td3", "Reach"): replace(_SAC, steps=60_000, starts=0.0),
}

ALGORITHMS = tuple(dict.fromkeys(algorithm for algorithm, _ in _TUNED))


def tuned(algorithm: str, task: str) -> Settings:
    """The settings of an algorithm on a task.

    Raises:
        UnknownName: there is no such algorithm.
    """
    check_name("algorithm", algorithm, ALGORITHMS)
    return _TUNED.get((algorithm, task)) or _TUNED[algorithm, ""]
