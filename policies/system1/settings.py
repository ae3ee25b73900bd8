"""Tuned settings, one table for all tasks and algorithms. How demonstrations are imitated stands beside that code."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any

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
    demonstrations: int
    """Episodes of the scripted expert, 0 for none: PPO's actor and critic imitate them before they learn, and the
    others' replay buffer begins with them."""
    observation: str
    """Observation mode of the environment."""
    reward: str
    """`dense` or `sparse`."""

    def as_dict(self) -> dict[str, Any]:
        """As it reads back from json."""
        return {name: list(v) if isinstance(v, tuple) else v for name, v in asdict(self).items()}


@dataclass(frozen=True)
class PPOSettings(Settings):
    """Proximal policy optimisation (Schulman et al. 2017)."""

    rollout: int
    """(ticks) collected in every world between updates."""
    minibatch: int
    epochs: int
    final_learning_rate_share: float
    """The learning rate falls linearly to this share of itself."""
    gae_lambda: float
    target_kl: float
    """An update stops early beyond this divergence from the policy that collected the data."""
    noise: tuple[float, float]
    """Standard deviation of the actions that move the arm, at the start and in the end. It falls geometrically:
    large noise finds grasps quickly, but nothing can be let go of beside a trembling gripper."""
    gripper_noise: tuple[float, float]
    """The same for the gripper's opening: larger, since a firm grip forgives it and letting go has to be found late."""
    noise_falls_until: float
    """Share of the training after which the noise stays as it is."""
    imitation_epochs: int
    """Passes over the demonstrations."""
    keeps_statistics: bool
    """Observations stay normalised as they were in the imitation. Else their means and variances follow what the
    policy meets, which moves the ground under what it has imitated."""


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
    """Environment steps before the first update; of random actions, where no expert acts."""
    hindsight_goals: int
    """Relabelled transitions for every original one."""


_PPO = PPOSettings(
    steps=800_000,
    num_worlds=256,
    learning_rate=5e-4,
    gamma=0.98,
    net=(128, 64),
    starts=0.3,
    demonstrations=256,
    observation="state",
    reward="dense",
    rollout=32,
    minibatch=1024,
    epochs=6,
    final_learning_rate_share=0.1,
    gae_lambda=0.95,
    target_kl=0.03,
    noise=(0.2, 0.1),
    gripper_noise=(0.37, 0.2),
    noise_falls_until=0.5,
    imitation_epochs=20,
    keeps_statistics=False,
)
_PPO_ALONE = replace(
    _PPO,
    steps=2_000_000,
    learning_rate=1e-3,
    starts=0.6,
    demonstrations=0,
    noise=(0.67, 0.15),
    gripper_noise=(0.82, 0.67),
)
_SAC = OffPolicySettings(
    steps=300_000,
    num_worlds=16,
    learning_rate=1e-3,
    gamma=0.97,
    net=(128, 128),
    starts=0.5,
    demonstrations=256,
    observation="goal",
    reward="sparse",
    buffer=1_000_000,
    batch=256,
    tau=0.01,
    gradient_steps=8,
    learning_starts=5_000,
    hindsight_goals=4,
)

# More to see and a longer way: nearly all of it is imitated. One step of the usual learning rate undoes that (Handover:
# from 0.95 to 0.25 in 100,000 steps), for the policy diverges by far more than `target_kl` before it can be stopped.
_LONG = replace(
    _PPO,
    steps=200_000,
    learning_rate=2e-5,
    net=(256, 128),
    demonstrations=384,
    final_learning_rate_share=0.3,
    noise=(0.12, 0.08),
    gripper_noise=(0.25, 0.15),
    imitation_epochs=80,
    keeps_statistics=True,
)
# What one arm has to learn under commands is the same in every task, and soon learned.
_DUAL = replace(
    _PPO,
    steps=400_000,
    num_worlds=128,
    learning_rate=2e-4,
    net=(128, 128),
    starts=0.0,
    noise=(0.12, 0.05),
    gripper_noise=(0.25, 0.1),
    final_learning_rate_share=0.05,
)

# (algorithm, task) -> settings; a task that is not listed takes its algorithm's settings for any task, ""
_TUNED: dict[tuple[str, str], Settings] = {
    ("ppo", ""): _PPO,
    ("ppo", "Reach"): replace(_PPO, steps=200_000, starts=0.0, demonstrations=64),
    ("ppo", "Lift"): replace(_PPO, steps=400_000),
    ("ppo", "Stack"): _LONG,
    ("ppo", "Tidy"): _LONG,
    ("ppo", "Handover"): _LONG,
    ("ppo", "HandoverPlace"): _LONG,
    ("ppo", "Relay"): _LONG,
    ("sac", ""): _SAC,
    ("sac", "Reach"): replace(_SAC, steps=40_000, starts=0.0, demonstrations=0),
    ("td3", ""): _SAC,
    ("td3", "Reach"): replace(_SAC, steps=40_000, starts=0.0, demonstrations=0),
}

# The dual system's budget is that of PPO alone on the same task; a mixture of tasks has none to share
_MIXTURE = replace(_DUAL, steps=200_000, num_worlds=192, demonstrations=384)

ALGORITHMS = tuple(dict.fromkeys(algorithm for algorithm, _ in _TUNED))


def tuned(algorithm: str, task: str, demonstrations: int | None = None, system: str = "single") -> Settings:
    """The settings of an algorithm on a task; those for learning alone where `demonstrations` is 0.

    Raises:
        UnknownName: there is no such algorithm.
    """
    check_name("algorithm", algorithm, ALGORITHMS)
    if system == "dual":
        return _MIXTURE if task == "all" else replace(_DUAL, steps=tuned("ppo", task).steps)
    settings = _TUNED.get((algorithm, task)) or _TUNED[algorithm, ""]
    if demonstrations == 0 and settings.demonstrations and algorithm == "ppo":
        return _PPO_ALONE
    return settings
