"""What tests of several folders share."""

from __future__ import annotations

from pathlib import Path

import pytest

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
