"""A planner that has learned which symbolic action comes next: a masked discrete policy over `policies.system2.domain`.

`python -m policies.system2.learned --out FILE` trains one; see `policies.system2.learning` for how.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
import tyro
from torch import nn

from policies.system1 import checkpoint
from policies.system1.checkpoint import CheckpointError
from policies.system2.domain import Action, Facts, Problem, State, legal_actions, outcome, satisfied
from policies.system2.search import NoPlan
from policies.system2.symbolic import SymbolicPlanner

OBJECTS, ARMS = 8, 2  # at most
_LIMIT = 5  # actions for each object, and for one more, before giving up; the worst plans need 4
_REMEMBERED = 4096  # problems

# Actions by number. An arm holds one object at most, so what is put down needs no number; and of free places that
# no goal names, and that the same arms reach, the first stands for all.
_PICK = 0  # an object, by each arm
_GOAL = _PICK + ARMS * OBJECTS  # put down, or keep in the air, where the goal of an object is
_STACK = _GOAL + ARMS * OBJECTS  # put down on an object
_ROOM = _STACK + ARMS * OBJECTS  # put down where no goal is: out of the other arm's reach, or within it
_HANDOVER = _ROOM + ARMS * 2
_LET_GO = _HANDOVER + ARMS
ACTIONS = _LET_GO + ARMS

# Of every object: is there; in which hands; which arms reach where it rests, and its goal; kind of goal; goal met;
# nothing on it; its goal vacant; room for two hands; kept in the air.
_FEATURES = 15
_RELATIONS = 3  # to every object: rests at its goal, rests on it, must rest on it
_OVERALL = 4  # two arms; free room that arm 0 alone, arm 1 alone, and both reach
NUMBERS = OBJECTS * (_FEATURES + _RELATIONS * OBJECTS) + _OVERALL

_WIDTH, _ROUNDS = 48, 3
_WIDEST, _LONGEST = 512, 8  # of what is read from a file: no more than fits into memory


class Encoder:
    """One problem's states as numbers, and its actions by number.

    Raises:
        NoPlan: the problem is too large, or has several goals for one object.
    """

    def __init__(self, problem: Problem) -> None:
        if problem.arms > ARMS or len(problem.objects) > OBJECTS:
            raise NoPlan(f"the learned planner knows problems of up to {ARMS} arms and {OBJECTS} objects")
        self.problem = problem
        self._goals = {goal.object: goal for goal in problem.goals}
        if len(self._goals) < len(problem.goals):
            raise NoPlan("the learned planner knows one goal for each object")
        self._number = {thing: k for k, thing in enumerate(problem.objects)}
        self._owner = {goal.target: self._number[goal.object] for goal in problem.goals if goal.kind != "on"}
        self._reach = {p: tuple((arm, p) in problem.reach for arm in range(ARMS)) for p in problem.places}

    @property
    def limit(self) -> int:
        """Actions after which a plan is given up."""
        return _LIMIT * (len(self.problem.objects) + 1)

    def options(self, state: State) -> dict[int, Action]:
        """The legal actions by number, without those that end in the wrong object kept in the air."""
        found: dict[int, Action] = {}
        for action in legal_actions(self.problem, state):
            if action.name != "present" or self._owner[str(action.place)] == self._number[action.object]:
                found.setdefault(self.number_of(action), action)
        return found

    def number_of(self, action: Action) -> int:
        """Of a legal action."""
        arm = action.arm
        if action.name == "pick":
            return _PICK + arm * OBJECTS + self._number[action.object]
        if action.name == "stack":
            return _STACK + arm * OBJECTS + self._number[str(action.below)]
        if action.name == "handover":
            return _HANDOVER + arm
        if action.name == "let_go":
            return _LET_GO + arm
        place = str(action.place)
        if place in self._owner:
            return _GOAL + arm * OBJECTS + self._owner[place]
        return _ROOM + arm * 2 + all(self._reach[place])

    def encode(self, state: State) -> np.ndarray:
        """(NUMBERS,) float32, each 0 or 1."""
        facts, number = Facts(self.problem, state), self._number
        own = np.zeros((OBJECTS, _FEATURES), dtype=np.float32)
        to_other = np.zeros((_RELATIONS, OBJECTS, OBJECTS), dtype=np.float32)
        for thing, (place, below, arms) in facts.where.items():
            k, goal = number[thing], self._goals.get(thing)
            base = facts.base(thing)
            rests = (False, False) if base is None else self._reach[base]
            aim = self._reach[goal.target] if goal is not None and goal.kind != "on" else (False, False)
            kinds = tuple(goal is not None and goal.kind == kind for kind in ("at", "held", "on"))
            taken = {**facts.taken, **facts.on_top}
            own[k] = (
                True, 0 in arms, 1 in arms, *rests, *aim, *kinds, goal is not None and facts.met(goal),
                thing not in facts.on_top, goal is not None and goal.target not in taken,
                thing in self.problem.two_handed, bool(arms) and place is not None,
            )  # fmt: skip
            if place in self._owner:
                to_other[0, k, self._owner[place]] = 1
            if below is not None:
                to_other[1, k, number[below]] = 1
            if goal is not None and goal.kind == "on":
                to_other[2, k, number[goal.target]] = 1
        free = {self._reach[p] for p in self.problem.places if p not in self._owner and p not in facts.taken}
        overall = [self.problem.arms > 1, (True, False) in free, (False, True) in free, (True, True) in free]
        return np.concatenate((own.reshape(-1), to_other.reshape(-1), np.asarray(overall, dtype=np.float32)))


class Network(nn.Module):
    """Scores of all actions, and the value of a state, from what objects are and how they stand to each other.

    Every object tells those that it is related to what it knows, a few times over. All objects are treated alike, so
    what was learned with few of them holds for many.
    """

    def __init__(self, width: int = _WIDTH, rounds: int = _ROUNDS) -> None:
        super().__init__()
        self.width, self.rounds = width, rounds
        self.first = nn.Linear(_FEATURES + _OVERALL, width)
        heard = width * (2 + 2 * _RELATIONS) + _OVERALL  # own, of all, and of those related to it both ways
        self.tell = nn.ModuleList(nn.Linear(heard, width) for _ in range(rounds))
        self.of_object = nn.Linear(width, 3 * ARMS)  # pick, put at its goal, stack on it
        self.of_all = nn.Linear(2 * width, ACTIONS - _ROOM + 1)

    def forward(self, numbers: torch.Tensor) -> torch.Tensor:
        """(N, NUMBERS) -> (N, ACTIONS + 1): scores, and the value."""
        n = len(numbers)
        own, relations, overall = numbers.split((OBJECTS * _FEATURES, _RELATIONS * OBJECTS * OBJECTS, _OVERALL), dim=1)
        own = own.reshape(n, OBJECTS, _FEATURES)
        there = own[..., :1]
        relations = relations.reshape(n, _RELATIONS, OBJECTS, OBJECTS)
        both_ways = torch.cat((relations, relations.transpose(2, 3)), dim=1)
        everywhere = overall[:, None].expand(n, OBJECTS, _OVERALL)
        known = torch.relu(self.first(torch.cat((own, everywhere), dim=2))) * there
        for layer in self.tell:
            # (n, relations, objects, width) -> (n, objects, relations * width)
            told = (both_ways @ known[:, None]).transpose(1, 2).reshape(n, OBJECTS, -1)
            most = known.amax(dim=1, keepdim=True).expand_as(known)
            known = known + torch.relu(layer(torch.cat((known, most, told, everywhere), dim=2))) * there
        scores = self.of_object(known).transpose(1, 2).reshape(n, -1)
        rest = self.of_all(torch.cat((known.amax(dim=1), known.mean(dim=1)), dim=1))
        return torch.cat((scores, rest), dim=1)


@contextmanager
def one_thread() -> Iterator[None]:
    """PyTorch works with one thread: several only wait for each other in a network of this size."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


