"""Networks that Stable-Baselines3 does not have."""

from __future__ import annotations

from stable_baselines3.common.policies import ActorCriticPolicy, MultiInputActorCriticPolicy
from stable_baselines3.common.type_aliases import Schedule
from torch import nn


class _BoundedMean(ActorCriticPolicy):
    """A Gaussian policy whose mean stays within the action bounds.

    Actions are clipped to the bounds, so an unbounded mean can drift far outside, where exploration never comes
    back: a gripper that holds a cube with a mean of -3 does not try to let go.
    """

    def _build(self, lr_schedule: Schedule) -> None:
        super()._build(lr_schedule)
        # after the parent has initialised the layer and handed its parameters to the optimiser
        self.action_net = nn.Sequential(self.action_net, nn.Tanh())


class BoundedMlpPolicy(_BoundedMean):
    """For vector observations."""


class BoundedMultiInputPolicy(_BoundedMean, MultiInputActorCriticPolicy):
    """For dict observations."""
