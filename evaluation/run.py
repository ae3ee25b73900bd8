"""A run is a folder that holds everything about one training. It is the only hand-over between commands."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import platform
import shutil
import subprocess
import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch
from gymnasium import spaces

from envs.vector import DuetVectorEnv
from policies.agents import Agent, DualAgent, SingleAgent
from policies.files import written_whole
from policies.system1.checkpoint import CheckpointError
from policies.system1.config import TrainConfig
from policies.system1.policy import LearnedPolicy
from policies.system1.training import RESUME, last_checkpoint
from policies.system2.faulty import System2Faults
from policies.system2.plan import Planner

VERSION = 2  # of the folder's format
CONFIG, EVALUATION, VIDEO, MACHINE = "config.json", "evaluation.json", "video.mp4", "machine.json"
_ROOM = 200 * 2**20  # (bytes) a run needs: checkpoints, logs and a video, with room to spare
_PACKAGES = ("duet", "mujoco", "gymnasium", "stable-baselines3", "torch", "numpy")


class RunError(ValueError):
    """A run folder that is missing, damaged, of another version or not ours."""


@dataclasses.dataclass(frozen=True)
class Run:
    """One training's folder."""

    folder: Path
    config: TrainConfig
    settings: dict[str, Any]
    """All settings that it was trained with, as they were then."""

    @classmethod
    def create(cls, config: TrainConfig, folder: Path | None = None) -> Run:
        """A new folder for a resolved configuration; without a name it gets one from task, algorithm, seed and time.

        Raises:
            RunError: the folder exists with something in it, cannot be written, or the disk is full.
        """
        if config.device == "cuda" and not torch.cuda.is_available():
            raise RunError("there is no CUDA device here; pass --device cpu or auto")
        if folder is None:
            stamp = time.strftime("%Y%m%d-%H%M%S")
            name = config.algorithm if config.system == "single" else config.system
            folder = Path("runs") / f"{config.task}-{name}-seed{config.seed}-{stamp}"
        try:
            if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
                raise RunError(
                    f"{folder} exists and is not empty; name another folder, or go on with --resume {folder}"
                )
            folder.mkdir(parents=True, exist_ok=True)
            probe = folder / ".probe"
            probe.write_bytes(b"")
            probe.unlink()
            free = shutil.disk_usage(folder).free
        except OSError as error:
            raise RunError(f"{folder} cannot be written: {error.strerror or error}") from None
        if free < _ROOM:
            raise RunError(f"the disk of {folder} has {free >> 20} MiB free; a run needs {_ROOM >> 20} MiB")
        run = cls(folder, config, config.settings().as_dict())
        values = {"version": VERSION, "settings": config.settings().as_dict()}
        write_json(folder / CONFIG, values | dataclasses.asdict(config))
        write_json(folder / MACHINE, machine())
        return run

    @classmethod
    def open(cls, folder: Path | str) -> Run:
        """A folder that `create` made.

        Raises:
            RunError: it is missing, damaged, of another version or not ours.
        """
        folder = Path(folder)
        if not folder.is_dir():
            raise RunError(f"there is no run folder {folder}")
        path = folder / CONFIG
        if not path.is_file():
            raise RunError(f"{folder} is not a run of Duet: it has no {CONFIG}")
        values = read_json(path)
        found = values.pop("version", None)
        settings = values.pop("settings", None)
        if found != VERSION:
            raise RunError(f"{folder} has the format {found!r}; this version of Duet reads {VERSION}")
        known = {field.name for field in dataclasses.fields(TrainConfig)}
        if set(values) != known:
            odd = ", ".join(sorted(set(values) ^ known))
            raise RunError(f"{path} was written by another version of Duet; it differs in: {odd}")
        try:
            return cls(folder, TrainConfig(**values).resolved(), settings)
        except (TypeError, ValueError) as error:
            raise RunError(f"{path} is damaged: {error}") from None

    def checkpoint(self) -> Path:
        """The last one.

        Raises:
            RunError: there is none.
        """
        path = last_checkpoint(self.folder)
        if path is None:
            raise RunError(f"{self.folder} holds no checkpoint yet")
        return path

    def policy(self, path: Path | None = None) -> LearnedPolicy:
        """The policy of the last checkpoint, or of the one named.

        Raises:
            RunError: there is none, or it is damaged.
        """
        try:
            return LearnedPolicy.load(self.config, path or self.checkpoint())
        except CheckpointError as error:
            raise RunError(str(error)) from None

    def agent(
        self,
        policy: LearnedPolicy,
        env: DuetVectorEnv,
        planner: Planner | None = None,
        faults: System2Faults | None = None,
    ) -> Agent:
        """Who acts in `env`: the policy, alone or under its planner or the one given, with the faults of System 2.

        Raises:
            RunError: the policy cannot act there.
        """
        if self.config.system == "dual":
            return DualAgent(planner or self.config.make_planner(), policy.act, faults=faults)
        if planner is not None or faults:
            raise RunError(f"{self.folder} is a single system; it has no planner")
        own, there = policy.observation_space, env.single_observation_space
        if own != there:
            raise RunError(
                f"the policy of {self.folder} observes {_shapes(own)}; "
                f"{env.task_name} with {len(env.scene.objects)} objects has {_shapes(there)}"
            )
        return SingleAgent(policy.act)

    @property
    def actor(self) -> str:
        """Who acts, in a few words."""
        if self.config.system == "single":
            return f"{self.config.algorithm} policy"
        return f"System 1 under the {self.config.planner} planner"

    def make_env(self, **changes: Any) -> DuetVectorEnv:
        """The environment that the run trained in; `changes` replace its arguments."""
        return self.config.make_env(**changes)

    @property
    def resumable(self) -> bool:
        """Whether there is a checkpoint to go on from."""
        return (self.folder / RESUME).exists()

    def check_resumable(self) -> None:
        """Whether a resumed training would be what an uninterrupted one would have been.

        Raises:
            RunError: there is no checkpoint, or this version of Duet has other settings.
        """
        if not self.resumable:
            raise RunError(f"{self.folder} holds no checkpoint to go on from")
        now = self.config.settings().as_dict()
        if self.settings != now:
            raise RunError(f"{self.folder} was begun with other settings than this version of Duet has for it")