class LearnedPlanner(SymbolicPlanner):
    """Follows what the network finds best, action by action, until the goals are reached."""

    def __init__(self, network: Network) -> None:
        self.network = network
        self._known = lru_cache(maxsize=_REMEMBERED)(self._answer)

    def actions(self, problem: Problem) -> tuple[Action, ...]:
        answer = self._known(problem)
        if isinstance(answer, str):
            raise NoPlan(answer)
        return answer

    def _answer(self, problem: Problem) -> tuple[Action, ...] | str:
        """The plan, or why there is none."""
        try:
            encoder = Encoder(problem)
        except NoPlan as error:
            return str(error)
        state, plan = problem.state, list[Action]()
        been = {state}
        while not satisfied(problem, state):
            options = encoder.options(state)
            # never back to where it has been: that cannot be on a good way
            ahead = {number: outcome(problem, state, action) for number, action in options.items()}
            fresh = [number for number, after in ahead.items() if after not in been]
            if not fresh or len(plan) >= encoder.limit:
                return f"the learned planner does not reach the goals: it is stuck after {len(plan)} actions"
            with torch.no_grad(), one_thread():
                scores = self.network(torch.from_numpy(encoder.encode(state)[None]))[0].numpy()
            best = max(fresh, key=lambda number: scores[number])
            plan.append(options[best])
            state = ahead[best]
            been.add(state)
        return tuple(plan)

    # Files

    def save(self, path: Path, **about: str | float) -> None:
        """Write what was learned, and a few words `about` it; nothing in the file can be executed.

        Raises:
            OSError: it cannot be written.
        """
        shape = {"width": self.network.width, "rounds": self.network.rounds}
        checkpoint.write(path, {"planner": shape, "about": about, "weights": self.network.state_dict()})

    @classmethod
    def load(cls, path: Path) -> LearnedPlanner:
        """Read what `save` wrote.

        Raises:
            CheckpointError: the file is missing, damaged or something else.
        """
        state = checkpoint.read(path)
        try:
            width, rounds = (int(state["planner"][name]) for name in ("width", "rounds"))
            if not 0 < width <= _WIDEST or not 0 < rounds <= _LONGEST:
                raise ValueError("no such network")
            network = Network(width, rounds)
            network.load_state_dict(state["weights"])
        except (KeyError, TypeError, ValueError, AttributeError, RuntimeError):
            raise CheckpointError(
                f"{path} holds no learned planner of this version; make one with `python -m policies.system2.learned`"
            ) from None
        return cls(network)


