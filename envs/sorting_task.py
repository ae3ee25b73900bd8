"""Tasks that ask for several objects, one after the other in any order: their stages and progress."""

from __future__ import annotations

from abc import abstractmethod

from envs.geometry import Array, array_namespace
from envs.object_task import ObjectTask
from envs.progress import Progress, Stage, climb
from envs.robots import RobotSpec
from envs.world import World


class SortingTask(ObjectTask):
    """A stage is one more object whose goal is met; which one does not matter."""

    last_stage: str
    """Name of the stage after all the counted ones: success."""
    seconds: float
    """(s) of an episode for each object."""

    def __init__(self, robot: RobotSpec, num_objects: int | None = None) -> None:
        super().__init__(robot, num_objects)
        self.count = num_objects or self.object_counts[0]
        self.stages = tuple(f"{k} of {self.count}" for k in range(1, self.count)) + (self.last_stage,)
        self.time_limit = self.seconds * self.count

    @abstractmethod
    def way(self, world: World, thing: int) -> dict[str, Stage]:
        """The stages of one object until it is where it must be."""

    def _moved(self, world: World, thing: int) -> Array:
        """(N,) in [0, 1]: how far one object is on its way."""
        let_go = Stage(self.met(world, thing), self.letting_go(world, thing))
        ladder = climb(self.way(world, thing) | {"let go": let_go})
        return sum(ladder.terms.values()) / len(ladder.terms)

    def progress(self, world: World, success: Array) -> Progress:
        xp = array_namespace(world.goal)
        things = range(self.count)
        met = xp.stack([self.met(world, k) for k in things], axis=-1)
        done = xp.sum(xp.astype(met, xp.int64), axis=-1)
        # how far the furthest of the other objects is
        ahead = xp.max(xp.stack([xp.where(met[:, k], 0.0, self._moved(world, k)) for k in things], axis=-1), axis=-1)
        stages = {name: Stage(done > k, ahead) for k, name in enumerate(self.stages[:-1])}
        last = xp.where(done == self.count, 0.95, 0.95 * ahead)
        return climb(stages | {self.stages[-1]: Stage(success, last)})
