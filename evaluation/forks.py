"""The same moment for everybody: worlds are saved when they are disturbed, and each contender goes on from there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from envs.vector import DuetVectorEnv
from evaluation.perturbations import Perturbation
from evaluation.rollout import Episodes, Rollout
from evaluation.rows import keep
from policies.agents import Agent


def fork(
    env: DuetVectorEnv,
    reference: Agent,
    agents: Mapping[str, Agent],
    layout_seeds: np.ndarray,
    perturbation: Perturbation,
) -> dict[str, Episodes]:
    """Roll out under a reference until each world is disturbed, and from there on under every contender.

    A world is handed over with the first observation after the disturbance; the action of that tick is still the
    reference's. A contender with two systems begins there: its first plan is made of that moment, and in force at once.

    Args:
        env: one world for each layout, which does not reset by itself.
        reference: who acts until the disturbance.
        agents: the contenders by name.
        layout_seeds: (n,)
        perturbation: what disturbs the worlds.

    Returns:
        For each contender the episodes that were disturbed before they were over, the same for all. What is counted
        is counted from the start of the episode, what System 2 did from the disturbance on.
    """
    rollout = Rollout(env, layout_seeds, perturbation)
    rollout.give_to(reference)
    moments, taken = _state(env, rollout, perturbation), perturbation.happened.copy()
    while (rollout.going & ~taken).any():
        rollout.tick()
        now = perturbation.happened & ~taken & rollout.going
        if now.any():
            current = _state(env, rollout, perturbation)
            for name, saved in moments.items():
                keep(saved, current[name], now)
            taken |= now
    moments["rollout"]["going"][:] = taken
    found = {}
    for name, agent in agents.items():
        _restore(env, rollout, perturbation, moments)
        rollout.give_to(agent)
        while rollout.going.any():
            rollout.tick()
        found[name] = rollout.episodes().only(taken)
    return found


def _state(env: DuetVectorEnv, rollout: Rollout, perturbation: Perturbation) -> dict[str, dict[str, Any]]:
    """Everything that the rest of the episodes depends on, but for who acts."""
    return {
        "worlds": env.get_state(),
        "rollout": rollout.get_state(),
        "tally": rollout.tally.get_state(),
        "perturbation": perturbation.get_state(),
    }


def _restore(
    env: DuetVectorEnv, rollout: Rollout, perturbation: Perturbation, moments: dict[str, dict[str, Any]]
) -> None:
    env.set_state(moments["worlds"])
    rollout.set_state(moments["rollout"])
    rollout.tally.set_state(moments["tally"])
    perturbation.set_state(moments["perturbation"])
