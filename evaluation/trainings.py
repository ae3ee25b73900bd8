"""Trains what a comparison lacks, by calling train.py; what is finished is reused, and what was interrupted goes on."""

from __future__ import annotations

import dataclasses
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

from evaluation.run import EVALUATION, Run, RunError
from policies.system1.config import TrainConfig

_TRAIN = Path(__file__).parents[1] / "train.py"
# What may differ between the run that is there and the one that is wanted: it changes no policy.
_FREE = ("threads", "device", "checkpoint_every", "episodes", "video")
_STOPPED = 130  # exit code of a training that was interrupted and saved
Say = Callable[[str], None]


class TrainingFailed(Exception):
    """A training ended with an error."""


@dataclass(frozen=True)
class Training:
    """One training that a comparison needs."""

    config: TrainConfig
    """Resolved."""
    folder: Path

    @property
    def finished(self) -> bool:
        """Whether there is nothing left to do."""
        return (self.folder / EVALUATION).exists()

    def check(self) -> None:
        """Whether what is in the folder, if anything, is this training.

        Raises:
            RunError: it is another one, or cannot be gone on with.
        """
        if not self.folder.exists() or not any(self.folder.iterdir()):
            return
        run = Run.open(self.folder)
        odd = [
            f"{field.name} is {getattr(run.config, field.name)}, not {getattr(self.config, field.name)}"
            for field in dataclasses.fields(TrainConfig)
            if field.name not in _FREE and getattr(run.config, field.name) != getattr(self.config, field.name)
        ]
        if odd:
            raise RunError(
                f"{self.folder} holds a training with another configuration ({'; '.join(odd)}); name another folder "
                "with --runs, or compare the run as it is by naming it"
            )
        if run.settings != self.config.settings().as_dict():
            raise RunError(
                f"{self.folder} was trained with other settings than this version of Duet has; name another folder "
                "with --runs, or compare the run as it is by naming it"
            )
        if not self.finished and not run.resumable:
            raise RunError(f"{self.folder} was stopped before its first checkpoint; delete it, and it is trained anew")

    def command(self, threads: int) -> list[str]:
        """What trains it, or goes on with it."""
        train = [sys.executable, str(_TRAIN)]
        if (self.folder / "config.json").exists():
            return [*train, "--resume", str(self.folder)]
        config = self.config
        options = ["--task", config.task, "--system", config.system, "--seed", config.seed, "--steps", config.steps]
        return [*train, *map(str, options), "--threads", str(threads), "--no-video", "--out", str(self.folder)]


def trainings_of(
    tasks: Sequence[str], systems: Sequence[str], seeds: int, steps: int | None, runs: Path
) -> list[Training]:
    """The trainings that a comparison needs, a seed of all systems at a time.

    Raises:
        ValueError: there is no such training, or another one is in the way.
    """
    if seeds < 1:
        raise ValueError(f"seeds must be 1 or more, not {seeds}")
    if len(set(systems)) < len(systems):
        raise ValueError("a system is named twice")
    found = []
    for task in tasks:
        for seed in range(seeds):
            for system in systems:
                config = TrainConfig(task=task, system=system, seed=seed, steps=steps).resolved()
                found.append(Training(config, runs / f"{task}-{system}-seed{seed}"))
    for training in found:
        training.check()
    return found


def train_missing(trainings: Sequence[Training], jobs: int, say: Say) -> None:
    """Train what is not finished, so many at once.

    Raises:
        TrainingFailed: one ended with an error; the others are stopped and saved.
        KeyboardInterrupt: all are stopped and saved.
    """
    missing = [training for training in trainings if not training.finished]
    if len(missing) < len(trainings):
        say(f"{len(trainings) - len(missing)} of {len(trainings)} trainings are there already.")
    threads = 0 if jobs == 1 else max(1, (os.cpu_count() or 1) // jobs)
    children = _Children(say)
    with ThreadPoolExecutor(jobs) as pool:
        futures = [
            pool.submit(children.run, training, threads, f"{k}/{len(missing)}") for k, training in enumerate(missing, 1)
        ]
        try:
            for future in as_completed(futures):
                future.result()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            children.stop()
            raise


class _Children:
    """The trainings that are running."""

    def __init__(self, say: Say) -> None:
        self._say = say
        self._running: list[subprocess.Popen[str]] = []
        self._lock = Lock()
        self._stopped = False

    def run(self, training: Training, threads: int, number: str) -> None:
        """Train, and pass on what it says, behind its name."""
        name = training.folder.name
        with self._lock:
            if self._stopped:
                return
            self._say(f"training {number}: {name}")
            # in a session of its own: Ctrl-C comes to the parent alone, which stops it once
            child = subprocess.Popen(
                training.command(threads),
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                start_new_session=True,
            )
            self._running.append(child)
        assert child.stdout is not None
        last = ""
        for line in child.stdout:
            if line.strip():
                last = line.strip()
                self._say(f"{name}: {last}")
        code = child.wait()
        with self._lock:
            self._running.remove(child)
        if code and not (self._stopped and code == _STOPPED):
            raise TrainingFailed(f"the training of {training.folder} ended with exit code {code} ({last})")

    def stop(self) -> None:
        """Ask all to save and stop; the pool waits until they have."""
        with self._lock:
            self._stopped = True
            for child in self._running:
                child.send_signal(signal.SIGINT)
