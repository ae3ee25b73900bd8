"""Files of checkpoints: whole or refused, and never executed."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
import torch

from policies.system1 import checkpoint
from policies.system1.checkpoint import CheckpointError


class _Trap:
    """Unpickling this writes a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return Path.write_text, (self.path, "executed")


def test_arrays_and_values_survive(tmp_path: Path) -> None:
    state = {
        "flags": np.array([True, False]),
        "words": np.arange(4, dtype=np.uint32),
        "scalar": np.float32(0.5),
        "nothing": np.zeros((0, 3)),
        "zero": np.array(2.5),
        "list": [1, "two", {3: torch.ones(2)}],
    }
    path = tmp_path / "state.pt"
    checkpoint.write(path, state)
    back = checkpoint.read(path)
    for name in ("flags", "words", "nothing", "zero"):
        np.testing.assert_array_equal(back[name], state[name])
        assert back[name].dtype == state[name].dtype  # type: ignore[attr-defined]
    assert back["scalar"] == 0.5
    assert back["list"][:2] == [1, "two"]
    assert torch.equal(back["list"][2][3], torch.ones(2))
    assert [file.name for file in tmp_path.iterdir()] == ["state.pt"]


@pytest.mark.parametrize("legacy", [False, True])
def test_code_in_a_file_is_not_executed(tmp_path: Path, legacy: bool) -> None:
    path, proof = tmp_path / "state.pt", tmp_path / "proof"
    if legacy:
        path.write_bytes(pickle.dumps({"weights": _Trap(proof)}))
    else:
        torch.save({"weights": _Trap(proof)}, path)
    with pytest.raises(CheckpointError, match="not a checkpoint of Duet"):
        checkpoint.read(path)
    assert not proof.exists()


@pytest.mark.parametrize("content", [b"", b"hello", b".", None, "list"])
def test_what_is_no_checkpoint_is_refused(tmp_path: Path, content: bytes | str | None) -> None:
    path = tmp_path / "state.pt"
    if content == "list":
        torch.save([1, 2], path)
    elif content is None:  # truncated
        checkpoint.write(path, {"values": np.arange(1000.0)})
        path.write_bytes(path.read_bytes()[:-500])
    else:
        assert isinstance(content, bytes)
        path.write_bytes(content)
    with pytest.raises(CheckpointError, match="checkpoint of Duet"):
        checkpoint.read(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"none\.pt does not exist"):
        checkpoint.read(tmp_path / "none.pt")
