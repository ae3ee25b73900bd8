"""The training loop: progress, metrics, checkpoints, interruption and resumption around Stable-Baselines3."""

from __future__ import annotations

import csv
import signal
import sys
import time
from collections import deque
from dataclasses import asdict
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np
import torch
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from stable_baselines3 import PPO
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.logger import configure
from stable_baselines3.common.off_policy_algorithm import OffPolicyAlgorithm

from policies.files import written_whole
from policies.system1 import checkpoint
from policies.system1.actor_env import ActorVecEnv
from policies.system1.algorithms import Shown, build, normalizer, set_exploration, world_steps
from policies.system1.config import TrainConfig
from policies.system1.demonstrations import Demonstrations, demonstrate, demonstrate_commands, imitate
from policies.system1.ledger import Spent, planner_calls, write_ledger
from policies.system1.settings import PPOSettings
from policies.system1.vec_env import SB3VecEnv
from policies.system1.worlds import make_worlds

CHECKPOINTS = "checkpoints"  # folder of policies, by step
RESUME = "resume.pt"  # everything that going on needs, of the last checkpoint
METRICS = "metrics.csv"
TENSORBOARD = "tensorboard"

_STREAMS = 1 << 20  # streams of layouts a training has to itself: half for its worlds, half for what it is shown
_SHOWN = 256  # episodes that the expert plays where they are wanted for their states alone
_AT_ONCE = 96  # worlds that commanded demonstrations are made in
_RECENT = 300  # episodes that `success` and the stage shares are over
_REPORT_STEPS = 2_000  # between rows of metrics, where updates come at every tick
_REPORT_SECONDS = 10.0  # between progress lines where there is no terminal
_CORE = ("steps", "seconds", "episodes", "success", "return", "length")
_LEARNER = (
    "train/value_loss",
    "train/explained_variance",
    "train/approx_kl",
    "train/std",
    "train/actor_loss",
    "train/critic_loss",
    "train/ent_coef",
)


class Interrupted(Exception):
    """Ctrl-C: the training stopped at a checkpoint."""


def checkpoint_path(folder: Path, steps: int) -> Path:
    """The file of the policy after so many steps."""
    return folder / CHECKPOINTS / f"{steps:010d}.pt"


def last_checkpoint(folder: Path) -> Path | None:
    """The newest policy of a run."""
    return max((folder / CHECKPOINTS).glob("*.pt"), default=None)