@dataclass(frozen=True)
class Options:
    """What to learn, and where to put it."""

    out: Path
    """File to write the planner to."""
    seed: int = 0
    """Of everything random in the training."""
    steps: int = 90_000
    """Symbolic actions to learn from; a thousand or so take a second."""
    rollouts: int = 0
    """Simulated episodes of every task, done clumsily, whose problems the second half is learned from too."""


def main() -> int:
    """Train, say how good it is, and write. Returns the exit code: 0 only when all went well."""
    options = tyro.cli(Options, description=__doc__)
    from policies.system2.learning import TASKS, Problems, assess, solvable, train

    try:
        if not options.out.resolve().parent.is_dir():
            raise ValueError(f"there is no folder {options.out.resolve().parent} to write {options.out.name} into")
        planner = train(options.seed, options.steps, options.rollouts)
        print("task            solved   cost, of the cheapest plans'")
        for task, numbers in TASKS:
            for number in numbers:
                fresh = solvable(Problems(task, number, options.seed + 1_000_000), 100)
                share, cost = assess(planner, fresh)
                print(f"{task} {number or '':<{14 - len(task)}}{share:7.1%}  {cost:.3f}", flush=True)
        planner.save(options.out, seed=options.seed, steps=options.steps, rollouts=options.rollouts)
    except ValueError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except OSError as error:
        print(f"error: {options.out} cannot be written: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Stopped.", file=sys.stderr)
        return 130
    print(f"Planner: {options.out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
