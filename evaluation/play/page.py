"""The page: a session in a browser, with handles to drag and buttons to press. Needs viser."""

from __future__ import annotations

import io
import socket
from contextlib import redirect_stdout
from typing import Any

import numpy as np

from evaluation.play.goals import Handle, handles, moved_to
from evaluation.play.interventions import Drag, Latency, MoveGoal, Stall, Switch
from evaluation.play.live import Controls
from evaluation.play.panel import status
from evaluation.play.scenery import Scenery, place
from evaluation.play.session import Session

MISSING = 'the page needs viser; install it with: pip install -e ".[play]" (or play with --viewer)'
_MOST_LATENCY = 8.0  # (s)
_BRAND = (90, 176, 255)
_SPEEDS = {"¼×": 0.25, "½×": 0.5, "1×": 1.0, "2×": 2.0, "4×": 4.0}
_HANDLE: dict[str, Any] = {
    "scale": 0.12, "disable_rotations": True, "depth_test": False, "line_width": 3.0, "opacity": 0.8,
}  # fmt: skip
_HINT = "A handle in the picture: drag its arrows or squares"
_WIDTH = 330  # (px) of the panels
_PLAIN = (62, 72, 86)  # buttons, besides those that matter most
_BEGIN_KEYS = ("R", "N")
_ARROWS = {"←": (-1, 0), "→": (1, 0), "↑": (0, 1), "↓": (0, -1)}  # right and away, as the camera sees it


class PageUnavailable(RuntimeError):
    """The page cannot be shown; the message says why."""


def server(host: str, port: int) -> Any:
    """A viser server.

    Raises:
        PageUnavailable: viser is missing, or the port is taken.
    """
    try:
        import viser
    except ImportError:
        raise PageUnavailable(MISSING) from None
    try:
        with socket.create_server((host, port)) as probe:
            port = probe.getsockname()[1]
    except (OSError, OverflowError) as error:
        told = getattr(error, "strerror", None) or error
        raise PageUnavailable(f"port {port} of {host} cannot be used ({told}); name another with --port") from None
    with redirect_stdout(io.StringIO()):  # its own greeting
        return viser.ViserServer(host=host, port=port, label="Duet", verbose=False)