def _shapes(space: spaces.Space) -> str:
    """What a space of observations holds, in words."""
    if isinstance(space, spaces.Dict):
        return ", ".join(f"{name} {part.shape}" for name, part in space.items())
    return f"{space.shape} numbers"


def write_json(path: Path, value: Any) -> None:
    """Write a json file; it is there whole or not at all."""
    with written_whole(path) as aside:
        aside.write_text(json.dumps(value, indent=2) + "\n")


def read_json(path: Path) -> dict[str, Any]:
    """A json object.

    Raises:
        RunError: the file holds none.
    """
    try:
        value = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise RunError(f"{path} cannot be read: {error}") from None
    if not isinstance(value, dict):
        raise RunError(f"{path} holds no json object")
    return value


def digest(path: Path) -> str:
    """What tells a file's content from every other: the first digits of its SHA-256.

    Raises:
        RunError: it cannot be read.
    """
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()[:16]
    except OSError as error:
        raise RunError(f"{path} cannot be read: {error.strerror}") from None


def machine() -> dict[str, Any]:
    """What a result was measured on and with."""
    versions: dict[str, str | None] = {}
    for name in _PACKAGES:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            versions[name] = None
    return {
        "processor": _processor(),
        "cpus": os.cpu_count(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "packages": versions,
        "commit": _commit(),
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next(
        (line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.processor()
    )


def _commit() -> str | None:
    """The commit of the code, with a + where files differ from it; None outside a repository."""
    here = Path(__file__).parent
    try:
        commit, changes = (
            subprocess.run(["git", *command], cwd=here, capture_output=True, text=True, check=True, timeout=10).stdout
            for command in (("rev-parse", "--short=12", "HEAD"), ("status", "--porcelain", "--untracked-files=no"))
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return commit.strip() + ("+" if changes.strip() else "")
