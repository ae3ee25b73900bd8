"""MuJoCo's own viewer on a session: its mouse pulls at whatever one has double-clicked. Needs a display."""

from __future__ import annotations

from typing import Any

import mujoco
import numpy as np

from envs.rendering import add_markers
from envs.scene import TICK
from envs.viewer import check_display
from evaluation.play.interventions import NO_FORCE, Force, Stall, Switch, Wrench
from evaluation.play.live import Controls
from evaluation.play.session import Session

_STALL = 3.0  # (s)
# GLFW's numbers. The letters are those of the viewer's own switches.
_SPACE, _RIGHT, _BACKSPACE, _F8 = 32, 262, 259, 297
_KEYS = (
    "space: pause   right arrow: one tick   backspace: again   F8: next layout\n"
    "F9: knock   F10: move the goal   F11: stall System 2   F12: switch systems"
)
_CAMERA, _AHEAD = "front", 2.1  # (m) from it, what it looks at


class Window:
    """Shows a session in MuJoCo's viewer.

    Raises:
        RuntimeError: there is no display, or on macOS, it was not started with mjpython.
    """

    def __init__(self, session: Session, controls: Controls) -> None:
        try:
            check_display()
        except RuntimeError:
            raise RuntimeError("--viewer needs a display; leave it out to play in a page") from None
        import mujoco.viewer

        self._session, self._controls = session, controls
        self._model = session.env.scene.picture_model
        self._data = mujoco.MjData(self._model)
        self._pulled: set[int] = set()
        self._thing = 0
        self._pose()
        self._viewer = mujoco.viewer.launch_passive(
            self._model, self._data, key_callback=self._press, show_left_ui=False, show_right_ui=False
        )
        self._look()
        print(f"In the viewer: double-click an object, then pull with Ctrl and the right button.\n{_KEYS}", flush=True)

    @property
    def open(self) -> bool:
        return self._viewer.is_running()

    def close(self) -> None:
        self._viewer.close()

    def _look(self) -> None:
        """Begin with the view of the films."""
        camera = self._model.camera(_CAMERA).id
        ahead = -self._data.cam_xmat[camera].reshape(3, 3)[:, 2]
        with self._viewer.lock():
            view = self._viewer.cam
            view.type = mujoco.mjtCamera.mjCAMERA_FREE
            view.lookat[:] = self._data.cam_xpos[camera] + _AHEAD * ahead
            view.distance = _AHEAD
            view.azimuth = np.degrees(np.arctan2(ahead[1], ahead[0]))
            view.elevation = np.degrees(np.arcsin(ahead[2]))

    def _pose(self) -> None:
        """Bring what is drawn to where everything is now."""
        arrays, scene = self._session.env.physics.arrays, self._session.env.scene
        self._data.qpos[:], self._data.qvel[:] = arrays["qpos"][0], arrays["qvel"][0]
        for thing in scene.objects:
            self._model.geom(thing.spec.name).size = arrays["geom_size"][0, thing.geom]
        for compute in (mujoco.mj_kinematics, mujoco.mj_camlight, mujoco.mj_comPos, mujoco.mj_comVel):
            compute(self._model, self._data)  # the last two for forces of the mouse

    def show(self) -> None:
        """Bring the window up to date, and take what its mouse pulls at."""
        session = self._session
        with self._viewer.lock():
            self._pose()
            forces = self._forces()
            self._viewer.user_scn.ngeom = 0
            add_markers(self._viewer.user_scn, session.env.pictures.markers(0))
        self._viewer.set_texts((None, mujoco.mjtGridPos.mjGRID_TOPLEFT, *self._texts()))
        self._viewer.sync()
        for body in self._pulled | set(forces):
            session.ask(Force(body, forces.get(body, NO_FORCE)))
        self._pulled = set(forces)

    def _forces(self) -> dict[int, Wrench]:
        """(N and N m) of the mouse on the bodies that it pulls at."""
        pull = self._viewer.perturb
        self._data.xfrc_applied[:] = 0.0
        mujoco.mjv_applyPerturbForce(self._model, self._data, pull)
        bodies = np.flatnonzero(np.abs(self._data.xfrc_applied).max(axis=1) > 0.0).tolist()
        for k, thing in enumerate(self._session.env.scene.objects):
            self._thing = k if pull.select == thing.body else self._thing
        wrenches = {body: self._data.xfrc_applied[body].tolist() for body in bodies}
        return {body: (fx, fy, fz, tx, ty, tz) for body, (fx, fy, fz, tx, ty, tz) in wrenches.items()}

    def _texts(self) -> tuple[str, str]:
        """Names and values."""
        session, runtime = self._session, self._session.runtime
        rows = [
            (session.env.task_name, session.verdict or ("paused" if self._controls.paused else "")),
            ("time", f"{session.ticks * TICK:.1f} s"),
            ("layout seed", str(session.episode.layout_seed)),
            ("who acts", session.role.text),
            ("stage", f"{int(session.infos['stage'][0])} of {len(session.env.task.stages)}"),
        ]
        if runtime is not None:
            step = runtime.step_of(0)
            rows += [
                ("step", "" if step is None else step.label),
                ("command age", f"{runtime.command_age.max():.1f} s"),
            ]
        names, values = zip(*rows, strict=True)
        return "\n".join(names), "\n".join(values)

    def _press(self, key: int) -> None:
        """What a key does; called from the viewer's own thread."""
        controls, session = self._controls, self._session
        does: dict[int, Any] = {
            _SPACE: lambda: setattr(controls, "paused", not controls.paused),
            _RIGHT: controls.one_tick,
            _BACKSPACE: controls.again,
            _F8: controls.next,
            _F8 + 2: controls.move_goal,
            _F8 + 3: lambda: session.ask(Stall(_STALL)),
            _F8 + 4: self._switch,
        }
        if session.env.scene.objects:
            does[_F8 + 1] = lambda: controls.knock(self._thing)
        does.get(key, lambda: None)()

    def _switch(self) -> None:
        """To the next system."""
        systems = self._session.cast.systems
        system = systems[(systems.index(self._session.role.system) + 1) % len(systems)]
        role = self._session.cast.role(system)
        self._session.ask(Switch(role.system, role.planner))
