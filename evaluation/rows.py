"""State that is all in arrays with one row a world, so that single worlds can be saved and continued elsewhere."""

from __future__ import annotations

import numpy as np

Saved = dict[str, np.ndarray]


class Rows:
    """Something whose state is those of its attributes that are arrays; each has a leading world axis."""

    def get_state(self) -> Saved:
        """The state, as copies by name."""
        return {name: value.copy() for name, value in vars(self).items() if isinstance(value, np.ndarray)}

    def set_state(self, saved: Saved) -> None:
        """Continue from what `get_state` returned."""
        for name, values in saved.items():
            getattr(self, name)[:] = values


def keep(saved: Saved, current: Saved, worlds: np.ndarray) -> None:
    """Overwrite the rows of some worlds (indices or mask) in `saved` by the current ones."""
    for name, values in saved.items():
        values[worlds] = current[name][worlds]
