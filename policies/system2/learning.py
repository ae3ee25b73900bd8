"""How `policies.system2.learned` learns: problems like those of the tasks, and MaskablePPO."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import gymnasium as gym
import numpy as np
import torch
from gymnasium import spaces
from stable_baselines3.common.torch_layers import BaseFeaturesExtractor
from stable_baselines3.common.vec_env import DummyVecEnv
from torch import nn

from envs.scene import TICK
from envs.vector import DuetVectorEnv
from policies.dual import DualRuntime
from policies.scripted import scripted_actions
from policies.system2.domain import Action, Problem, outcome, satisfied
from policies.system2.grounding import Ground
from policies.system2.learned import ACTIONS, NUMBERS, Encoder, LearnedPlanner, Network, one_thread
from policies.system2.plan import Goals, SceneEstimate, estimates
from policies.system2.search import NoPlan, search
from policies.system2.symbolic import Estimate, SymbolicPlanner

Tasks = Sequence[tuple[str, Sequence[int | None]]]

TASKS: Tasks = (
    ("PickPlace", (None,)),
    ("Stack", (None,)),
    ("Tidy", (1, 2, 3, 4, 5, 6, 7, 8)),
    ("Handover", (None,)),
    ("HandoverPlace", (None,)),
    ("Relay", (2, 3, 4)),
)
"""What is learned: tasks, and numbers of objects."""
_WORLDS = 64  # layouts that problems are made from, of every task and number of objects
_MOVED = 0.5  # share of objects that are moved
_NOISE = 0.2  # (standard deviation) of actions
_SECOND = round(1.0 / TICK)  # (ticks)
_SLIP = 0.2  # chance that a hand opens by mistake, drawn every second
_SLIP_TICKS = 6  # (ticks) it stays open: long enough to drop things
_COST = 0.1  # reward that is lost for a unit of cost
_STUCK = -5.0  # reward of a state in which nothing can be done
_PROBLEMS = 3000
_GAMMA = 0.99
_ACTORS = 16
_LEARNING_RATE = 1e-3


# Problems


class Problems:
    """Problems like those that the default planner makes of a task's scenes, also of scenes in disorder."""

    def __init__(self, task: str, num_objects: int | None, seed: int) -> None:
        env = DuetVectorEnv(_WORLDS, task=task, num_objects=num_objects, threads=1)
        env.reset(seed=seed)
        self._seen = estimates(env.scene, env.task, env.world(), range(_WORLDS))
        env.close()
        self._random = np.random.default_rng(seed)

    def __iter__(self) -> Iterator[Problem]:
        """No end of them."""
        while True:
            scene, goals = self._seen[self._random.integers(len(self._seen))]
            if self._random.random() < 0.8:
                scene, goals = disorder(self._random, scene, goals)
            try:
                yield Estimate(Ground(scene, goals), goals).problem
            except ValueError:  # two objects in one spot
                continue


def disorder(random: np.random.Generator, scene: SceneEstimate, goals: Goals) -> tuple[SceneEstimate, Goals]:
    """The same scene with some objects elsewhere: in hands, at goals, their own or not, on others, or anywhere."""
    positions, yaws, holds = scene.positions.copy(), scene.yaws.copy(), np.zeros_like(scene.holds)
    half, ground = scene.half_sizes, Ground(scene, goals)
    asked, free = len(goals.positions), list(ground.arms)
    things = range(len(positions))
    for thing in random.permutation(len(positions)).tolist():
        if random.random() > _MOVED:
            continue
        way = random.choice(("own goal", "goal", "on", "hand", "anywhere"), p=(0.3, 0.2, 0.1, 0.2, 0.2))
        other = int(random.choice(things))
        if way == "own goal" and thing < asked:
            positions[thing], yaws[thing] = goals.positions[thing], goals.yaws[thing]
        elif way == "goal" and other < asked and goals.below[other] is None:
            positions[thing] = (*goals.positions[other][:2], half[thing][2])
        elif way == "on" and other != thing:
            positions[thing] = positions[other] + (0.0, 0.0, half[thing][2] + half[other][2])
        elif way == "hand" and free:
            random.shuffle(free)
            both = len(free) > 1 and ground.is_long(thing) and random.random() < 0.3
            for arm in [free.pop() for _ in range(1 + both)]:
                holds[arm, thing] = True
            positions[thing][2] += 0.1
        else:
            positions[thing] = (random.uniform(-0.35, 0.35), random.uniform(-0.3, 0.3), half[thing][2])
    aims = goals.positions.copy()
    for thing, below in enumerate(goals.below):
        if below is not None:
            aims[thing] = positions[below] + (0.0, 0.0, half[thing][2] + half[below][2])
    scene = dataclasses.replace(scene, positions=positions, yaws=yaws, holds=holds)
    return scene, dataclasses.replace(goals, positions=aims)


