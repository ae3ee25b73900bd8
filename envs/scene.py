"""Scenes: robot arms, a table and objects composed with `MjSpec` into one model, and where to find them in it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import mujoco
import numpy as np

from envs.geometry import Array, columns
from envs.look import furnish
from envs.robots import RobotSpec

SUBSTEP = 0.005  # (s) one physics step; a gripped cube still holds firmly, and 4 ms buys nothing
SUBSTEPS = 8  # physics steps a tick
TICK = SUBSTEP * SUBSTEPS  # (s) one control step: 25 Hz

# Collision bits. An arm touches objects, the table and other arms, but not itself: its fingers stop at
# their joint limits, and the workspace box keeps the links apart.
_OBJECT_BIT = 1 << 8
_ARM_BITS = _OBJECT_BIT - 1

COLOURS = {  # distinguishable with any colour vision (Okabe and Ito, "Color Universal Design", 2008)
    "orange": (0.90, 0.38, 0.05, 1.0),
    "blue": (0.05, 0.35, 0.70, 1.0),
    "green": (0.02, 0.55, 0.40, 1.0),
    "yellow": (0.92, 0.78, 0.12, 1.0),
    "grey": (0.36, 0.38, 0.41, 1.0),
}


@dataclass(frozen=True)
class ObjectSpec:
    """A thing that moves freely. Sizes, masses and frictions are redrawn in every episode by the task."""

    name: str
    max_half_size: tuple[float, float, float]
    """(m) the largest half-sizes that a task draws; bounding volumes are compiled for these."""
    colour: str = "orange"
    symmetry: int = 4
    """Turns about the vertical that look the same: 4 for a cube, 2 for a bar, 0 for a cylinder, where all do."""
    shape: str = "box"
    """box, or cylinder: upright, with the radius as its first two half-sizes."""


DISTRACTOR = ObjectSpec("distractor", (0.03, 0.03, 0.05), "grey", 0, "cylinder")
_PARKED, _PARKED_APART = (-0.3, 0.54), 0.1  # (m) where distractors wait, out of every arm's reach, and how far apart


@dataclass(frozen=True)
class Base:
    """Where an arm stands, world frame."""

    position: tuple[float, float, float]
    """(m)"""
    yaw: float
    """(rad)"""


# Arms face each other over one table and see the same world in their own base frames.
BASES = (Base((-0.65, 0.0, 0.0), 0.0), Base((0.65, 0.0, 0.0), np.pi))


@dataclass(frozen=True)
class ArmIndex:
    """Where one arm's quantities stand in the model's arrays."""

    robot: RobotSpec
    base: Base
    joints: slice
    """Columns of the arm joints in qpos and qvel (the same: an arm has hinges only before its fingers)."""
    joint_ids: slice
    fingers: slice
    """Columns of the two finger joints in qpos and qvel."""
    controls: slice
    gripper: int
    """Column of the gripper's opening in ctrl."""
    tool: int
    """Site id of the tool point."""
    tool_velocity: slice
    """Columns of the tool's linear velocity (world frame) in sensordata."""
    finger_forces: tuple[tuple[slice, slice], ...]
    """For each object, the columns of the left and the right finger's contact force on it in sensordata."""


@dataclass(frozen=True)
class ObjectIndex:
    """Where one object's quantities stand in the model's arrays."""

    spec: ObjectSpec
    body: int
    geom: int
    pose: slice
    """Columns of position (3) and quaternion (4) in qpos."""
    velocity: slice
    """Columns of linear (world frame) and angular (body frame) velocity in qvel."""

    def geom_size(self, half_sizes: np.ndarray) -> np.ndarray:
        """(n, 3) MuJoCo's size of the geom for (n, 3) half-sizes: of a cylinder, radius and half-height."""
        if self.spec.shape == "box":
            return half_sizes
        return np.column_stack((half_sizes[:, 1:], np.zeros(len(half_sizes))))

    def half_size(self, geom_size: Array) -> Array:
        """(n, 3) half-sizes along the object's axes, from MuJoCo's size of the geom."""
        if self.spec.shape == "box":
            return geom_size
        return columns(geom_size[:, 0], geom_size[:, 0], geom_size[:, 1])

    def inertia(self, half_sizes: np.ndarray, mass: np.ndarray) -> np.ndarray:
        """(n, 3) kg m^2 about the object's axes, solid all through."""
        a, b, c = (half_sizes**2).T
        if self.spec.shape == "box":  # m (b^2 + c^2) / 3 with half-sizes b and c
            return (mass * np.stack((b + c, a + c, a + b)) / 3).T
        across = mass * (a / 4 + c / 3)  # radius^2 / 4 + half-height^2 / 3
        return np.column_stack((across, across, mass * a / 2))


