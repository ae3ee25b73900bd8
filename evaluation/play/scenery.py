"""What a page shows in three dimensions: the arms, the table and the objects of a session, and its goals."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import mujoco
import numpy as np

from envs.scene import COLOURS
from envs.task import Goal
from evaluation.play import shapes
from evaluation.play.session import Session

_TOP, _BOTTOM = (52, 62, 78), (17, 20, 27)
_HORIZON = (7, 10, 16)  # the background at that height, in the linear colours that fog is taken in
_FLOOR = -0.75  # (m) as in films
_FLOOR_COLOUR = (24, 27, 32)
_GOAL_OPACITY = 0.5
_SEEN = 1e-5  # (m) smaller moves are not shown
_CAMERA = "front"
_ASPECT = 1.35  # (width by height) of what must be seen; the camera steps back where the window is narrower
_AHEAD = 2.1  # (m) from there, what the camera looks at
_MOVED = 0.02  # (m) from where the page has put it, a camera has been moved by its user
_ROUGH = 0.6  # wood


class Scenery:
    """Mirrors the world of a session into a viser server."""

    def __init__(self, server: Any, session: Session) -> None:
        """`server` is a `viser.ViserServer`."""
        self._scene, self._session = server.scene, session
        env = session.env
        self._model = env.scene.picture_model
        self._data = mujoco.MjData(self._model)
        self._goal_click: Callable[[int], None] = lambda marker: None
        self._goals: dict[int, tuple[tuple[Any, ...], Any]] = {}
        things = {thing.body for thing in env.scene.objects}
        self._bodies = {
            body: self._scene.add_frame(f"/bodies/{body}", show_axes=False) for body in range(1, self._model.nbody)
        }
        for number, part in enumerate(shapes.parts(self._model, {0, *self._bodies} - things)):
            parent = f"/bodies/{part.body}/" if part.body else "/studio/"
            self._scene.add_mesh_simple(
                f"{parent}{number}", part.vertices, part.faces, color=part.colour, cast_shadow=True, receive_shadow=True
            )
        self._add_table()
        self.things = [self._add_thing(k) for k in range(len(env.scene.objects))]
        self._add_studio(server)

    def _add_thing(self, k: int) -> Any:
        """An object, as large as one metre; its scale makes it as large as it is."""
        spec = self._session.env.scene.objects[k].spec
        shape = shapes.cylinder(1.0, 1.0) if spec.shape == "cylinder" else shapes.box(np.ones(3))
        colour = tuple(round(255 * value) for value in COLOURS[spec.colour][:3])
        return self._scene.add_mesh_simple(
            f"/bodies/{self._session.env.scene.objects[k].body}/{spec.name}", *shape, color=colour
        )

    def _add_table(self) -> None:
        """The table top, with the grain of its wood."""
        import trimesh  # viser needs it too
        from PIL import Image

        model, geom = self._model, self._model.geom("table").id
        grain = shapes.texture(model, geom)
        assert grain is not None
        vertices, faces = shapes.box(model.geom_size[geom])
        vertices = vertices + model.geom_pos[geom]
        across = vertices[:, :2] * model.mat_texrepeat[model.geom_matid[geom]]  # so often a metre
        wood = trimesh.visual.material.PBRMaterial(
            baseColorTexture=Image.fromarray(grain), metallicFactor=0.0, roughnessFactor=_ROUGH
        )
        look = trimesh.visual.TextureVisuals(uv=across, material=wood)
        self._scene.add_mesh_trimesh("/studio/table", trimesh.Trimesh(vertices, faces, visual=look, process=False))

    def _add_studio(self, server: Any) -> None:
        """Floor, lights, background and camera."""
        scene = self._scene
        angle = np.linspace(0, 2 * np.pi, 64, endpoint=False)
        rim = np.column_stack((9 * np.cos(angle), 9 * np.sin(angle), np.zeros(64)))
        i = np.arange(64)
        scene.add_mesh_simple(
            "/studio/floor", np.vstack((rim, np.zeros(3))), np.column_stack((np.full(64, 64), i, (i + 1) % 64)),
            color=_FLOOR_COLOUR, position=(0, 0, _FLOOR), cast_shadow=False,
        )  # fmt: skip
        scene.configure_default_lights(False)
        # with an environment, a page without a GPU takes four times as long to draw
        scene.configure_environment_map(None)
        scene.add_light_hemisphere("/lights/sky", sky_color=(214, 226, 255), ground_color=(110, 98, 88), intensity=1.2)
        scene.add_light_directional("/lights/key", color=(255, 244, 228), intensity=2.3, cast_shadow=True,
                                    position=(1.1, -1.6, 3.0))  # fmt: skip
        scene.add_light_directional("/lights/rim", color=(190, 210, 255), intensity=1.0, position=(-2.0, 2.0, 1.8))
        scene.configure_fog(4.5, 10.0, color=_HORIZON)  # the floor ends where nobody sees it
        rows = np.linspace(0, 1, 256)[:, None, None]
        sky = np.array(_TOP) * (1 - rows) + np.array(_BOTTOM) * rows
        scene.set_background_image(np.repeat(sky.round().astype(np.uint8), 16, axis=1), format="png")
        data = mujoco.MjData(self._model)
        mujoco.mj_kinematics(self._model, data)
        mujoco.mj_camlight(self._model, data)
        camera = self._model.camera(_CAMERA).id
        ahead = -data.cam_xmat[camera].reshape(3, 3)[:, 2]
        fov, middle = float(np.radians(self._model.cam_fovy[camera])), data.cam_xpos[camera] + _AHEAD * ahead
        server.initial_camera.look_at, server.initial_camera.fov = middle, fov
        server.initial_camera.position = middle - _AHEAD * ahead

        def frame(camera: Any, last: list[float]) -> None:
            """Fit the scene into the window, until its user has looked somewhere else."""
            if abs(camera.aspect - last[0]) < 0.01 or np.linalg.norm(camera.position - middle) > last[1] + _MOVED:
                return
            back = max(1.0, _ASPECT / camera.aspect) * _AHEAD
            last[:] = camera.aspect, back
            camera.position, camera.look_at = middle - back * ahead, middle

        @server.on_client_connect
        def _(client: Any) -> None:
            last = [0.0, _AHEAD]
            frame(client.camera, last)
            client.camera.on_update(lambda _: frame(client.camera, last))  # panels take their places later

        self.right = data.cam_xmat[camera].reshape(3, 3)[:2, 0]

    def show(self) -> None:
        """Bring everything to where it is now."""
        env = self._session.env
        self._data.qpos[:] = env.physics.arrays["qpos"][0]
        mujoco.mj_kinematics(self._model, self._data)
        for body, frame in self._bodies.items():
            place(frame, self._data.xpos[body], self._data.xquat[body])
        for mesh, thing in zip(self.things, env.scene.objects, strict=True):
            half = env.physics.arrays["geom_size"][0, thing.geom]
            size = (half[0], half[0], half[1]) if thing.spec.shape == "cylinder" else half
            scale = tuple(float(value) for value in size)
            if mesh.scale != scale:
                mesh.scale = scale
        self._show_goals(env.task.goals_to_draw(env.world().goal[0]))

    def _show_goals(self, goals: tuple[Goal, ...]) -> None:
        for k, goal in enumerate(goals):
            look = (goal.shape, tuple(goal.half_size), goal.colour)
            if k not in self._goals or self._goals[k][0] != look:
                self._goals[k] = look, self._add_goal(k, goal)
            place(self._goals[k][1], goal.position, (np.cos(goal.yaw / 2), 0.0, 0.0, np.sin(goal.yaw / 2)))

    def on_goal_click(self, do: Callable[[int], None]) -> None:
        """Have something done when a goal is clicked on, with its number."""
        self._goal_click = do

    def _add_goal(self, k: int, goal: Goal) -> Any:
        a, b, c = (*goal.half_size, 0.0, 0.0)[:3]
        shape = {
            "sphere": lambda: shapes.ball(np.full(3, a)),
            "box": lambda: shapes.box(np.array((a, b, c))),
            "cylinder": lambda: shapes.cylinder(a, b),
        }[goal.shape]()
        colour = tuple(round(255 * value) for value in COLOURS[goal.colour][:3])
        marker = self._scene.add_mesh_simple(
            f"/goals/{k}", *shape, color=colour, opacity=_GOAL_OPACITY, cast_shadow=False, receive_shadow=False
        )
        marker.on_click(lambda _: self._goal_click(k))
        return marker


def place(handle: Any, position: Any, wxyz: Any = None) -> None:
    """Move and turn what is shown, unless it is there: browsers draw nothing while nothing is sent."""
    if np.abs(handle.position - position).max() > _SEEN:
        handle.position = position
    if wxyz is not None and np.abs(handle.wxyz - wxyz).max() > _SEEN:
        handle.wxyz = wxyz