def mixture(count: int, seed: int, tasks: Tasks = TASKS) -> list[Problem]:
    """`count` problems that can be solved, the same number of every task."""
    found: list[Problem] = []
    for k, (task, numbers) in enumerate(tasks):
        for j, number in enumerate(numbers):
            share = count // len(tasks) // len(numbers) + 1
            found += solvable(Problems(task, number, seed + 97 * k + j), share)
    return found


def solvable(problems: Iterable[Problem], count: int) -> list[Problem]:
    """The first so many that the search solves."""
    found: list[Problem] = []
    for problem in problems:
        try:
            search(problem)
        except NoPlan:
            continue
        found.append(problem)
        if len(found) == count:
            break
    return found


class _Recorder(SymbolicPlanner):
    """The default planner, which keeps the problems that it is asked."""

    def __init__(self) -> None:
        self.asked: dict[Problem, None] = {}

    def actions(self, problem: Problem) -> tuple[Action, ...]:
        self.asked[problem] = None
        return super().actions(problem)


def from_rollouts(episodes: int, seed: int, tasks: Tasks = TASKS) -> list[Problem]:
    """The distinct problems that System 2 meets while a clumsy scripted System 1 pushes and drops things, in
    `episodes` of every task and number of objects.
    """
    recorder, random = _Recorder(), np.random.default_rng(seed)
    for task, numbers in tasks:
        for number in numbers:
            env = DuetVectorEnv(episodes, task=task, num_objects=number, threads=1, autoreset=False)
            env.reset(seed=seed)
            runtime = DualRuntime(env, recorder)
            runtime.begin(np.arange(episodes))
            for tick in range(env.max_ticks):
                actions = scripted_actions(runtime.actors)
                actions = actions + random.normal(0.0, _NOISE, actions.shape)
                if tick % _SECOND == 0:
                    slips = random.random(actions.shape[:2]) < _SLIP
                if tick % _SECOND < _SLIP_TICKS:
                    actions[slips, -1] = 1.0
                env.step(np.clip(actions, -1.0, 1.0).reshape(episodes, -1))
                runtime.update()
            env.close()
    return solvable(recorder.asked, len(recorder.asked))


# Learning


class SymbolicEnv(gym.Env):
    """Problems to solve action by action. Rewards are the costs, and episodes end when the goals are reached."""

    observation_space = spaces.Box(0.0, 1.0, (NUMBERS,), np.float32)
    action_space = spaces.Discrete(ACTIONS)

    def __init__(self, problems: Sequence[Problem]) -> None:
        self._problems = [problem for problem in problems if not satisfied(problem, problem.state)]

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[np.ndarray, dict]:
        super().reset(seed=seed)
        problem = self._problems[self.np_random.integers(len(self._problems))]
        self._encoder, self._state, self._steps = Encoder(problem), problem.state, 0
        self._options = self._encoder.options(self._state)
        return self._encoder.encode(self._state), {}

    def step(self, action: int) -> tuple[np.ndarray, float, bool, bool, dict]:
        done = self._options[int(action)]
        problem = self._encoder.problem
        self._state = outcome(problem, self._state, done)
        self._options = self._encoder.options(self._state)
        self._steps += 1
        solved = satisfied(problem, self._state)
        stuck = not solved and not self._options
        reward = -_COST * done.cost + _STUCK * stuck
        late = self._steps >= self._encoder.limit
        return self._encoder.encode(self._state), reward, solved or stuck, late and not (solved or stuck), {}

    def action_masks(self) -> np.ndarray:
        """(ACTIONS,) bool: which actions are legal now."""
        mask = np.zeros(ACTIONS, dtype=bool)
        mask[list(self._options) or [0]] = True  # where nothing is legal the episode has ended
        return mask


