"""Networks that Stable-Baselines3 does not have."""

from __future__ import annotations

import torch
from stable_baselines3.common.policies import ActorCriticPolicy, MultiInputActorCriticPolicy
from stable_baselines3.common.type_aliases import PyTorchObs, Schedule
from torch import nn


class ScheduledGaussianPolicy(ActorCriticPolicy):
    """A Gaussian policy with a bounded mean, whose standard deviation follows a schedule instead of the gradient.

    Actions are clipped to the bounds, so an unbounded mean can drift far outside, where exploration never comes
    back: a gripper that holds a cube with a mean of -3 does not try to let go. And one learned standard deviation
    serves the skill that is being learned: it shrinks on the grasp while letting go is still to be found, or stays
    so large that standing still beside what was placed is impossible.
    """

    def _build(self, lr_schedule: Schedule) -> None:
        super()._build(lr_schedule)
        # after the parent has initialised the layer and handed its parameters to the optimiser
        self.action_net = nn.Sequential(self.action_net, nn.Tanh())
        self.log_std.requires_grad_(False)

    def _predict(self, observation: PyTorchObs, deterministic: bool = False) -> torch.Tensor:
        """As the parent's, but without the critic and the distribution where only the mean is wanted."""
        if not deterministic:
            return super()._predict(observation, deterministic)
        features = self.extract_features(observation, self.pi_features_extractor)
        assert isinstance(features, torch.Tensor)
        return self.action_net(self.mlp_extractor.forward_actor(features))

    def explore(self, std: torch.Tensor) -> None:
        """Set the standard deviation of each action."""
        self.log_std.data.copy_(torch.log(std))


class ScheduledGaussianMultiInputPolicy(ScheduledGaussianPolicy, MultiInputActorCriticPolicy):
    """The same for dict observations."""