def train(config: TrainConfig, folder: Path, resume: bool = False, quiet: bool = False) -> None:
    """Train as the resolved configuration says, into a run folder.

    Raises:
        Interrupted: Ctrl-C; everything is saved.
        CheckpointError: there is nothing whole to resume from.
    """
    (folder / CHECKPOINTS).mkdir(exist_ok=True)
    # the layers are too small to share out: a second thread costs more than it computes
    torch.set_num_threads(1)
    worlds = make_worlds(config)
    model = build(config, worlds)
    follower = _Follower(config, model, worlds, folder, quiet)
    began, cpu_began = time.monotonic(), time.process_time()
    first = config.seed * _STREAMS
    normalizer(model).seed(first)
    shown = _prepare(config, model, worlds, first + _STREAMS // 2, resume)
    # an aid is part of the cost
    shown.seconds, shown.cpu_seconds = time.monotonic() - began, time.process_time() - cpu_began
    if resume:
        _go_on(model, follower, folder)
    follower.spent_before += shown
    assert config.steps is not None
    # a resumed learning writes beside what it has written before
    model.set_logger(configure(str(folder / TENSORBOARD), ["tensorboard"]))
    try:
        with follower:
            todo = config.steps * worlds.num_envs // worlds.num_worlds - model.num_timesteps
            if todo > 0:
                # a fresh model's first reset is the only one; a resumed one goes on from its last observation
                model.learn(todo, callback=follower, reset_num_timesteps=not resume)
            follower.finish()
    finally:
        worlds.close()


def _prepare(
    config: TrainConfig, model: BaseAlgorithm, worlds: SB3VecEnv | ActorVecEnv, seed: int, resume: bool
) -> Spent:
    """Give the learning its aids: start states, and demonstrations to imitate, on streams of layouts from `seed` on.

    Returns what they cost, but for time.
    """
    # a resumed policy has imitated, and an off-policy one takes demonstrations into its buffer as it goes
    imitates = bool(config.demonstrations) and isinstance(model, PPO) and not resume
    gamma = config.settings().gamma
    spent = Spent()
    shown: Demonstrations | None = None
    if config.starts or (imitates and isinstance(worlds, SB3VecEnv)):
        envs = [worlds.env] if isinstance(worlds, SB3VecEnv) else [env for env, _ in worlds.groups]
        for env in envs:
            shown = demonstrate(env, config.demonstrations or _SHOWN, gamma, seed)
            spent.shown_steps += shown.steps
            if config.starts:
                env.start_from(shown.starts(config.starts))
    if imitates:
        assert isinstance(model, PPO)
        assert config.demonstrations
        if isinstance(worlds, ActorVecEnv):
            apart = make_worlds(config, min(config.demonstrations, _AT_ONCE))
            assert isinstance(apart, ActorVecEnv)
            shown = demonstrate_commands(apart, config.demonstrations, gamma, seed)
            spent += Spent(shown_steps=shown.steps, planner_calls=planner_calls(apart))
        assert shown is not None
        settings = config.settings()
        assert isinstance(settings, PPOSettings)
        imitate(model, normalizer(model), shown, settings.imitation_epochs, settings.keeps_statistics)
    return spent


def _go_on(model: BaseAlgorithm, follower: _Follower, folder: Path) -> None:
    path = folder / RESUME
    state = checkpoint.read(path)
    try:
        policy = checkpoint_path(folder, state["follower"]["steps"])
        checkpoint.load_policy_state(model, checkpoint.read(policy), policy)
        checkpoint.load_training_state(model, state)
        follower.load(state["follower"])
    except checkpoint.CheckpointError:
        raise
    except (KeyError, TypeError, ValueError, AttributeError, IndexError, RuntimeError) as error:
        raise checkpoint.CheckpointError(f"{path} does not fit this run's configuration ({error!r:.200})") from None


class _Follower(BaseCallback):
    """Watches a training: shows and writes how it goes, saves it, and stops it on Ctrl-C."""

    model: BaseAlgorithm

    def __init__(
        self, config: TrainConfig, model: BaseAlgorithm, worlds: SB3VecEnv | ActorVecEnv, folder: Path, quiet: bool
    ) -> None:
        super().__init__()
        self.model = model
        self._config, self._worlds, self._folder, self._quiet = config, worlds, folder, quiet
        # stages where there is one task, tasks where there are several
        several = isinstance(worlds, ActorVecEnv) and len(worlds.groups) > 1
        first = worlds.groups[0][0] if isinstance(worlds, ActorVecEnv) else worlds.env
        self._stages = () if several else first.task.stages
        self._tasks = config.tasks if several else ()
        self._actions = worlds.action_names
        parts = (*(f"reached_{name}" for name in self._stages), *(f"success_{name}" for name in self._tasks))
        self._columns = (*_CORE, *parts, *_LEARNER)
        self._ended: deque[list[float]] = deque(maxlen=_RECENT)  # success, best stage, return, length, task
        self._episodes = 0
        self.spent_before = Spent()
        """In earlier sittings, and in the preparation of this one."""
        self._began, self._cpu_began = time.monotonic(), time.process_time()
        self._saved = self._reported_steps = 0
        self._reported_at = 0.0
        self._stop = False
        self._bar: Progress | None = None

    @property
    def steps(self) -> int:
        """Environment steps so far."""
        return world_steps(self.model)

    @property
    def spent(self) -> Spent:
        """So far, over all sittings."""
        now = Spent(
            time.monotonic() - self._began, time.process_time() - self._cpu_began, 0, planner_calls(self._worlds)
        )
        return self.spent_before + now

    @property
    def seconds(self) -> float:
        """Wall time of learning so far, over all sittings."""
        return self.spent_before.seconds + time.monotonic() - self._began

    def __enter__(self) -> _Follower:
        self._began, self._cpu_began = time.monotonic(), time.process_time()
        self._old_handler = signal.signal(signal.SIGINT, self._on_interrupt)
        if not self._quiet and sys.stdout.isatty():
            self._bar = Progress(
                BarColumn(bar_width=30),
                TextColumn("{task.completed:,.0f} of {task.total:,.0f} steps"),
                TextColumn("{task.fields[rate]}"),
                TextColumn("{task.fields[success]}"),
                TimeRemainingColumn(),
                console=Console(),
            )
            done = self.steps
            self._task = self._bar.add_task("", completed=done, total=self._config.steps, rate="", success="")
            self._bar.start()
        return self

    def __exit__(self, *error: object) -> None:
        signal.signal(signal.SIGINT, self._old_handler)
        if self._bar is not None:
            self._bar.stop()

    def _on_interrupt(self, number: int, frame: FrameType | None) -> None:
        if self._stop:  # asked twice: at once, back to the last checkpoint
            raise KeyboardInterrupt
        self._stop = True

    # Stable-Baselines3 calls these

    def _on_rollout_start(self) -> None:
        self._report()
        # between updates nothing is half done: the one place to save and to stop
        every = self._config.checkpoint_every
        if self.steps // every > self._saved // every or self._stop:
            self.save()
        if self._stop:
            raise Interrupted
        assert self._config.steps is not None
        set_exploration(self.model, self._config.settings(), self._actions, self.steps / self._config.steps)

    def _on_step(self) -> bool:
        if isinstance(self.model, Shown) and self.model.is_shown:
            return True  # what the expert reaches says nothing of the policy
        for info in self.locals["infos"]:
            if "episode" in info and not info["aided"]:
                self._episodes += 1
                episode = info["episode"]
                task = self._tasks.index(info["task"]) if self._tasks else 0
                self._ended.append([float(info["is_success"]), info["best_stage"], episode["r"], episode["l"], task])
        return True

    def finish(self) -> None:
        """The end of the training: its last update is reported and saved."""
        self._report()
        self.save()
        if self._stop:  # asked in the last update
            raise Interrupted

    # What is shown and written

    def _report(self) -> None:
        # one row for every PPO update; an off-policy "rollout" is a single tick
        pause = _REPORT_STEPS if isinstance(self.model, OffPolicyAlgorithm) else 1
        if self.steps < self._reported_steps + pause:
            return
        self._reported_steps = self.steps
        row = self._row()
        self._append(row)
        for name in self._columns[2:]:
            if name not in _LEARNER and row[name] != "":
                self.logger.record(f"episodes/{name}", row[name])
        if isinstance(self.model, OffPolicyAlgorithm):
            self.logger.dump(self.steps)
        rate = f"{self.steps / max(self.seconds, 1e-9):,.0f} steps/s"
        success = f"success {row['success']:.0%}" if self._ended else "success: no episode has ended yet"
        if self._bar is not None:
            self._bar.update(self._task, completed=self.steps, rate=rate, success=success)
        elif not self._quiet and time.monotonic() - self._reported_at > _REPORT_SECONDS:
            self._reported_at = time.monotonic()
            assert self._config.steps is not None
            left = (self._config.steps / self.steps - 1) * self.seconds
            print(
                f"{self.steps:,} of {self._config.steps:,} steps, {rate}, {success}, {left:.0f} s left",
                flush=True,
            )

    def _row(self) -> dict[str, Any]:
        values = self.logger.name_to_value
        row: dict[str, Any] = {
            "steps": self.steps,
            "seconds": round(self.seconds, 2),
            "episodes": self._episodes,
        }
        if self._ended:
            success, best, returns, lengths, tasks = np.array(self._ended).T
            row |= {"success": float(success.mean()), "return": float(returns.mean()), "length": float(lengths.mean())}
            row |= {f"reached_{name}": float((best > k).mean()) for k, name in enumerate(self._stages)}
            for k, name in enumerate(self._tasks):
                if (tasks == k).any():
                    row[f"success_{name}"] = float(success[tasks == k].mean())
        row |= {name: float(values[name]) for name in _LEARNER if name in values}
        return {name: row.get(name, "") for name in self._columns}

    def _append(self, row: dict[str, Any]) -> None:
        path = self._folder / METRICS
        new = not path.exists()
        with path.open("a", newline="") as file:
            writer = csv.DictWriter(file, self._columns)
            if new:
                writer.writeheader()
            writer.writerow(row)

    # What is saved

    def save(self) -> None:
        """Write a checkpoint of this moment: the policy first, then what points to it."""
        if self._saved == self.steps and (self._folder / RESUME).exists():
            return
        self._saved = self.steps
        policy = checkpoint.policy_state(self.model, self.seconds)
        checkpoint.write(checkpoint_path(self._folder, self._saved), policy)
        follower = {
            "steps": self._saved,
            "spent": asdict(self.spent),
            "episodes": self._episodes,
            "ended": list(self._ended),
            "reported_steps": self._reported_steps,
        }
        write_ledger(self._folder, self._config, self.model, self._worlds, self.spent)
        checkpoint.write(self._folder / RESUME, checkpoint.training_state(self.model) | {"follower": follower})

    def load(self, state: dict[str, Any]) -> None:
        """Go on from a saved state; rows of metrics that were written after it are dropped."""
        self._saved, self._episodes = state["steps"], state["episodes"]
        self.spent_before, self._reported_steps = Spent(**state["spent"]), state["reported_steps"]
        self._ended.extend(state["ended"])
        path = self._folder / METRICS
        if path.exists():
            with path.open(newline="") as file:
                rows = [row for row in csv.DictReader(file) if row["steps"] and int(row["steps"]) <= state["steps"]]
            with written_whole(path) as aside, aside.open("w", newline="") as file:
                writer = csv.DictWriter(file, self._columns, extrasaction="ignore")
                writer.writeheader()
                writer.writerows(rows)