class _Extractor(BaseFeaturesExtractor):
    """The network where Stable-Baselines3 has a part that sees, since ours does all the rest too."""

    def __init__(self, observation_space: spaces.Space) -> None:
        super().__init__(observation_space, ACTIONS + 1)
        self.network = Network()

    def forward(self, observations: torch.Tensor) -> torch.Tensor:
        return self.network(observations)


class _Columns(nn.Module):
    """What is left for the parts that act and judge: to take their columns."""

    def __init__(self, first: int, last: int) -> None:
        super().__init__()
        self.columns = slice(first, last)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        return features[:, self.columns]


class Trainer:
    """Trains one network with `MaskablePPO` of sb3-contrib.

    Raises:
        ValueError: sb3-contrib is not installed.
    """

    def __init__(self, problems: Sequence[Problem], seed: int) -> None:
        try:
            from sb3_contrib import MaskablePPO
        except ImportError:
            raise ValueError(
                'training a planner needs sb3-contrib, which is not installed; run `pip install -e ".[planner]"`'
            ) from None
        self._model = MaskablePPO(
            "MlpPolicy", _worlds(problems), learning_rate=_LEARNING_RATE, n_steps=128, batch_size=256, n_epochs=4,
            gamma=_GAMMA, ent_coef=0.003, target_kl=0.03, seed=seed, device="cpu",
            policy_kwargs={"features_extractor_class": _Extractor, "net_arch": [], "ortho_init": False},
        )  # fmt: skip
        policy: Any = self._model.policy
        policy.action_net, policy.value_net = _Columns(0, ACTIONS), _Columns(ACTIONS, ACTIONS + 1)
        # anew, since it knows the parts that were replaced
        policy.optimizer = torch.optim.Adam(policy.parameters(), lr=_LEARNING_RATE, eps=1e-5)

    def use(self, problems: Sequence[Problem]) -> None:
        """Learn from these problems from now on."""
        self._model.set_env(_worlds(problems))

    def practise(self, steps: int) -> None:
        """Learn from so many actions, or a few more."""
        with one_thread():
            self._model.learn(steps, reset_num_timesteps=False)

    def planner(self) -> LearnedPlanner:
        """What has been learned so far."""
        policy: Any = self._model.policy
        return LearnedPlanner(copy.deepcopy(policy.features_extractor.network).eval())


def _worlds(problems: Sequence[Problem]) -> DummyVecEnv:
    return DummyVecEnv([lambda: SymbolicEnv(problems)] * _ACTORS)


def train(
    seed: int, steps: int, rollouts: int = 0, tasks: Tasks = TASKS, num_problems: int = _PROBLEMS
) -> LearnedPlanner:
    """A planner that has learned from `steps` actions.

    Args:
        seed: of everything random in it.
        steps: in problems like those of the tasks.
        rollouts: simulated episodes of every task, whose problems join the others for the second half of the steps.
        tasks: and numbers of objects.
        num_problems: to learn from.

    Raises:
        ValueError: sb3-contrib is not installed, or there is nothing to learn from.
    """
    if steps < 1 or rollouts < 0:
        raise ValueError(f"steps must be at least 1 and rollouts at least 0, not {steps} and {rollouts}")
    problems = mixture(num_problems, seed, tasks)
    trainer = Trainer(problems, seed)
    trainer.practise(steps // 2 if rollouts else steps)
    if rollouts:
        # one half of the problems is from rollouts, however many of each there are
        met = from_rollouts(rollouts, seed, tasks=tasks)
        trainer.use([*problems, *(met[k % len(met)] for k in range(len(problems)))])
        trainer.practise(steps - steps // 2)
    return trainer.planner()


def assess(planner: SymbolicPlanner, problems: Iterable[Problem]) -> tuple[float, float]:
    """Share of problems that a planner solves, and what its plans for these cost, over what the cheapest do."""
    solved, count, cost, least = 0, 0, 0, 0
    for problem in problems:
        count += 1
        try:
            plan = planner.actions(problem)
        except NoPlan:
            continue
        solved += 1
        cost += sum(action.cost for action in plan)
        least += sum(action.cost for action in search(problem))
    return solved / count, cost / max(1, least)
