"""From symbols to commands: what a plan's actions mean for the arms of one world, in metres.

Plain floats, one world at a time: a plan has a few steps, and is made a few times a second.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from envs.objects import BAR, GRIP_FROM_END
from policies.commands import NOTHING
from policies.system2.plan import Command, Goals, Pose, SceneEstimate, Step

MEET_HEIGHT = 0.22  # (m) of an object that is passed in the air: room for both hands
_MEET_Y = 0.12  # (m) the arms meet this near to the middle of the table at most
_ABOVE = 0.07  # (m) an object is brought this high over where it is put down
_OVER = 0.025  # (m) horizontally, from there it may go straight down
_TURNED = 0.12  # (rad)
_RETREAT = 0.11  # (m) the tool goes up so far from what it let go of
_MEETING = 0.05  # (m) both hands are near enough to go on
_FOLLOW, _ASIDE = 0.06, 0.10  # (m) over and beside the grasp, where the receiver leaves room for the giver to turn
_NEAR = 0.045  # (m) from an object's axis: open fingers here are around it
_ON_TOP = 0.005  # (m) the tool is this far over an object's top when a finger, which reaches 9 mm lower, stands on it
_WRIST = -1.85  # (rad) from the bearing of the tool, seen from the base, to its heading: the last joint ends there
_FINGERS = 0.052  # (m) from the tool to the outer side of an open finger, half way
_IDLE = (0.45, 0.0, 0.24)  # (m) where an arm waits, base frame
LONG = BAR.half_sizes[0][0] - 0.005  # (m) half-length from which on two hands find room


@dataclass(frozen=True)
class Place:
    """Where an object goes."""

    pose: Pose
    in_air: bool = False
    turned: bool = False


class Ground:
    """One world's geometry, and the steps that actions mean in it."""

    def __init__(self, scene: SceneEstimate, goals: Goals) -> None:
        self.scene, self.goals = scene, goals
        self.arms = range(len(scene.tools))
        self.bases = [arm.base for arm in scene.scene.arms]
        self.symmetry = [thing.spec.symmetry for thing in scene.scene.objects]
        # what each arm holds; kept up to date, action by action, by who makes a plan
        self.hands = {arm: thing for arm in self.arms for thing, held in enumerate(scene.holds[arm]) if held}

    # Where things are

    def is_long(self, thing: int) -> bool:
        """Whether two hands find room on an object."""
        return float(self.scene.half_sizes[thing][0]) >= LONG

    def pose(self, thing: int) -> Pose:
        """Of an object as it is."""
        x, y, z = map(float, self.scene.positions[thing])
        return x, y, z, float(self.scene.yaws[thing])

    def to_base(self, arm: int, x: float, y: float) -> tuple[float, float]:
        """A point on the table, world frame, in the base frame of an arm."""
        base = self.bases[arm]
        way = math.cos(base.yaw)  # the bases are turned by nothing or by half a turn
        return way * (x - base.position[0]), way * (y - base.position[1])

    def to_world(self, arm: int, x: float, y: float) -> tuple[float, float]:
        """A point on the table, in the base frame of an arm, in the world frame."""
        base = self.bases[arm]
        way = math.cos(base.yaw)
        return base.position[0] + way * x, base.position[1] + way * y

    def is_turned(self, thing: int, place: Place, within: float) -> bool:
        """Whether an object's heading is that of a place, give or take (rad), or does not count there."""
        period = 2 * math.pi / (self.symmetry[thing] or 1)
        return not place.turned or abs(math.remainder(place.pose[3] - self.pose(thing)[3], period)) < within

    def reaches(self, arm: int, x: float, y: float, z: float, offset: float = 0.0) -> bool:
        """Whether an arm can bring its tool to a point, world frame, or `offset` (m) nearer to it."""
        robot = self.scene.scene.arms[arm].robot
        bx, by = self.to_base(arm, x, y)
        low, high = robot.workspace_low, robot.workspace_high
        return low[0] <= bx - offset <= high[0] and low[1] <= by <= high[1] and z <= high[2]

    def grips(self, arm: int, thing: int, pose: Pose) -> bool:
        """Whether an arm can hold an object at a pose."""
        x, y, z, yaw = pose
        offset = self.grip(thing) * abs(math.cos(yaw))
        return self.reaches(arm, x, y, z, offset) or self.reaches(arm, x, y, z)

    def grip(self, thing: int) -> float:
        """(m) from an object's middle to where it is gripped: near the end where another hand may need the other."""
        if not self.is_long(thing) or len(self.arms) == 1:
            return 0.0
        return float(self.scene.half_sizes[thing][0]) - GRIP_FROM_END

    def around(self, arm: int) -> int | None:
        """The object that an arm's open fingers are around, so that it has to back out first."""
        tx, ty, tz = self.scene.tools[arm]
        for thing, (x, y, z) in enumerate(self.scene.positions):
            if self.scene.holds[arm][thing]:
                continue
            yaw, half = self.scene.yaws[thing], self.scene.half_sizes[thing]
            along = (tx - x) * math.cos(yaw) + (ty - y) * math.sin(yaw)
            long = max(0.0, half[0] - half[1])
            aside = math.hypot(tx - x - along * math.cos(yaw), ty - y - along * math.sin(yaw))
            off = math.hypot(aside, max(0.0, abs(along) - long))
            if off < _NEAR and abs(tz - z) < _NEAR + 0.01:
                return thing
        return None

    def stands_on(self, arm: int) -> int | None:
        """The object that an arm presses on from above with a finger, so that it gets no further down."""
        for thing, (_, _, z) in enumerate(self.scene.positions):
            over = float(self.scene.tools[arm][2] - z - self.scene.half_sizes[thing][2])
            if self.scene.touches[arm][thing] and not self.scene.holds[arm][thing] and over > _ON_TOP:
                return thing
        return None

    # Steps

    def step(self, label: str, **of_arm: Command) -> Step:
        """Commands for some arms, `arm0=...`; the others wait where they are out of the way."""
        return Step(tuple(of_arm.get(f"arm{arm}", self.waiting(arm)) for arm in self.arms), label)

    def waiting(self, arm: int) -> Command:
        """To wait, out of the way; with what it holds."""
        x, y, z = _IDLE
        held = self.hands.get(arm, NOTHING)
        target = (*self.to_world(arm, x, y), z, self.bases[arm].yaw)
        return Command("hold", held, target=target, turned=held == NOTHING)

    def back_out(self, arm: int, thing: int) -> Step:
        """Open the fingers and leave an object."""
        x, y, z = map(float, self.scene.tools[arm])
        others = {f"arm{a}": self.keeping(a) for a in self.arms if a != arm}
        release = Command("release", thing, target=(x, y, z + _RETREAT, 0.0))
        return self.step(f"let go of {self.name(thing)}", **{f"arm{arm}": release}, **others)

    def keeping(self, arm: int) -> Command:
        """To hold what an arm holds where it is; to wait otherwise."""
        for thing, held in enumerate(self.scene.holds[arm]):
            if held:
                return Command("hold", thing, target=self.pose(thing), turned=True)
        return self.waiting(arm)

    def name(self, thing: int) -> str:
        return self.scene.scene.objects[thing].spec.name

    def pick(self, arm: int, thing: int, from_here: bool = True) -> list[Step]:
        """Grasp an object; `from_here` if it lies where it is now, and has not been moved until then."""
        heading = self._heading(arm, thing) if from_here else 0.0
        command = Command("pick", thing, grip=self.grip(thing), heading=heading, target=self.pose(thing))
        return [self.step(f"pick {self.name(thing)}", **{f"arm{arm}": command})]

    def put(self, arm: int, thing: int, place: Place, from_here: bool, label: str = "place") -> list[Step]:
        """Bring a held object to a place, put it down and let go; `from_here` if it is held now, not later."""
        x, y, z, yaw = place.pose
        mine, text = f"arm{arm}", f"{label} {self.name(thing)}"
        above, down = (
            Command(skill, thing, target=(x, y, height, yaw), turned=place.turned)
            for skill, height in (("carry", z + _ABOVE), ("place", z))
        )
        release = Command("release", thing, target=(x, y, z + _RETREAT, yaw))
        steps = [self.step(text, **{mine: c}) for c in (above, down, release)]
        if from_here and self._over(thing, place):
            del steps[0]
        return steps

    def _over(self, thing: int, place: Place) -> bool:
        """Whether an object is straight above a place, or at it."""
        x, y, z, _ = place.pose
        px, py, pz, _ = self.pose(thing)
        return math.hypot(x - px, y - py) < _OVER and self.is_turned(thing, place, _TURNED) and pz < z + _ABOVE

    def present(self, arm: int, thing: int, place: Place) -> list[Step]:
        """Bring a held object to a place in the air and keep it there."""
        carry, hold = (Command(s, thing, target=place.pose, turned=place.turned) for s in ("carry", "hold"))
        return [self.step(f"{c.skill} {self.name(thing)}", **{f"arm{arm}": c}) for c in (carry, hold)]

    def pass_on(self, giver: int, receiver: int, thing: int, goal: Pose, from_here: bool) -> list[Step]:
        """Pass an object from hand to hand over the middle of the table, on its way to a goal; `from_here` if it is
        held now, not later.
        """
        x, y, z, yaw = self.pose(thing)
        there = from_here and abs(x) < _MEETING
        y = min(max(y if there else (y + goal[1]) / 2, -_MEET_Y), _MEET_Y)
        meet = (0.0, y, MEET_HEIGHT, 0.0)
        grip, base = self.grip(thing), self.bases[receiver]
        side = math.copysign(1.0, base.position[0])
        end = side * grip  # the receiver's end is the one on its side
        gives, takes, name = f"arm{giver}", f"arm{receiver}", self.name(thing)
        carry, keep = (Command(s, thing, target=meet, turned=True) for s in ("carry", "hold"))
        follow = Command("reach", target=(end + side * _ASIDE, y, MEET_HEIGHT + _FOLLOW, base.yaw), turned=True)
        pick = Command("pick", thing, grip=grip, target=meet)
        steps = [
            self.step(f"bring {name}", **{gives: carry, takes: follow}),
            self.step(f"take {name}", **{gives: keep, takes: pick}),
            self.let_go(giver, receiver, thing, meet),
        ]
        tx, ty, _ = map(float, self.scene.tools[receiver])
        turned = abs(math.remainder(yaw, math.pi)) < 2 * _TURNED
        if there and turned and abs(z - MEET_HEIGHT) < _MEETING and math.hypot(tx - end, ty - y) < _MEETING + _ASIDE:
            del steps[0]  # the receiver is at it
        return steps

    def let_go(self, giver: int, receiver: int, thing: int, meet: Pose) -> Step:
        """One of two hands on an object lets go."""
        x, y, z, _ = meet
        keep = Command("hold", thing, target=meet, turned=True)
        release = Command("release", thing, target=(x, y, z + _RETREAT, 0.0))
        return self.step(f"give {self.name(thing)}", **{f"arm{giver}": release, f"arm{receiver}": keep})

    def _heading(self, arm: int, thing: int) -> float:
        """(rad, base frame) of a grasp: the fingers go down beside the object and clear of its neighbours."""
        symmetry = self.symmetry[thing]
        base = self.bases[arm].yaw
        x, y, _, yaw = self.pose(thing)
        ahead, aside = self.to_base(arm, x, y)
        bearing = math.atan2(aside, ahead)
        if not symmetry:  # every heading will do: straight on, or one with more room
            options = [bearing, *(n * math.pi / 6 for n in range(-3, 4))]
        else:
            period = 2 * math.pi / symmetry
            first = math.remainder(yaw - base, period)
            most = self.scene.scene.arms[arm].robot.max_yaw
            options = [o for n in range(-symmetry, symmetry + 1) if abs(o := first + n * period) < min(most, 1.6)]

        def cost(heading: float) -> float:
            if heading - bearing < _WRIST:
                return math.inf
            closing = heading + base + math.pi / 2
            crowded = 0.0
            for other, (ox, oy, _) in enumerate(self.scene.positions):
                if other == thing or self.scene.holds[:, other].any():
                    continue
                size = float(max(self.scene.half_sizes[other][:2]))
                for side in (-_FINGERS, _FINGERS):
                    room = math.hypot(x + side * math.cos(closing) - ox, y + side * math.sin(closing) - oy)
                    crowded += max(0.0, size + 0.02 - room)
            # not the way from the tool's heading: plans that come late would turn it to and fro
            return 100.0 * crowded + abs(heading - bearing)

        return min(options, key=cost)