@dataclass(frozen=True)
class Scene:
    """A compiled model with its index."""

    model: mujoco.MjModel
    """What is simulated; indices are of this model."""
    picture_model: mujoco.MjModel
    """The same with everything that is only seen: other geom ids, the same joints, bodies and sites."""
    arms: tuple[ArmIndex, ...]
    objects: tuple[ObjectIndex, ...] = field(default=())
    distractors: tuple[ObjectIndex, ...] = field(default=())
    """Things on the table that nobody is told of: no observation, plan or goal holds them."""


def arm_prefix(arm: int) -> str:
    """The prefix of every name that belongs to one arm."""
    return f"arm{arm}/"


def compose(robot: RobotSpec, num_arms: int, objects: tuple[ObjectSpec, ...], distractors: int = 0) -> Scene:
    """Compile a scene of `num_arms` robots and the objects on one table, and distractors at its edge.

    Raises:
        ValueError: more arms than there are places for.
    """
    if not 1 <= num_arms <= len(BASES):
        raise ValueError(f"{num_arms} arms asked for; a scene has 1 to {len(BASES)}")
    spec = mujoco.MjSpec()
    spec.option.timestep = SUBSTEP
    # implicit in velocities, so that stiff joint servos stay stable at this step
    spec.option.integrator = mujoco.mjtIntegrator.mjINT_IMPLICITFAST
    # pyramidal cones let a gripped object creep along the facets' diagonals
    spec.option.cone = mujoco.mjtCone.mjCONE_ELLIPTIC
    spec.option.impratio = 10  # friction stiffer than normal contact: less slip in the fingers
    spec.memory = 1 << 20  # (bytes) a scene's contacts take a tenth of this; every thread holds one
    furnish(spec, num_arms, contype=_OBJECT_BIT, conaffinity=_OBJECT_BIT | _ARM_BITS)
    for arm in range(num_arms):
        _attach(spec, robot, arm)
    for thing in objects:
        _add_object(spec, thing)
    unknown = tuple(replace(DISTRACTOR, name=f"{DISTRACTOR.name}{k}") for k in range(distractors))
    for k, thing in enumerate(unknown):
        _add_object(spec, thing, (_PARKED[0] + k * _PARKED_APART, _PARKED[1]))
    for arm in range(num_arms):
        _add_sensors(spec, robot, arm, objects)
    picture_model = spec.compile()
    # shells, lights and furniture are a third of a physics step's work
    spec.compiler.discardvisual = True
    model = spec.compile()
    return Scene(
        model,
        picture_model,
        tuple(_arm_index(model, robot, arm, objects) for arm in range(num_arms)),
        tuple(_object_index(model, thing) for thing in objects),
        tuple(_object_index(model, thing) for thing in unknown),
    )


def _attach(spec: mujoco.MjSpec, robot: RobotSpec, arm: int) -> None:
    child = mujoco.MjSpec.from_file(str(robot.mjcf))
    for geom in child.geoms:
        if geom.contype or geom.conaffinity:
            geom.contype = 1 << arm
            geom.conaffinity = _ARM_BITS & ~(1 << arm)
    base = BASES[arm]
    half = base.yaw / 2
    frame = spec.worldbody.add_frame(pos=base.position, quat=[np.cos(half), 0, 0, np.sin(half)])
    spec.attach(child, prefix=arm_prefix(arm), frame=frame)


