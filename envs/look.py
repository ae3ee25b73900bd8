"""How a scene looks: the table, the studio around it, lights and cameras. World z = 0 is the table top."""

from __future__ import annotations

import mujoco

_TABLE_BACK = -0.85  # (m) behind the first arm's base
_TABLE_FRONT = {1: 0.30, 2: 0.85}  # (m) by number of arms
_TABLE_HALF_WIDTH = 0.6  # (m)
_TABLE_THICKNESS = 0.04  # (m)
_FLOOR = -0.75  # (m) height of the studio floor
_VISUAL_GROUP = 2

# Cameras: position, point looked at (m, world frame) and vertical field of view (degrees), by number of arms.
_View = tuple[tuple[float, float, float], tuple[float, float, float], float]
_CAMERAS: dict[int, dict[str, _View]] = {
    1: {
        "front": ((0.93, -1.39, 1.02), (-0.27, 0.06, 0.28), 33),
        "side": ((-0.03, -1.80, 0.62), (-0.25, 0.0, 0.32), 33),
        "top": ((-0.3, -0.01, 2.1), (-0.3, 0.0, 0.0), 40),
        "overview": ((1.75, -1.7, 1.15), (-0.25, 0.0, 0.0), 40),
    },
    2: {
        "front": ((0.42, -1.83, 1.12), (0.02, -0.02, 0.28), 33),
        "side": ((0.0, -1.85, 0.62), (0.0, 0.0, 0.36), 34),
        "top": ((0.0, -0.001, 2.1), (0.0, 0.0, 0.0), 40),
        "overview": ((2.0, -2.3, 1.5), (0.0, 0.0, -0.05), 40),
    },
}


def furnish(spec: mujoco.MjSpec, num_arms: int, contype: int, conaffinity: int) -> None:
    """Add everything that is neither robot nor object: table, floor, sky, lights, cameras, picture quality.

    Args:
        spec: the scene to add to.
        num_arms: one arm stands at one end of a short table, two at the ends of a long one.
        contype: collision bits of the table top, the only thing here that anything collides with.
        conaffinity: the bits that the table top collides with.
    """
    _set_quality(spec)
    _add_materials(spec)
    back, front = _TABLE_BACK, _TABLE_FRONT[num_arms]
    _add_table(spec, back, front, contype, conaffinity)
    _add_visual(spec, mujoco.mjtGeom.mjGEOM_PLANE, (0, 0, 0.1), (0, 0, _FLOOR), "floor")
    _add_lights(spec, (back + front) / 2)
    for name, view in _CAMERAS[num_arms].items():
        _add_camera(spec, name, *view)


def _set_quality(spec: mujoco.MjSpec) -> None:
    spec.visual.global_.offwidth = 1280
    spec.visual.global_.offheight = 720
    spec.visual.quality.shadowsize = 1024  # shadows look no worse than with 2048, and a frame takes a fifth less
    spec.visual.quality.offsamples = 4  # smooth edges; half of a frame's time where there is no GPU
    spec.visual.quality.numslices = 28
    spec.visual.quality.numstacks = 12  # round enough; frames take as long as there are facets
    spec.visual.headlight.ambient = [0.28, 0.28, 0.3]
    spec.visual.headlight.diffuse = [0.12, 0.12, 0.12]
    spec.visual.headlight.specular = [0.0, 0.0, 0.0]
    # clipping planes are in units of the extent
    spec.stat.extent = 1.5
    spec.stat.center = [0, 0, 0.2]
    spec.visual.map.znear = 0.01
    spec.visual.map.zfar = 20
    spec.visual.map.shadowscale = 0.7  # of the key light's cone: the table, the arms and the legs' feet
    spec.visual.map.haze = 0.6  # the endless floor fades into the sky
    spec.visual.rgba.haze = [0.115, 0.138, 0.175, 1]


def _add_materials(spec: mujoco.MjSpec) -> None:
    spec.add_texture(
        name="sky",
        type=mujoco.mjtTexture.mjTEXTURE_SKYBOX,
        builtin=mujoco.mjtBuiltin.mjBUILTIN_GRADIENT,
        rgb1=[0.20, 0.235, 0.29],
        rgb2=[0.03, 0.035, 0.05],
        width=256,
        height=1536,
    )
    _add_texture(spec, "grain", (0.66, 0.58, 0.48), (0.60, 0.52, 0.42), 0.12)
    # marks stretched along one side look like the grain of wood
    _add_material(spec, "tabletop", texture="grain", texrepeat=(1, 0.06), specular=0.15, shininess=0.3)
    _add_material(spec, "floor", rgba=(0.135, 0.145, 0.165, 1), specular=0.2, shininess=0.4)
    _add_material(spec, "frame", rgba=(0.10, 0.105, 0.12, 1), specular=0.4, shininess=0.5)


