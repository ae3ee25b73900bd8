"""What a comparison is asked for."""

from __future__ import annotations

from dataclasses import dataclass

from envs.names import check_name
from envs.registration import TASK_NAMES
from evaluation.evaluate import parse_seeds
from evaluation.verdict import SAME_WITHIN

NOTHING = "none"  # no disturbance, by name


@dataclass(frozen=True)
class Request:
    """What to compare."""

    task: tuple[str, ...] = ()
    """Tasks to compare on; none means those of the runs."""
    layout_seeds: str | None = None
    """A:B for the layouts with the seeds from A to B - 1; None means the first --episodes ones, unseen in training."""
    perturb: tuple[str, ...] = ()
    """Disturbances, each a condition of its own: names, or all. Faults of System 2 may have a strength: latency=4."""
    objects: int | None = None
    """One more condition: so many objects, in tasks that leave a choice."""
    forks: bool = False
    """Continue every disturbance of the world also from one saved moment, the same for all systems."""
    planners: tuple[str, ...] = ()
    """Planners of the dual system: symbolic, scripted or learned; none means the one that it was trained under."""
    planner_file: str | None = None
    """What the learned planner has learned: see policies/system2/learned.py."""
    placebos: bool = False
    """Compare also with planners that know less than they seem to: frozen, shuffled, random and none."""
    bounds: bool = False
    """Compare also with a scripted System 1 and a planner that is asked at every tick; say whose the failures are."""
    phase: bool = False
    """Draw success over the latency of System 2 and the share of its plans that are wrong."""
    phase_perturb: str = "knock"
    """Disturbance that the episodes of the phase diagram meet; `none` leaves them alone, and then the first plan stays
    right and lateness costs next to nothing."""
    phase_latencies: tuple[float, ...] = (0.0, 1.0, 2.0, 4.0, 8.0)
    """(s) of the phase diagram."""
    phase_wrong: tuple[float, ...] = (0.0, 0.125, 0.25, 0.375, 0.5)
    """Probabilities of a wrong plan, of the phase diagram."""
    phase_episodes: int = 50
    """Layouts of each point of the phase diagram."""
    same_within: float = SAME_WITHIN
    """Success rates this close count as the same."""


def check_request(request: Request) -> None:
    """Whether what is asked for makes sense by itself.

    Raises:
        ValueError: it does not.
    """
    for task in request.task:
        check_name("task", task, TASK_NAMES)
    if len(set(request.task)) < len(request.task):
        raise ValueError("a task is named twice")
    seeds = parse_seeds(str(request.layout_seeds))
    if len(seeds) < 2:
        raise ValueError("how much layouts differ takes 2 or more of them")
    if not 0 < request.same_within < 1:
        raise ValueError(f"same-within must be between 0 and 1, not {request.same_within:g}")
    if request.phase:
        for name, values, most in (("latencies", request.phase_latencies, 60), ("wrong", request.phase_wrong, 1)):
            if len(values) < 2 or list(values) != sorted(set(values)) or not 0 <= values[0] <= values[-1] <= most:
                raise ValueError(f"phase-{name} must be two or more rising numbers from 0 to {most}")
        if not 2 <= request.phase_episodes <= len(seeds):
            raise ValueError(f"phase-episodes must be from 2 to the {len(seeds)} layouts, not {request.phase_episodes}")
