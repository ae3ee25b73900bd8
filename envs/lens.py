"""What may stand between the worlds and all who look at them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Protocol

from envs.world import World


class Lens(Protocol):
    """Changes what is seen of the worlds, and nothing in them: success, progress and reward keep to the truth.

    At one tick it must show the same to everybody, however often they look.
    """

    def world(self, world: World) -> World:
        """What is seen where `world`, which measures all worlds, is the case."""

    def observation(self, observation: Any, worlds: Iterable[int]) -> Any:
        """What is observed of some worlds (indices) where `observation` would be, made from what is seen."""