def _add_texture(
    spec: mujoco.MjSpec,
    name: str,
    base: tuple[float, float, float],
    mark: tuple[float, float, float],
    density: float,
) -> None:
    spec.add_texture(
        name=name,
        type=mujoco.mjtTexture.mjTEXTURE_2D,
        builtin=mujoco.mjtBuiltin.mjBUILTIN_FLAT,
        mark=mujoco.mjtMark.mjMARK_RANDOM,
        rgb1=base,
        rgb2=base,
        markrgb=mark,
        random=density,
        width=512,
        height=512,
    )


def _add_material(
    spec: mujoco.MjSpec,
    name: str,
    *,
    specular: float,
    shininess: float,
    rgba: tuple[float, float, float, float] = (1, 1, 1, 1),
    texture: str = "",
    texrepeat: tuple[float, float] = (1, 1),
) -> None:
    """A material; its texture repeats so many times per metre along x and y."""
    material = spec.add_material(
        name=name,
        rgba=rgba,
        specular=specular,
        shininess=shininess,
        texuniform=True,
        texrepeat=texrepeat,
    )
    if texture:
        material.textures[mujoco.mjtTextureRole.mjTEXROLE_RGB] = texture


def _add_table(spec: mujoco.MjSpec, back: float, front: float, contype: int, conaffinity: int) -> None:
    """A top on a plinth and four legs, from x = `back` to x = `front` (m)."""
    middle, half_length = (back + front) / 2, (front - back) / 2
    spec.worldbody.add_geom(
        name="table",
        type=mujoco.mjtGeom.mjGEOM_BOX,
        size=[half_length, _TABLE_HALF_WIDTH, _TABLE_THICKNESS / 2],
        pos=[middle, 0, -_TABLE_THICKNESS / 2],
        contype=contype,
        conaffinity=conaffinity,
        material="tabletop",
    )
    box = mujoco.mjtGeom.mjGEOM_BOX
    rail = 0.03  # (m) half the height of the frame under the top
    under = -_TABLE_THICKNESS - rail
    inset = 0.05  # (m) the frame stands back from the edge
    _add_visual(spec, box, (half_length - inset, _TABLE_HALF_WIDTH - inset, rail), (middle, 0, under), "frame")
    leg = 0.03  # (m) half the thickness of a leg
    half_height = (under - rail - _FLOOR) / 2
    for x in (back + inset + leg, front - inset - leg):
        for y in (-_TABLE_HALF_WIDTH + inset + leg, _TABLE_HALF_WIDTH - inset - leg):
            _add_visual(spec, box, (leg, leg, half_height), (x, y, _FLOOR + half_height), "frame")


def _add_visual(
    spec: mujoco.MjSpec,
    shape: mujoco.mjtGeom,
    size: tuple[float, float, float],
    position: tuple[float, float, float],
    material: str,
) -> None:
    """A geom that is seen and never touched."""
    spec.worldbody.add_geom(
        type=shape, size=size, pos=position, material=material, contype=0, conaffinity=0, group=_VISUAL_GROUP, mass=0
    )


def _add_lights(spec: mujoco.MjSpec, middle: float) -> None:
    """Key, fill and rim light around x = `middle` (m); one shadow pass a frame, that of the key light."""
    spot = mujoco.mjtLightType.mjLIGHT_SPOT
    directional = mujoco.mjtLightType.mjLIGHT_DIRECTIONAL
    spec.worldbody.add_light(
        name="key",
        type=spot,
        pos=[middle + 0.9, -1.3, 2.6],
        dir=[-0.9, 1.3, -2.6],
        cutoff=42,
        exponent=5,
        castshadow=True,
        diffuse=[0.62, 0.60, 0.57],
        specular=[0.5, 0.5, 0.5],
        attenuation=[1, 0, 0],
    )
    spec.worldbody.add_light(
        name="fill",
        type=directional,
        pos=[middle + 1.5, 1.5, 1.5],
        dir=[-1, -1, -0.8],
        castshadow=False,
        diffuse=[0.16, 0.18, 0.22],
        specular=[0.1, 0.1, 0.1],
    )
    spec.worldbody.add_light(
        name="rim",
        type=directional,
        pos=[middle - 2, 1.0, 1.5],
        dir=[2, -0.8, -0.9],
        castshadow=False,
        diffuse=[0.22, 0.24, 0.30],
        specular=[0.4, 0.4, 0.45],
    )


def _add_camera(
    spec: mujoco.MjSpec,
    name: str,
    position: tuple[float, float, float],
    target: tuple[float, float, float],
    fovy: float,
) -> None:
    """A fixed camera at `position` (m) that looks at `target` (m), upright; `fovy` in degrees."""
    back = [p - t for p, t in zip(position, target, strict=True)]
    right = [-back[1], back[0], 0.0]  # level: the vertical crossed with the way back
    up = [
        back[1] * right[2] - back[2] * right[1],
        back[2] * right[0] - back[0] * right[2],
        back[0] * right[1] - back[1] * right[0],
    ]
    camera = spec.worldbody.add_camera(name=name, pos=position, fovy=fovy)
    camera.alt.type = mujoco.mjtOrientation.mjORIENTATION_XYAXES
    camera.alt.xyaxes = [*right, *up]
