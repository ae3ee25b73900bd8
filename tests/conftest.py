"""What tests of several folders share."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from selenium import webdriver
from selenium.webdriver.chrome.service import Service

from evaluation.run import Run
from policies.system1.config import TrainConfig
from policies.system1.training import train


@pytest.fixture(scope="session")
def tiny_runs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A dual and a single system on PickPlace that have learned next to nothing; nobody writes into them."""
    folders = []
    for system in ("dual", "single"):
        folder = tmp_path_factory.mktemp("runs") / system
        config = TrainConfig(
            task="PickPlace", system=system, num_worlds=4, steps=128, demonstrations=0, starts=0.0, threads=1,
            video=False,
        )  # fmt: skip
        run = Run.create(config.resolved(), folder)
        train(run.config, folder, quiet=True)
        folders.append(folder)
    return folders[0], folders[1]


@pytest.fixture(scope="module")
def open_browser() -> Iterator[Callable[..., webdriver.Chrome]]:
    """Opens Debian's Chromium without a window, with more flags, and kinds of logs to keep besides the page's own."""
    opened: list[webdriver.Chrome] = []

    def open_one(*flags: str, **logs: str) -> webdriver.Chrome:
        chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
        if chromium is None or driver is None:
            pytest.skip(f"{'Chromium' if chromium is None else 'chromedriver'} is not installed")
        options = webdriver.ChromeOptions()
        options.binary_location = chromium
        for flag in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", *flags):
            options.add_argument(flag)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL", **logs})
        opened.append(webdriver.Chrome(options=options, service=Service(driver)))
        return opened[-1]

    yield open_one
    for chrome in opened:
        chrome.quit()
