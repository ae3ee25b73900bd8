"""MuJoCo's geoms as triangles, for a page: edges stay sharp and round sides smooth."""

from __future__ import annotations

from dataclasses import dataclass

import mujoco
import numpy as np

HIDDEN_GROUP = 3  # collision geoms
_SIDES = 28  # of what is round
_RINGS = 6  # from a pole to the middle

Triangles = tuple[np.ndarray, np.ndarray]  # vertices (V, 3) m and faces (F, 3)


@dataclass(frozen=True)
class Part:
    """Everything of one body that has one colour."""

    body: int
    vertices: np.ndarray
    """(V, 3) m, body frame."""
    faces: np.ndarray
    """(F, 3) indices of vertices."""
    colour: tuple[int, int, int]
    """(0 to 255)"""


def parts(model: mujoco.MjModel, bodies: set[int]) -> list[Part]:
    """What is seen of some bodies and has no texture."""
    groups: dict[tuple[int, tuple[int, int, int]], list[Triangles]] = {}
    for geom in range(model.ngeom):
        body = int(model.geom_bodyid[geom])
        if body not in bodies or model.geom_group[geom] == HIDDEN_GROUP or texture(model, geom) is not None:
            continue
        shape = triangles(int(model.geom_type[geom]), model.geom_size[geom])
        if shape is None:
            continue
        turned = np.zeros(9)
        mujoco.mju_quat2Mat(turned, model.geom_quat[geom])
        vertices = shape[0] @ turned.reshape(3, 3).T + model.geom_pos[geom]
        groups.setdefault((body, colour(model, geom)), []).append((vertices, shape[1]))
    return [Part(body, *joined(shapes), tint) for (body, tint), shapes in groups.items()]


def texture(model: mujoco.MjModel, geom: int) -> np.ndarray | None:
    """(height, width, 3) uint8 of a geom; None for one that has a colour alone."""
    material = int(model.geom_matid[geom])
    number = -1 if material < 0 else int(model.mat_texid[material, mujoco.mjtTextureRole.mjTEXROLE_RGB])
    if number < 0:
        return None
    height, width, depth = (int(v[number]) for v in (model.tex_height, model.tex_width, model.tex_nchannel))
    start = int(model.tex_adr[number])
    return model.tex_data[start : start + height * width * depth].reshape(height, width, depth)[..., :3]


def colour(model: mujoco.MjModel, geom: int) -> tuple[int, int, int]:
    """Of a geom, or of its material."""
    material = int(model.geom_matid[geom])
    rgba = model.geom_rgba[geom] if material < 0 else model.mat_rgba[material]
    r, g, b = (round(255 * float(value)) for value in rgba[:3])
    return r, g, b


def joined(shapes: list[Triangles]) -> Triangles:
    """Several shapes as one."""
    starts = np.cumsum([0, *(len(vertices) for vertices, _ in shapes)])
    faces = [faces + start for (_, faces), start in zip(shapes, starts, strict=False)]
    return np.concatenate([vertices for vertices, _ in shapes]), np.concatenate(faces)


def triangles(kind: int, size: np.ndarray) -> Triangles | None:
    """A geom of MuJoCo's kind and size, about its own frame; None for a kind that is not drawn, such as a plane."""
    kinds = mujoco.mjtGeom
    if kind == kinds.mjGEOM_BOX:
        return box(size)
    if kind == kinds.mjGEOM_CYLINDER:
        return cylinder(size[0], size[1])
    if kind == kinds.mjGEOM_SPHERE:
        return ball(np.full(3, size[0]))
    if kind == kinds.mjGEOM_ELLIPSOID:
        return ball(size)
    if kind == kinds.mjGEOM_CAPSULE:
        return ball(np.full(3, size[0]), size[1])
    return None


def box(half_size: np.ndarray) -> Triangles:
    """Six sides that share no vertices."""
    vertices: list[np.ndarray] = []
    faces: list[np.ndarray] = []
    signs = np.array(((-1, -1), (1, -1), (1, 1), (-1, 1)))
    for axis in range(3):
        for side in (-1, 1):
            corners = np.zeros((4, 3))
            corners[:, axis] = side * half_size[axis]
            for column, other in enumerate(((axis + 1) % 3, (axis + 2) % 3)):
                corners[:, other] = signs[:, column] * half_size[other]
            faces.append(np.array(((0, 1, 2), (0, 2, 3)))[:, ::side] + 4 * len(vertices))
            vertices.append(corners)
    return np.concatenate(vertices), np.concatenate(faces)


def cylinder(radius: float, half_height: float) -> Triangles:
    """Upright."""
    angle = np.linspace(0.0, 2 * np.pi, _SIDES, endpoint=False)
    ring = np.stack((radius * np.cos(angle), radius * np.sin(angle)), axis=-1)
    up, down = (np.column_stack((ring, np.full(_SIDES, z))) for z in (half_height, -half_height))
    i = np.arange(_SIDES)
    j = (i + 1) % _SIDES
    side = np.concatenate((np.column_stack((i, j, i + _SIDES)), np.column_stack((j, j + _SIDES, i + _SIDES))))
    shapes: list[Triangles] = [(np.concatenate((up, down)), side[:, ::-1])]
    for cap, z in ((up, half_height), (down, -half_height)):
        fan = np.column_stack((np.full(_SIDES, _SIDES), i, j))
        shapes.append((np.vstack((cap, (0.0, 0.0, z))), fan if z > 0 else fan[:, ::-1]))
    return joined(shapes)


def ball(radii: np.ndarray, half_length: float = 0.0) -> Triangles:
    """An ellipsoid, or with a length a capsule: two halves that far from the middle along z."""
    azimuth = np.linspace(0.0, 2 * np.pi, _SIDES, endpoint=False)
    around = np.stack((np.cos(azimuth), np.sin(azimuth)), axis=-1)
    quarter = np.linspace(0.0, np.pi / 2, _RINGS + 1)
    rows = [
        np.column_stack((np.sin(polar) * around * radii[:2], np.full(_SIDES, np.cos(polar) * radii[2] + lift)))
        for half, lift in ((quarter, half_length), (np.pi - quarter[::-1], -half_length))
        for polar in half
    ]
    i = np.arange(_SIDES)
    j = (i + 1) % _SIDES
    faces = []
    for k in range(len(rows) - 1):
        a, b = k * _SIDES, (k + 1) * _SIDES
        faces += [np.column_stack((a + i, b + i, a + j)), np.column_stack((a + j, b + i, b + j))]
    vertices, every = np.concatenate(rows), np.concatenate(faces)
    # a ring at a pole is one point, as the two in the middle of an ellipsoid are one ring: those triangles are nothing
    corners = vertices[every]
    area = np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1)
    return vertices, every[area > 1e-12]
