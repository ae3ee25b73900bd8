"""The report in a real browser."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from selenium import webdriver
from selenium.webdriver.support.ui import WebDriverWait


@pytest.fixture(scope="module")
def browser(open_browser: Callable[..., webdriver.Chrome]) -> webdriver.Chrome:
    return open_browser("--disable-gpu", performance="ALL")


@pytest.mark.parametrize("width", [390, 1280])
def test_in_a_browser(reported: Path, browser: webdriver.Chrome, width: int) -> None:
    browser.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride",
        {"width": width, "height": 844, "deviceScaleFactor": 1, "mobile": width < 600},
    )
    for kind in ("browser", "performance"):
        browser.get_log(kind)  # of the page before
    browser.get((reported / "report.html").as_uri())
    assert browser.get_log("browser") == []
    asked = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    addresses = [one["params"]["request"]["url"] for one in asked if one["method"] == "Network.requestWillBeSent"]
    assert [one for one in addresses if not one.startswith("data:")] == [(reported / "report.html").as_uri()]

    answer = browser.find_element("css selector", ".verdict .answer")
    assert answer.is_displayed()
    assert answer.text == "Two systems are better."
    assert answer.location["y"] + answer.size["height"] < 844  # without scrolling
    drawings = browser.find_elements("css selector", ".drawing svg")
    assert len(drawings) == 8
    for drawing in drawings:
        assert drawing.size["width"] > 300
        assert drawing.size["height"] > 60

    inner, outer = browser.execute_script("return [document.documentElement.scrollWidth, window.innerWidth]")
    assert inner <= outer == width
    blocks = "h1, h2, h3, p, li, dl, figure, figcaption, pre, .scroll, .drawing, video"
    sticking_out = browser.execute_script(
        f"return [...document.querySelectorAll('{blocks}')].filter(one => one.getBoundingClientRect().right > "
        "window.innerWidth + 0.5).map(one => one.outerHTML.slice(0, 90))"
    )
    assert sticking_out == []


def test_tables_sort_and_films_play_together(reported: Path, browser: webdriver.Chrome) -> None:
    browser.get((reported / "report.html").as_uri())
    head = "document.querySelectorAll('table.sortable')[0].tHead.rows[0].cells[1]"
    rows = "[...document.querySelectorAll('table.sortable')[0].tBodies[0].rows]"
    for order in (sorted, lambda values: sorted(values, reverse=True)):
        browser.execute_script(f"{head}.click()")
        values = browser.execute_script(f"return {rows}.map(row => +row.cells[1].dataset.value)")
        assert values == order(values)
        assert len(set(values)) > 1
    films = "document.querySelectorAll('.together video')"
    assert browser.execute_script(f"return {films}.length") == 2
    browser.execute_script(
        f"window.played = 0; for (const film of {films}) film.addEventListener('ended', () => window.played += 1);"
        "document.querySelector('.together button').click()"
    )
    WebDriverWait(browser, 20).until(lambda page: page.execute_script("return window.played") == 2)
