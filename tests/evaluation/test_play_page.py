"""The page in a real browser; and the shapes that it shows."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from pathlib import Path

import mujoco
import numpy as np
import pytest
from selenium import webdriver

from evaluation.play import shapes
from evaluation.play.cast import Cast
from evaluation.play.live import Controls, live
from evaluation.play.log import replay
from evaluation.play.page import Page
from evaluation.play.session import Session

_PATIENCE = 120  # (s) that a busy machine without a GPU may take
_FLAGS = ("--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--window-size=900,700")
_BUTTONS = ("Pause", "One tick", "Again", "Next layout", "Knock", "Move the goal", "Stall System 2")


@pytest.fixture
def browser(open_browser: Callable[..., webdriver.Chrome]) -> webdriver.Chrome:
    """With WebGL in software."""
    chrome = open_browser(*_FLAGS)
    chrome.set_page_load_timeout(_PATIENCE)
    return chrome


def wait(true: Callable[[], bool]) -> None:
    """Until something is true."""
    late = time.monotonic() + _PATIENCE
    while not true():
        assert time.monotonic() < late, "it never came true"
        time.sleep(0.05)


def test_what_is_pressed_on_the_page_happens_and_is_logged(browser: webdriver.Chrome, tmp_path: Path) -> None:
    played, path = Session(Cast.of([], "PickPlace"), 1), tmp_path / "log.json"
    controls = Controls(played)
    page = Page(played, controls, port=0)
    playing = threading.Thread(target=live, args=(played, controls, [page], path))
    playing.start()
    try:
        # a quarter of the pixels: every picture is drawn by the CPU
        browser.get(f"{page.url}/?fixedDpr=0.5")

        # one script for each look, since the page may be drawn anew at any time
        def labels() -> list[str]:
            return browser.execute_script(
                "return [...document.querySelectorAll('button')].map(b => b.innerText.trim())"
            )

        def click(label: str) -> None:
            browser.execute_script(f"document.querySelectorAll('button')[{labels().index(label)}].click()")

        def shown(what: str) -> str:
            return browser.execute_script(f"return document.getElementById('status')?.{what} ?? ''")

        wait(lambda: "PickPlace" in shown("innerText"))
        wait(lambda: set(_BUTTONS) <= set(labels()))
        assert browser.execute_script("return document.querySelectorAll('canvas').length") >= 1
        assert "scripted System 1 under the symbolic planner" in shown("innerText")

        click("Pause")
        wait(lambda: controls.paused)
        controls.begin(3)  # whatever it has become meanwhile
        wait(lambda: played.episode.layout_seed == 3)
        click("One tick")
        wait(lambda: played.ticks == 1)
        wait(lambda: shown("dataset.tick") == "1")
        click("Knock")
        wait(lambda: played.waiting == 1)
        click("Resume")
        wait(path.exists)
        click("Stall System 2")
        wait(lambda: len(played.episode.interventions) == 2 or played.episode.layout_seed > 3)
        click("Next layout")
        wait(lambda: played.episode.layout_seed >= 4)
        entries = browser.get_log("browser")
        assert [entry for entry in entries if entry["level"] == "SEVERE"] == []
    finally:
        controls.closed = True
        playing.join()
        played.close()
    episode = json.loads(path.read_text())["episodes"][0]
    assert episode["layout_seed"] == 3
    assert [(one["tick"], one["kind"]) for one in episode["interventions"]][0] == (1, "knock")
    assert replay(path)[0].same


@pytest.mark.parametrize("task", ["Reach", "Stack", "Relay"])
def test_tasks_without_objects_or_goals_of_their_own_have_a_page_too(task: str) -> None:
    played = Session(Cast.of([], task), 1, latency=20.0)
    page = Page(played, Controls(played), port=0)
    try:
        for _ in range(3):
            played.tick()
            page.show()
    finally:
        page.close()


# Shapes


@pytest.mark.parametrize(
    ("kind", "size", "volume"),
    [
        ("BOX", (0.1, 0.2, 0.3), 8 * 0.006),
        ("SPHERE", (0.1, 0, 0), 4 / 3 * np.pi * 0.001),
        ("ELLIPSOID", (0.1, 0.2, 0.3), 4 / 3 * np.pi * 0.006),
        ("CYLINDER", (0.1, 0.2, 0), np.pi * 0.01 * 0.4),
        ("CAPSULE", (0.1, 0.2, 0), np.pi * 0.01 * 0.4 + 4 / 3 * np.pi * 0.001),
    ],
)
def test_shapes_are_closed_and_face_outwards(kind: str, size: tuple[float, ...], volume: float) -> None:
    shape = shapes.triangles(int(getattr(mujoco.mjtGeom, f"mjGEOM_{kind}")), np.array(size, dtype=float))
    assert shape is not None
    vertices, faces = shape
    a, b, c = np.moveaxis(vertices[faces], 1, 0)
    # the divergence theorem: a face that is missing or turned the wrong way takes its part away
    assert np.einsum("ij,ij->", a, np.cross(b, c)) / 6 == pytest.approx(volume, rel=0.03)
    assert np.linalg.norm(np.cross(b - a, c - a).sum(axis=0)) < 1e-9


def test_everything_that_films_show_is_shown() -> None:
    env = Cast.of([], "Handover").make_env()
    model = env.scene.picture_model
    shown = shapes.parts(model, set(range(model.nbody)))
    seen = [
        geom
        for geom in range(model.ngeom)
        if model.geom_group[geom] != shapes.HIDDEN_GROUP and model.geom_type[geom] != mujoco.mjtGeom.mjGEOM_PLANE
    ]
    textured = [geom for geom in seen if shapes.texture(model, geom) is not None]
    assert [model.geom(geom).name for geom in textured] == ["table"]
    assert {part.body for part in shown} == {int(model.geom_bodyid[geom]) for geom in seen if geom not in textured}
    assert all(np.isfinite(part.vertices).all() and part.faces.max() < len(part.vertices) for part in shown)
