"""One episode as a film sees it: tick by tick, with what there is to say, and in between."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import groupby

import mujoco
import numpy as np

from envs.scene import TICK
from envs.vector import DuetVectorEnv
from evaluation.film.overlay import Caption, PlanLine
from evaluation.perturbations import Perturbation
from evaluation.rollout import Rollout
from policies.agents import Agent
from policies.commands import NOTHING, SKILLS
from policies.dual import DualRuntime

_STRIKING = 0.8  # (s) that the moment of a disturbance is marked
_HAPPENED = {  # disturbance -> what is said once it has happened
    "push": "pushed",
    "knock": "knocked",
    "goal_moves": "goal moved",
    "goal_drifts": "goal drifting",
    "goal_changes": "goal changed",
    "heavy": "heavy object",
    "slippery": "slippery object",
    "pose_noise": "noise on poses",
}


@dataclass(frozen=True)
class Shot:
    """One episode to be filmed."""

    env: DuetVectorEnv
    """One world that does not reset by itself."""
    agent: Agent
    layout_seed: int
    contender: str = ""
    """Who acts, in a word: single, dual."""
    actor: str = ""
    """The same in a few words."""
    condition: str = "undisturbed"
    seed: int | None = None
    """Of the training."""
    perturbation: Perturbation | None = None
    counted: bool | None = None
    """Whether the counted episode on this layout was a success; None where none was counted."""
    counted_in: str = ""
    """The file that counts it."""
    note: str = ""
    """Why it is shown."""


class OutcomeDiffers(RuntimeError):
    """What was filmed is not what was counted."""


class Take:
    """One episode as it goes on."""

    def __init__(self, shot: Shot, speed: float = 1.0) -> None:
        self.shot = shot
        self._speed = speed
        # what counts episodes counts this one too, so that they end alike
        self._rollout = Rollout(shot.env, np.array([shot.layout_seed]), shot.perturbation)
        self._rollout.give_to(shot.agent)
        model = shot.env.scene.model
        free = model.jnt_type == mujoco.mjtJoint.mjJNT_FREE
        self._turns = [slice(int(start) + 3, int(start) + 7) for start in model.jnt_qposadr[free]]
        self.tick, self.over, self.best_stage = 0, False, 0
        self._done: list[PlanLine] = []  # of earlier plans
        self._plan: tuple[int, tuple[str, ...], int] = (0, (), 0)  # version, steps, the one being done
        self._qpos = self._former = self._poses()
        self.caption = self._former_caption = self._read("")

    # The episode

    def advance(self) -> None:
        """One tick.

        Raises:
            OutcomeDiffers: it has ended, and not as it was counted.
        """
        shot = self.shot
        self._former, self._former_caption = self._qpos, self.caption
        self._rollout.tick()
        self.tick += 1
        self.over, self.best_stage = not self._rollout.going[0], int(self._rollout.stage[0])
        self._qpos = self._poses()
        self.caption = self._read(("success" if self._rollout.success[0] else "failed") if self.over else "")
        if self.over and shot.counted is not None and shot.counted != self.success:
            was, now = ("a success" if good else "a failure" for good in (shot.counted, self.success))
            raise OutcomeDiffers(
                f"{shot.contender or shot.actor} on {shot.env.task_name}, layout seed {shot.layout_seed}, "
                f"{shot.condition}, is {now} on film and {was} in {shot.counted_in}: the policy, or the version of "
                "Duet, has changed since; evaluate again"
            )

    @property
    def success(self) -> bool:
        """Whether the episode has ended so."""
        return self.caption.verdict == "success"

    def advance_to(self, tick: float) -> None:
        """So far that a picture of this moment can be drawn, or to the end."""
        while not self.over and self.tick < tick:
            self.advance()

    # Pictures

    def at(self, tick: float) -> tuple[np.ndarray, Caption]:
        """Positions of all joints at a moment of the last tick, or at the end; and what there is to say."""
        tick = min(tick, self.tick)
        share = tick - (self.tick - 1)
        if share >= 1:
            return self._qpos, self.caption
        return self._between(share), replace(self._former_caption, seconds=tick * TICK)

    def _poses(self) -> np.ndarray:
        return self.shot.env.physics.arrays["qpos"][0].copy()

    def _between(self, share: float) -> np.ndarray:
        """Straight on from the former tick to the last; turns along the shorter way."""
        qpos = (1 - share) * self._former + share * self._qpos
        for turn in self._turns:
            before, after = self._former[turn], self._qpos[turn]
            mixed = (1 - share) * before + share * (after if before @ after >= 0 else -after)
            qpos[turn] = mixed / np.linalg.norm(mixed)
        return qpos

    # What there is to say

    def _read(self, verdict: str) -> Caption:
        shot, env, runtime = self.shot, self.shot.env, self.shot.agent.runtime
        disturbed, struck = self._disturbance()
        caption = Caption(
            env.task_name,
            shot.contender,
            shot.actor,
            shot.layout_seed,
            self.tick * TICK,
            int(env.task.progress(env.world(), self._rollout.success).reached[0]),
            env.task.stages,
            system1_rate=1 / TICK,
            disturbed=disturbed,
            struck=struck,
            speed=self._speed,
            verdict=verdict,
        )
        if runtime is None:
            return caption
        return replace(
            caption,
            plan=self._steps(runtime),
            commands=self._commands(runtime),
            system2_rate=runtime.rate,
            command_age=float(runtime.command_age[0].max()),
            no_plan=runtime.no_plan[0],
        )

    def _steps(self, runtime: DualRuntime) -> tuple[PlanLine, ...]:
        """The plan in force, after what was done of the plans before it."""
        steps, now = runtime.plan_of(0)
        labels, version = tuple(step.label for step in steps), int(runtime.counts["version"][0])
        before, old, reached = self._plan
        if version != before:
            self._done += _joined([PlanLine(label, "done") for label in old[:reached]])
        self._plan = version, labels, now
        lines = [
            PlanLine(label, "done" if k < now else "now" if k == now else "later") for k, label in enumerate(labels)
        ]
        return (*self._done, *_joined(lines))

    def _commands(self, runtime: DualRuntime) -> tuple[str, ...]:
        names = [thing.spec.name for thing in self.shot.env.scene.objects]
        skills, things = runtime.commands.skill[0], runtime.commands.thing[0]
        return tuple(
            SKILLS[skill] if thing == NOTHING else f"{SKILLS[skill]} {names[thing]}"
            for skill, thing in zip(skills.tolist(), things.tolist(), strict=True)
        )

    def _disturbance(self) -> tuple[str, bool]:
        """What has happened from outside, and whether that was a moment ago."""
        what = self.shot.perturbation
        if what is None or not what.happened[0]:
            return "", False
        began = int(what.at[0])
        word = _HAPPENED.get(self.shot.condition, self.shot.condition.replace("_", " "))
        struck = (self.tick - began) * TICK < _STRIKING * self._speed
        return word if began == 0 else f"{word} at {began * TICK:.1f} s", struck


def _joined(lines: list[PlanLine]) -> list[PlanLine]:
    """Steps in a row that are called the same, such as those of one way, as one."""
    found = []
    for label, several in groupby(lines, key=lambda line: line.label):
        marks = {line.mark for line in several}
        found.append(PlanLine(label, marks.pop() if len(marks) == 1 else "now"))
    return found
