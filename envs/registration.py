"""The Gymnasium ids of Duet's environments: `duet/{task}{Sparse}{Goal or Pixels}-v0`, for every task.

Importing this module is cheap: neither the tasks nor MuJoCo are loaded until an environment is made. It
also imports nothing of ours to register, because `envs.plugin` runs it outside its package.
"""

from __future__ import annotations

from itertools import product
from pathlib import Path

REWARDS = {"dense": "", "sparse": "Sparse"}  # reward -> its part of the id
OBSERVATIONS = {"state": "", "goal": "Goal", "pixels": "Pixels"}  # observation -> its part of the id

# A task is one file, so the listing of the folder is the list of tasks: pick_place.py is "PickPlace".
TASK_NAMES = tuple(
    "".join(word.capitalize() for word in file.stem.split("_"))
    for file in sorted(Path(__file__).with_name("tasks").glob("[a-z]*.py"))
)


def env_id(task: str, reward: str = "dense", observation: str = "state") -> str:
    """The id under which Gymnasium knows a task, such as `duet/PickPlaceSparseGoal-v0`.

    Raises:
        UnknownName: there is no such task, reward or observation.
    """
    from envs.names import check_name

    check_name("task", task, TASK_NAMES)
    check_name("reward", reward, REWARDS)
    check_name("observation", observation, OBSERVATIONS)
    return _format(task, reward, observation)


def register_all() -> None:
    """Register every task with every reward and observation in Gymnasium. Calling it again changes nothing."""
    # Not `import gymnasium`: this may run while that import is still going on.
    from gymnasium.envs.registration import register, registry

    for task, reward, observation in product(TASK_NAMES, REWARDS, OBSERVATIONS):
        name = _format(task, reward, observation)
        if name not in registry:  # registering an id twice prints a warning
            register(
                id=name,
                entry_point="envs.single:DuetEnv",
                vector_entry_point="envs.vector:DuetVectorEnv",
                kwargs={"task": task, "reward": reward, "observation": observation},
            )


def _format(task: str, reward: str, observation: str) -> str:
    return f"duet/{task}{REWARDS[reward]}{OBSERVATIONS[observation]}-v0"
