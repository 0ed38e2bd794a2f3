# SPDX-License-Identifier: Apache-2.0
"""Turns a world into a MuJoCo model.

Visuals and collisions become geoms of different groups: cameras see the one, rays and contacts meet
the other, as in Gazebo. What is static stands still; a robot is a body on two slides and a hinge,
driven by velocity servos, so it moves in the plane and is stopped by what it bumps into.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from m2vae_ros.sim.backend import mujoco
from m2vae_ros.world.sdf import (
    Box,
    CameraSensor,
    Cylinder,
    Geometry,
    Link,
    Model,
    Plane,
    Pose,
    RaySensor,
    Sphere,
    World,
)

VISUAL_GROUP, COLLISION_GROUP = 0, 3

TIMESTEP = 0.005  # seconds of one step of the physics

# The servos: how hard a robot pushes for each m/s (rad/s) that it is too slow, and at most. Wheels
# under 0.6 kg slip beyond about 3 N, forwards and sideways.
_FORCE_GAIN, _FORCE_LIMIT = 30.0, 3.0  # N·s/m, N
_TORQUE_GAIN, _TORQUE_LIMIT = 0.3, 0.05  # N·m·s, N·m

# How the axes of a camera lie in MuJoCo (looks along -z, y up), given SDF's (looks along x, z up).
_SDF_CAMERA = np.array([0.5, 0.5, -0.5, -0.5])


@dataclass(frozen=True)
class MujocoWorld:
    """A compiled world.

    Attributes:
        model: the MuJoCo model. A geom is called `MODEL/LINK/visual/NAME` or
            `MODEL/LINK/collision/NAME`, a camera or site `MODEL/NAME`, a robot's joints
            `MODEL/x`, `MODEL/y` and `MODEL/yaw`, its servos `MODEL/forwards`, `MODEL/sideways` and
            `MODEL/turn`.
        retro: float64 (number of geoms,), the intensity a ray reports of each.
    """

    model: mujoco.MjModel
    retro: np.ndarray


def compile_world(world: World) -> MujocoWorld:
    """Build the MuJoCo model of a world. Compiling takes some milliseconds."""
    spec = mujoco.MjSpec()
    spec.modelname = world.name
    spec.option.timestep = TIMESTEP
    spec.option.integrator = mujoco.mjtIntegrator.mjINT_IMPLICITFAST
    spec.option.gravity = [0.0, 0.0, 0.0]  # robots live in the plane
    _set_up_drawing(spec, world)
    for model in world.models:
        for link in model.links:
            _add_link(spec, model, link)
    compiled = spec.compile()
    retro = np.zeros(compiled.ngeom)
    for model in world.models:
        for link in model.links:
            for collision in link.collisions:
                name = geom_name(model, link, "collision", collision.name)
                retro[compiled.geom(name).id] = collision.laser_retro
    return MujocoWorld(compiled, retro)


def geom_name(model: Model, link: Link, kind: str, name: str) -> str:
    """What the geom of a visual or a collision (`kind`) is called."""
    return f"{model.name}/{link.name}/{kind}/{name}"


def _set_up_drawing(spec: mujoco.MjSpec, world: World) -> None:
    cameras = [
        sensor
        for model in world.models
        for link in model.links
        for sensor in link.sensors
        if isinstance(sensor, CameraSensor)
    ]
    # No shadow map and no oversampling: they take most of the time, and colours are flat anyway.
    spec.visual.quality.shadowsize = 0
    spec.visual.quality.offsamples = 0
    # One light that comes from everywhere: what is drawn is the colour itself, without shading.
    spec.visual.headlight.active = 1
    spec.visual.headlight.ambient = [1.0, 1.0, 1.0]
    spec.visual.headlight.diffuse = [0.0, 0.0, 0.0]
    spec.visual.headlight.specular = [0.0, 0.0, 0.0]
    spec.visual.global_.offwidth = max((camera.width for camera in cameras), default=640)
    spec.visual.global_.offheight = max((camera.height for camera in cameras), default=480)
    spec.stat.extent = 1.0  # the clips below are in units of it
    spec.visual.map.znear = min((camera.near for camera in cameras), default=0.02)
    spec.visual.map.zfar = max((camera.far for camera in cameras), default=50.0)
    spec.add_texture(
        name="sky",
        type=mujoco.mjtTexture.mjTEXTURE_SKYBOX,
        builtin=mujoco.mjtBuiltin.mjBUILTIN_FLAT,
        rgb1=world.background,
        rgb2=world.background,
        width=8,
        height=8,
    )


def _add_link(spec: mujoco.MjSpec, model: Model, link: Link) -> None:
    body = spec.worldbody.add_body(name=f"{model.name}/{link.name}")
    if model.static:
        outer = body  # the model's pose, and in it the link's
        _place(outer, model.pose)
        if link.pose != Pose():
            body = outer.add_body(name=f"{model.name}/{link.name}/pose")
            _place(body, link.pose)
    else:
        body.pos = [0.0, 0.0, model.pose.position[2]]
        _add_drive(spec, body, model.name)
        body.explicitinertial = True
        body.mass, body.inertia = link.mass, link.inertia

    for visual in link.visuals:
        name = geom_name(model, link, "visual", visual.name)
        spec.add_material(name=name, rgba=[*visual.colour, 1.0], specular=0.0)
        geom = body.add_geom(name=name, material=name, group=VISUAL_GROUP)
        geom.contype = geom.conaffinity = 0
        geom.mass = 0.0
        _shape(geom, visual.geometry)
        _place(geom, visual.pose)
    for collision in link.collisions:
        name = geom_name(model, link, "collision", collision.name)
        geom = body.add_geom(name=name, group=COLLISION_GROUP, condim=1)
        # The floor holds nobody up, for nobody can fall.
        geom.contype = geom.conaffinity = 0 if isinstance(collision.geometry, Plane) else 1
        _shape(geom, collision.geometry)
        _place(geom, collision.pose)
    for sensor in link.sensors:
        _add_sensor(body, model, sensor)


def _add_drive(spec: mujoco.MjSpec, body: mujoco.MjsBody, name: str) -> None:
    slide, hinge = mujoco.mjtJoint.mjJNT_SLIDE, mujoco.mjtJoint.mjJNT_HINGE
    for axis, kind, direction in (
        ("x", slide, [1, 0, 0]),
        ("y", slide, [0, 1, 0]),
        ("yaw", hinge, [0, 0, 1]),
    ):
        body.add_joint(name=f"{name}/{axis}", type=kind, axis=direction)
    # The servos act along the robot's own axes, which turn with it: a site's.
    site = body.add_site(name=f"{name}/drive")
    for motion, gear, gain, limit in (
        ("forwards", [1, 0, 0, 0, 0, 0], _FORCE_GAIN, _FORCE_LIMIT),
        ("sideways", [0, 1, 0, 0, 0, 0], _FORCE_GAIN, _FORCE_LIMIT),
        ("turn", [0, 0, 0, 0, 0, 1], _TORQUE_GAIN, _TORQUE_LIMIT),
    ):
        servo = spec.add_actuator(
            name=f"{name}/{motion}",
            target=site.name,
            trntype=mujoco.mjtTrn.mjTRN_SITE,
            gear=gear,
            forcelimited=1,
            forcerange=[-limit, limit],
        )
        servo.set_to_velocity(gain)


def _add_sensor(body: mujoco.MjsBody, model: Model, sensor: CameraSensor | RaySensor) -> None:
    name = f"{model.name}/{sensor.name}"
    if isinstance(sensor, RaySensor):
        _place(body.add_site(name=name), sensor.pose)
        return
    camera = body.add_camera(name=name)
    _place(camera, sensor.pose)
    turned = np.empty(4)
    mujoco.mju_mulQuat(turned, np.asarray(camera.quat, dtype=float), _SDF_CAMERA)
    camera.quat = turned
    half_height = math.tan(sensor.horizontal_fov / 2.0) * sensor.height / sensor.width
    camera.fovy = math.degrees(2.0 * math.atan(half_height))


def _shape(geom: mujoco.MjsGeom, geometry: Geometry) -> None:
    kinds = mujoco.mjtGeom
    if isinstance(geometry, Box):
        geom.type, geom.size = kinds.mjGEOM_BOX, [edge / 2.0 for edge in geometry.size]
    elif isinstance(geometry, Cylinder):
        geom.type = kinds.mjGEOM_CYLINDER
        geom.size = [geometry.radius, geometry.length / 2.0, 0.0]
    elif isinstance(geometry, Sphere):
        geom.type, geom.size = kinds.mjGEOM_SPHERE, [geometry.radius, 0.0, 0.0]
    else:
        geom.type = kinds.mjGEOM_PLANE
        # The third number is the spacing of grid lines that are never drawn.
        geom.size = [geometry.size[0] / 2.0, geometry.size[1] / 2.0, 1.0]


def _place(
    thing: mujoco.MjsBody | mujoco.MjsGeom | mujoco.MjsSite | mujoco.MjsCamera, pose: Pose
) -> None:
    """Set position and orientation of a body, geom, site or camera."""
    quaternion = np.empty(4)
    # SDF turns about fixed axes, which MuJoCo writes in capital letters.
    mujoco.mju_euler2Quat(quaternion, np.array(pose.roll_pitch_yaw), "XYZ")
    thing.pos, thing.quat = list(pose.position), quaternion
