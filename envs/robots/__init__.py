"""Robots: one MJCF file and one `RobotSpec` each. A new robot needs nothing else."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

_FOLDER = Path(__file__).parent


@dataclass(frozen=True)
class RobotSpec:
    """What the code needs to know of a robot arm; names are those in its MJCF."""

    name: str
    mjcf: Path
    joints: tuple[str, ...]
    """Arm joints, base to tool; each has a position actuator of the same name."""
    velocity_limits: tuple[float, ...]
    """(rad/s) one for each arm joint."""
    home: tuple[float, ...]
    """(rad) arm joints with the tool pointing straight down over the middle of the workspace."""
    gripper: str
    """Position actuator whose control is the opening between the fingers (m)."""
    fingers: tuple[str, str]
    """Finger bodies; each hangs on a slide joint of the same name, whose sum is the opening."""
    max_opening: float
    """(m) between the fingers."""
    tool: str
    """Site between the fingertips: z leaves the hand, y is the closing direction."""
    hand: str
    """Body that carries the wrist camera."""
    workspace_low: tuple[float, float, float]
    """(m) lower corner of the box that commanded tool positions stay in, base frame."""
    workspace_high: tuple[float, float, float]
    """(m) upper corner of that box, base frame."""
    max_yaw: float
    """(rad) commanded tool yaw stays within plus or minus this, base frame."""


PANDA = RobotSpec(
    name="panda",
    mjcf=_FOLDER / "panda.xml",
    joints=tuple(f"joint{i}" for i in range(1, 8)),
    # Franka Robotics, "Robot and interface specifications", limits of the Panda
    velocity_limits=(2.175, 2.175, 2.175, 2.175, 2.61, 2.61, 2.61),
    # inverse kinematics of a tool at (0.45, 0, 0.22) m that points straight down with no yaw
    home=(0.0, -0.12893, 0.0, -2.52628, 0.0, 2.39735, 0.785398),
    gripper="gripper",
    fingers=("left_finger", "right_finger"),
    max_opening=0.08,
    tool="tool",
    hand="hand",
    workspace_low=(0.28, -0.42, 0.009),
    workspace_high=(0.78, 0.42, 0.45),
    max_yaw=1.75,
)

ROBOTS: dict[str, RobotSpec] = {robot.name: robot for robot in (PANDA,)}
