"""Pictures of a batch of worlds: video frames, camera observations and a window."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import mujoco
import numpy as np

from envs.physics import Physics
from envs.rendering import Marker, SceneRenderer
from envs.scene import COLOURS, arm_prefix
from envs.task import Task

if TYPE_CHECKING:
    from envs.viewer import Window

PIXEL_CAMERAS = {"front": "front", "wrist": f"{arm_prefix(0)}wrist"}  # name in observations -> in the scene
PIXEL_SIZE = 84  # (px) height and width of camera observations
VIDEO_SIZE = (720, 1280)  # (px) height and width of video frames
_GOAL_ALPHA = 0.45
_SIZES = 3  # of video frames that are ready to be drawn: a graphics context each


class Pictures:
    """Draws the worlds of a `Physics`. Opens a renderer or a window when one is first needed."""

    def __init__(self, physics: Physics, task: Task, goals: np.ndarray) -> None:
        """`goals` (num_worlds, G) is read whenever a picture is made."""
        self._physics = physics
        self._task = task
        self._goals = goals
        self._model = physics.scene.picture_model
        self._data = mujoco.MjData(self._model)
        self._video: dict[tuple[int, int], SceneRenderer] = {}  # by size
        self._pixels: SceneRenderer | None = None
        self._window: Window | None = None

    def markers(self, world: int) -> list[Marker]:
        """What shows the goal of one world."""
        goals = self._task.goals_to_draw(self._goals[world])
        return [
            Marker(goal.shape, tuple(goal.position), goal.half_size, (*COLOURS[goal.colour][:3], _GOAL_ALPHA), goal.yaw)
            for goal in goals
        ]

    @property
    def cameras(self) -> tuple[str, ...]:
        """Names of the scene's cameras."""
        return tuple(self._model.camera(i).name for i in range(self._model.ncam))

    def _pose(self, world: int, qpos: np.ndarray | None = None) -> None:
        """Bring what is drawn into the pose of one world, or into the one given."""
        arrays, scene = self._physics.arrays, self._physics.scene
        self._data.qpos[:] = arrays["qpos"][world] if qpos is None else qpos
        for thing in scene.objects:
            self._model.geom(thing.spec.name).size = arrays["geom_size"][world, thing.geom]
        mujoco.mj_kinematics(self._model, self._data)
        mujoco.mj_camlight(self._model, self._data)

    def frame(self, world: int, camera: str, size: tuple[int, int], qpos: np.ndarray | None = None) -> np.ndarray:
        """(height, width, 3) uint8 picture of one world; `size` is (height, width).

        `qpos` is drawn in place of where everything is now: for pictures between two ticks.
        """
        if size not in self._video:
            while len(self._video) >= _SIZES:
                self._video.pop(next(iter(self._video))).close()
            self._video[size] = SceneRenderer(self._model, *size)
        self._pose(world, qpos)
        return self._video[size].render(self._model, self._data, camera, self.markers(world))

    def pixels(self, worlds: Iterable[int]) -> dict[str, np.ndarray]:
        """(n, PIXEL_SIZE, PIXEL_SIZE, 3) uint8 camera observations of n worlds by camera."""
        if self._pixels is None:
            self._pixels = SceneRenderer(self._model, PIXEL_SIZE, PIXEL_SIZE, beauty=False)
        images: dict[str, list[np.ndarray]] = {camera: [] for camera in PIXEL_CAMERAS}
        for world in worlds:
            self._pose(int(world))
            for camera, frames in images.items():
                frames.append(
                    self._pixels.render(self._model, self._data, PIXEL_CAMERAS[camera], self.markers(int(world)))
                )
        return {camera: np.stack(frames) for camera, frames in images.items()}

    def show(self, world: int) -> None:
        """Bring the window up to date with one world."""
        from envs.viewer import Window  # needs a display, so only where one is asked for

        if self._window is None:
            self._window = Window(self._model, self._data)
        self._window.show(lambda: self._pose(world), self.markers(world))

    def close(self) -> None:
        for drawn in (*self._video.values(), self._pixels, self._window):
            if drawn is not None:
                drawn.close()
        self._pixels = self._window = None
        self._video.clear()