def _add_object(spec: mujoco.MjSpec, thing: ObjectSpec, place: tuple[float, float] = (0.0, 0.0)) -> None:
    body = spec.worldbody.add_body(name=thing.name, pos=[*place, thing.max_half_size[2]])
    body.add_freejoint(name=thing.name)
    cylinder = thing.shape == "cylinder"
    body.add_geom(
        name=thing.name,
        type=mujoco.mjtGeom.mjGEOM_CYLINDER if cylinder else mujoco.mjtGeom.mjGEOM_BOX,
        size=(*thing.max_half_size[1:], 0.0) if cylinder else thing.max_half_size,
        mass=0.1,
        rgba=COLOURS[thing.colour],
        contype=_OBJECT_BIT,
        conaffinity=_OBJECT_BIT | _ARM_BITS,
        priority=1,  # the object's friction counts in every contact, not the larger of the two
        # as stiff as the step allows (a time constant of two steps): at 35 N a finger sinks in by under a millimetre
        solref=[2 * SUBSTEP, 1],
        solimp=[0.95, 0.99, 0.001, 0.5, 2],
    )


def _add_sensors(spec: mujoco.MjSpec, robot: RobotSpec, arm: int, objects: tuple[ObjectSpec, ...]) -> None:
    prefix = arm_prefix(arm)
    spec.add_sensor(
        name=f"{prefix}tool_velocity",
        type=mujoco.mjtSensor.mjSENS_FRAMELINVEL,
        objtype=mujoco.mjtObj.mjOBJ_SITE,
        objname=prefix + robot.tool,
    )
    for thing in objects:
        for finger in robot.fingers:
            spec.add_sensor(
                name=f"{prefix}{finger}_on_{thing.name}",
                type=mujoco.mjtSensor.mjSENS_CONTACT,
                objtype=mujoco.mjtObj.mjOBJ_BODY,
                objname=prefix + finger,
                reftype=mujoco.mjtObj.mjOBJ_BODY,
                refname=thing.name,
                # data: force (bit 1); reduce: netforce (3); one slot
                intprm=[1 << int(mujoco.mjtConDataField.mjCONDATA_FORCE), 3, 1],
            )


def _columns(model: mujoco.MjModel, sensor: str) -> slice:
    found = model.sensor(sensor)
    return slice(int(found.adr[0]), int(found.adr[0] + found.dim[0]))


def _arm_index(model: mujoco.MjModel, robot: RobotSpec, arm: int, objects: tuple[ObjectSpec, ...]) -> ArmIndex:
    prefix = arm_prefix(arm)

    def run_of(numbers: list[int]) -> slice:
        if numbers != list(range(numbers[0], numbers[0] + len(numbers))):
            raise ValueError(f"robot {robot.name!r}: joints and actuators must be declared base to tool, in one run")
        return slice(numbers[0], numbers[0] + len(numbers))

    joints = [model.joint(prefix + name) for name in robot.joints]
    fingers = [model.joint(prefix + name) for name in robot.fingers]
    return ArmIndex(
        robot=robot,
        base=BASES[arm],
        joints=run_of([int(joint.qposadr[0]) for joint in joints]),
        joint_ids=run_of([joint.id for joint in joints]),
        fingers=run_of([int(joint.qposadr[0]) for joint in fingers]),
        controls=run_of([model.actuator(prefix + name).id for name in robot.joints]),
        gripper=model.actuator(prefix + robot.gripper).id,
        tool=model.site(prefix + robot.tool).id,
        tool_velocity=_columns(model, f"{prefix}tool_velocity"),
        finger_forces=tuple(
            (
                _columns(model, f"{prefix}{robot.fingers[0]}_on_{thing.name}"),
                _columns(model, f"{prefix}{robot.fingers[1]}_on_{thing.name}"),
            )
            for thing in objects
        ),
    )


def _object_index(model: mujoco.MjModel, thing: ObjectSpec) -> ObjectIndex:
    joint = model.joint(thing.name)
    pose, velocity = int(joint.qposadr[0]), int(joint.dofadr[0])
    return ObjectIndex(
        spec=thing,
        body=model.body(thing.name).id,
        geom=model.geom(thing.name).id,
        pose=slice(pose, pose + 7),
        velocity=slice(velocity, velocity + 6),
    )