class Page:
    """Shows a session in every browser that opens its address."""

    def __init__(self, session: Session, controls: Controls, host: str = "localhost", port: int = 8080) -> None:
        """Raises:
        PageUnavailable: viser is missing, or the port is taken.
        """
        self._session, self._controls = session, controls
        self._server = server(host, port)
        self.url = f"http://{host}:{self._server.get_port()}"
        self._gui = self._server.gui
        self._gui.configure_theme(dark_mode=True, show_logo=False, show_share_button=False, brand_color=_BRAND)
        self._gui.main_panel.dock_right()
        self._gui.main_panel.set_width(_WIDTH)
        self._scenery = Scenery(self._server, session)
        self._handles: dict[int, Handle] = {handle.marker: handle for handle in handles(session.env)}
        self._names = [thing.spec.name for thing in session.env.scene.objects]
        self._thing = 0
        self._html = ""
        self._drags: dict[str, Any] = {}  # whether the object and the goal have a handle
        self._object_handle: Any = None
        self._goal_handle: Any = None
        panel = self._gui.add_panel()
        panel.dock_left()
        panel.set_width(_WIDTH)
        with panel.add_tab("Status"):
            self._status = self._gui.add_html("")
        self._add_episode()
        self._add_disturbances()
        self._add_systems()
        self._add_gizmos()
        self.show()

    @property
    def open(self) -> bool:
        return True  # whoever looks may come back

    def close(self) -> None:
        with redirect_stdout(io.StringIO()):
            self._server.stop()

    # Buttons

    def _button(self, label: str, do: Any, hint: str, icon: str, key: str | None = None, **look: Any) -> Any:
        look = {"color": _PLAIN} | look
        button = self._gui.add_button(label, hint=hint + (f" (key {key})" if key else ""), icon=icon, **look)
        button.on_click(lambda _: do())
        if key is not None and not look.get("disabled"):
            self._gui.add_command(label, hotkey=key, icon=icon).on_trigger(lambda _: do())
        return button

    def _add_episode(self) -> None:
        with self._gui.add_folder("Time"):
            self._pause = self._button("Pause", self._toggle, "Let time stand still", "player-pause", "P", color=_BRAND)
            self._button("One tick", self._controls.one_tick, "40 ms, and stand still", "player-skip-forward", "T")
            speed = self._gui.add_button_group("Speed", list(_SPEEDS))
            speed.on_click(lambda event: self._set_speed(_SPEEDS[event.target.value]))
        begins = {"Again": self._controls.again, "Next layout": self._controls.next}
        for label, key in zip(begins, _BEGIN_KEYS, strict=True):
            self._gui.add_command(label, hotkey=key).on_trigger(lambda _, do=begins[label]: do())
        with self._gui.add_folder("Episode"):
            begin = self._gui.add_button_group(
                "Begin", list(begins), hint="The same layout from the start, or the next one (keys R and N)"
            )
            begin.on_click(lambda event: begins[event.target.value]())
            seed = self._gui.add_number("Layout seed", self._session.episode.layout_seed, min=0, step=1)
            seed.on_update(lambda event: self._begin(event))
            self._seed = seed
            go_on = self._gui.add_checkbox(
                "Go on by itself", self._controls.go_on, hint="When an episode is over, begin on the next layout"
            )
            go_on.on_update(lambda event: setattr(self._controls, "go_on", event.target.value))

    def _add_disturbances(self) -> None:
        names, movable = self._names, bool(self._handles)
        with self._gui.add_folder("Disturb"):
            if names:
                self._chosen = self._gui.add_dropdown(
                    "Object", names, hint="What the buttons and the handle are about; or click on it in the picture"
                )
                self._chosen.on_update(lambda event: self._choose(names.index(event.target.value)))
                self._button("Knock", lambda: self._controls.knock(self._thing),
                             "A blow from the side; the hands that hold it are struck open", "bolt", "K",
                             color="orange")  # fmt: skip
                push = self._gui.add_button_group("Push", list(_ARROWS), hint="A push; hands keep what they have")
                push.on_click(lambda event: self._push(event.target.value))
                self._drags["object"] = self._gui.add_checkbox("Drag the object", False, hint=_HINT)
            self._button("Move the goal", self._controls.move_goal, "To where it is in another layout",
                         "target-arrow", "G", disabled=not movable)  # fmt: skip
            if movable:
                self._drags["goal"] = self._gui.add_checkbox("Drag the goal", False, hint=_HINT)

    def _add_systems(self) -> None:
        cast, role = self._session.cast, self._session.role
        with self._gui.add_folder("Who acts"):
            self._system = self._gui.add_dropdown("System", cast.systems, initial_value=role.system)
            self._planner = self._gui.add_dropdown(
                "System 2", cast.planners, initial_value=role.planner or cast.planners[0]
            )
            for choice in (self._system, self._planner):
                choice.on_update(self._switch)
            most = max(_MOST_LATENCY, self._session.latency)
            latency = self._gui.add_slider("Latency, s", 0.0, most, 0.2, self._session.latency,
                                           hint="How late System 2's answers come")  # fmt: skip
            latency.on_update(lambda event: self._session.ask(Latency(float(event.target.value))))
            stall = self._gui.add_slider("Stall, s", 0.2, _MOST_LATENCY, 0.2, 3.0)
            self._button("Stall System 2", lambda: self._session.ask(Stall(float(stall.value))),
                         "It answers nothing for so long; System 1 goes on with what it has", "zzz", "S",
                         color="grape")  # fmt: skip

    def _toggle(self) -> None:
        self._controls.paused = not self._controls.paused

    def _set_speed(self, speed: float) -> None:
        self._controls.speed = speed

    def _begin(self, event: Any) -> None:
        if event.client_id is not None:  # not ourselves
            self._controls.begin(int(event.target.value))

    def _push(self, arrow: str) -> None:
        right, away = _ARROWS[arrow]
        x, y = right * self._scenery.right + away * np.array((-self._scenery.right[1], self._scenery.right[0]))
        self._controls.push(self._thing, float(np.arctan2(y, x)))

    def _switch(self, _: Any) -> None:
        system = self._system.value
        self._session.ask(Switch(system, self._planner.value if self._session.cast.plans(system) else None))

    def _take(self, thing: int, what: str) -> None:
        """Choose what was clicked on, and offer its handle."""
        if thing < len(self._names):
            self._choose(thing)
        if what in self._drags:
            self._drags[what].value = True

    def _choose(self, thing: int) -> None:
        self._thing = thing
        if self._chosen.value != self._names[thing]:
            self._chosen.value = self._names[thing]

    # Handles to drag

    def _add_gizmos(self) -> None:
        add, self._held = self._server.scene.add_transform_controls, {"object": False, "goal": False}
        if self._names:
            self._object_handle = add("/object_handle", **_HANDLE, visible=False)
            self._object_handle.on_update(self._drag_object)
            for k, mesh in enumerate(self._scenery.things):
                mesh.on_click(lambda _, k=k: self._take(k, "object"))
        if self._handles:
            self._goal_handle = add("/goal_handle", **_HANDLE, visible=False)
            self._goal_handle.on_update(self._drag_goal)
            self._scenery.on_goal_click(lambda marker: self._take(marker, "goal"))
        for name, handle in (("object", self._object_handle), ("goal", self._goal_handle)):
            if name in self._drags:
                self._drags[name].on_update(lambda event, handle=handle: setattr(handle, "visible", event.target.value))

    async def _drag_object(self, event: Any) -> None:  # a coroutine, so that phases come in order
        self._held["object"] = event.phase != "end"
        x, y, z = map(float, event.target.position)
        if event.phase != "start":  # nothing has moved yet
            self._session.ask(Drag(self._thing, None if event.phase == "end" else (x, y, max(z, 0.0))))

    async def _drag_goal(self, event: Any) -> None:
        self._held["goal"] = event.phase != "end"
        x, y, z = map(float, event.target.position)
        if event.phase == "update":
            self._session.ask(MoveGoal(moved_to(self._session.env, self._handle, (x, y, z))))

    @property
    def _handle(self) -> Handle:
        """Of the goal of the chosen object, or of the only one."""
        return self._handles.get(self._thing, next(iter(self._handles.values())))

    # Picture

    def show(self) -> None:
        """Bring the picture and the panel up to date."""
        session, env = self._session, self._session.env
        with self._server.atomic():
            self._scenery.show()
            if self._names and not self._held["object"]:
                body = env.scene.objects[self._thing].body
                place(self._object_handle, env.physics.arrays["xpos"][0, body])
            if self._handles and not self._held["goal"]:
                marker = env.task.goals_to_draw(env.world().goal[0])[self._handle.marker]
                place(self._goal_handle, marker.position)
        html = status(session, self._controls.paused, self._controls.speed)
        if html != self._html:
            self._html = self._status.content = html
        self._follow()

    def _follow(self) -> None:
        """Let the inputs say what is the case, whoever decided it."""
        label = "Resume" if self._controls.paused else "Pause"
        if self._pause.label != label:
            self._pause.label = label
            self._pause.icon = "player-play" if self._controls.paused else "player-pause"
        seed = self._session.episode.layout_seed
        if self._seed.value != seed:
            self._seed.value = seed
        role = self._session.role
        if self._planner.disabled == self._session.cast.plans(role.system):
            self._planner.disabled = not self._session.cast.plans(role.system)
