"""Batched physics: many worlds of one scene, stepped in C++ on a thread pool, as arrays with a leading world axis."""

from __future__ import annotations

from typing import Any

import mujoco
import numpy as np
from mujoco import batch

from envs.layout import Layout
from envs.scene import SUBSTEPS, Scene

# Warnings after which MuJoCo has thrown the state away and reset the world to the model's defaults.
_DIVERGED = slice(int(mujoco.mjtWarning.mjWARN_BADQPOS), int(mujoco.mjtWarning.mjWARN_BADQACC) + 1)
_STEPPED = int(mujoco.mjtStage.mjSTAGE_VEL)  # positions and velocities are current after a step, not a substep old

_OUTPUTS = ("xpos", "xmat", "site_xpos", "site_xmat", "xanchor", "xaxis", "sensordata")
_STATES = ("qpos", "qvel", "ctrl", "xfrc_applied")
_PARAMETERS = ("geom_size", "geom_friction", "body_mass", "body_inertia")


class Physics:
    """`num_worlds` worlds of a scene. Each is a function of its own state alone: the same bits at any batch size.

    Attributes:
        arrays: live arrays over all worlds, by MuJoCo's field names: the state `qpos`, `qvel`, `ctrl` and
            `xfrc_applied`; the outputs `xpos`, `xmat`, `site_xpos`, `site_xmat`, `xanchor`, `xaxis` (world frame)
            and `sensordata`; the parameters `geom_size`, `geom_friction`, `body_mass` and `body_inertia`.
    """

    def __init__(self, scene: Scene, num_worlds: int, threads: int = 0) -> None:
        """`threads` 0 means one for every CPU."""
        if num_worlds < 1:
            raise ValueError(f"num_worlds must be at least 1, not {num_worlds}")
        if threads < 0:
            raise ValueError(f"threads must be 0 (all CPUs) or more, not {threads}")
        self.scene = scene
        self.num_worlds = num_worlds
        self._batch = batch.Batch(scene.model, num_worlds, min(threads, num_worlds))
        self.arrays: dict[str, np.ndarray] = {name: self._batch.bind(name) for name in (*_STATES, *_OUTPUTS)}
        self.arrays |= {name: self._batch.expand(name) for name in _PARAMETERS}
        self.arrays["sensordata"].flags.writeable = True  # `restore` writes it
        self._warned = self._batch.warning[:, _DIVERGED, 1]  # (num_worlds, 3) how often, live

    @property
    def threads(self) -> int:
        """Threads that step the worlds."""
        return self._batch.nthread

    def reset(self, worlds: np.ndarray, layout: Layout) -> None:
        """Begin anew in `worlds` ((n,) ascending indices); the others stay as they are."""
        self._batch.reset(worlds, stage=int(mujoco.mjtStage.mjSTAGE_NONE))
        qpos, ctrl = self.arrays["qpos"], self.arrays["ctrl"]
        for i, arm in enumerate(self.scene.arms):
            qpos[worlds, arm.joints] = layout.joints[:, i]
            qpos[worlds, arm.fingers] = arm.robot.max_opening / 2  # for each finger: open
            ctrl[worlds, arm.controls] = layout.joints[:, i]
            ctrl[worlds, arm.gripper] = arm.robot.max_opening
        for k, thing in enumerate(self.scene.objects):
            qpos[worlds, thing.pose] = layout.poses[:, k]
            size, mass = layout.half_sizes[:, k], layout.masses[:, k]
            self.arrays["geom_size"][worlds, thing.geom] = thing.geom_size(size)
            self.arrays["geom_friction"][worlds, thing.geom, 0] = layout.frictions[:, k]
            self.arrays["body_mass"][worlds, thing.body] = mass
            self.arrays["body_inertia"][worlds, thing.body] = thing.inertia(size, mass)
        if self.scene.objects:
            self._batch.set_const(worlds)
        self._batch.forward(worlds)

    def step(self) -> np.ndarray:
        """Advance all worlds by one tick. Returns (num_worlds,) where physics diverged, so that a reset is due."""
        failed = np.zeros(self.num_worlds, dtype=bool)
        try:
            self._batch.step(nstep=SUBSTEPS, stage=_STEPPED)
        except batch.SimulationError as error:
            failed[error.ids] = True
        if self._warned.any():
            failed |= self._warned.any(axis=1)
        return failed

    def refresh(self, worlds: np.ndarray) -> None:
        """Derive anew what follows from the positions and parameters of `worlds`, which somebody has written."""
        self._batch.set_const(worlds)
        self._batch.forward(worlds)

    def save(self) -> dict[str, np.ndarray]:
        """Everything that the future of the worlds depends on, as copies."""
        saved = {"state": self._batch.state, "warning": self._batch.warning, "sensordata": self.arrays["sensordata"]}
        saved |= {name: self.arrays[name] for name in _PARAMETERS}
        return {name: values.copy() for name, values in saved.items()}

    def restore(self, saved: dict[str, np.ndarray], worlds: np.ndarray | None = None) -> None:
        """Continue `worlds` (default: all) from rows that `save` returned, one row for each."""
        where: Any = slice(None) if worlds is None else worlds
        for name in _PARAMETERS:
            self.arrays[name][where] = saved[name]
        if self.scene.objects:
            self._batch.set_const(worlds)
        self._batch.state[where] = saved["state"]
        # the outputs follow from the state, but for contact forces, which a step leaves as they were before its
        # last substep
        self._batch.forward(worlds)
        self.arrays["sensordata"][where] = saved["sensordata"]
        # forward warms the solver up, which would change the next step's last bits
        self._batch.state[where] = saved["state"]
        self._batch.warning[where] = saved["warning"]

    def view(self, world: int) -> tuple[mujoco.MjModel, mujoco.MjData]:
        """One world as a model and data of its own, for rendering or any MuJoCo function."""
        model = self._batch.get_model(world)
        data = self._batch.get_data(world)
        mujoco.mj_forward(model, data)
        return model, data
