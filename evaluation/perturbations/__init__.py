"""What happens to an episode from outside, at a moment that is tied to an event."""

from __future__ import annotations

from envs.names import check_name
from envs.object_task import ObjectTask
from envs.robots import PANDA
from envs.tasks import task_class
from evaluation.perturbations.base import Perturbation
from evaluation.perturbations.goals import GoalChanges, GoalDrifts, GoalMoves
from evaluation.perturbations.objects import Distractor, Heavy, Knock, Push, Slippery
from evaluation.perturbations.sight import CameraNoise, PoseNoise

__all__ = ["PERTURBATIONS", "Perturbation", "make_perturbation", "perturbations_of"]

PERTURBATIONS: dict[str, type[Perturbation]] = {
    "push": Push,
    "knock": Knock,
    "goal_moves": GoalMoves,
    "goal_drifts": GoalDrifts,
    "goal_changes": GoalChanges,
    "distractor": Distractor,
    "heavy": Heavy,
    "slippery": Slippery,
    "pose_noise": PoseNoise,
    "camera_noise": CameraNoise,
}


def perturbations_of(task: str, observation: str = "state") -> tuple[str, ...]:
    """The names of those that a task has under an observation mode.

    Reach has no object, the goal of Stack is another object, and only pixels come from a camera.

    Raises:
        UnknownName: there is no such task.
    """
    it = task_class(task)(PANDA)
    things, own_goal = bool(it.objects), True
    if isinstance(it, ObjectTask):
        own_goal = all(it.below(thing) is None for thing in range(len(it.asked)))
    return tuple(
        name
        for name, kind in PERTURBATIONS.items()
        if (things or not kind.needs_object)
        and (own_goal or not kind.needs_goal)
        and kind.observation in (None, observation)
    )


def make_perturbation(name: str, task: str, observation: str = "state") -> Perturbation:
    """A perturbation by name, for worlds of a task that are made with its `world_changes`.

    Raises:
        UnknownName: there is no such perturbation or task.
        ValueError: the task does not have it; the message lists those that it has.
    """
    own = perturbations_of(task, observation)
    check_name("perturbation", name, PERTURBATIONS)
    if name not in own:
        raise ValueError(f"{task} has no perturbation {name!r}; it has {', '.join(own)}")
    return PERTURBATIONS[name]()
