# SPDX-License-Identifier: Apache-2.0
"""The running system as plain data: which nodes, with which names, parameters and remappings.

The launch files turn it into launch actions, the demo and the tests into processes, so that what
users launch is what the tests run.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from m2vae_ros.host.resources import resource
from m2vae_ros.sensors import SensorSuite
from m2vae_ros.sensors.messages import ODOMETRY
from m2vae_ros.world.objects import WorldObject, objects_of
from m2vae_ros.world.sdf import read_world
from m2vae_ros.world.suite import AMIRO

Robots = Mapping[str, Sequence[str]]
"""Robot -> modalities of the sensors it carries."""

TEAM: Robots = {f"amiro{number}": (name,) for number, name in enumerate(AMIRO, start=1)}
"""The paper's idea in its purest form: no robot alone can know an object."""


FUSION_CONFIG = "config/fusion.yaml"
"""The parameter file of a fusion node, within the package."""


@dataclass(frozen=True)
class NodeSpec:
    """One node, which is one process.

    Attributes:
        executable: of this package.
        name: of the node.
        namespace: begins with "/".
        config: the parameter file it starts from; a relative path is one within the package.
        parameters: what differs from the file; a group of parameters is a mapping.
        remappings: pairs of names, from and to.
        lifecycle: whether it has to be configured and activated.
        required: whether nothing goes on without it: it keeps the time, say, which a new one would
            begin anew. Any other node that dies may be replaced.
    """

    executable: str
    name: str
    namespace: str
    config: str
    parameters: Mapping[str, Any] = field(default_factory=dict)
    remappings: tuple[tuple[str, str], ...] = ()
    lifecycle: bool = False
    required: bool = False

    @property
    def full_name(self) -> str:
        """The node's name with its namespace."""
        return f"{self.namespace.rstrip('/')}/{self.name}"


def simulator(
    robots: Robots,
    world: str = "",
    real_time_factor: float = 1.0,
    seed: int = 0,
    own_odometry: bool = False,
) -> NodeSpec:
    """The simulated world with these robots; `world` "" is the package's own.

    With `own_odometry` the odometry of each is in a frame of its own, which /tf places.
    """
    return NodeSpec(
        executable="amiro_sim",
        name="amiro_sim",
        namespace="/",
        config="config/amiro_sim.yaml",
        parameters={
            "world": world,
            "robots": [f"{robot}/{sensor}" for robot in robots for sensor in robots[robot]],
            "real_time_factor": real_time_factor,
            "seed": seed,
            "own_odometry": own_odometry,
        },
        required=True,
    )


def gazebo_bridge(
    robots: Robots | None = None, master: str = "", seed: int = 0, own_odometry: bool = False
) -> NodeSpec:
    """The bridge to a Gazebo that runs without gazebo_ros.

    Args:
        robots: those that are bridged, with their sensors; None: whatever Gazebo has.
        master: its URI; "" is GAZEBO_MASTER_URI, or the usual one.
        seed: of the sensors' noise.
        own_odometry: see `simulator`.
    """
    entries = [f"{robot}/{sensor}" for robot, of in (robots or {}).items() for sensor in of]
    return NodeSpec(
        executable="gazebo_bridge",
        name="gazebo_bridge",
        namespace="/",
        config="config/gazebo_bridge.yaml",
        parameters={
            "master": master,
            "seed": seed,
            "own_odometry": own_odometry,
            **({"robots": entries} if entries else {}),
        },
    )


def fusion(
    robot: str,
    modalities: Sequence[str] | None = None,
    *,
    weights: str = "amiro",
    objects: Iterable[WorldObject] = (),
    use_sim_time: bool = False,
    config: str = FUSION_CONFIG,
    global_frame: str = "",
    base_frame: str = "",
    remappings: tuple[tuple[str, str], ...] = (),
) -> NodeSpec:
    """The fusion node of one robot; with `objects` it knows where they stand.

    By default it has all modalities that the weights know; one without any takes part in what the
    others tell. `global_frame` is that of all positions, `base_frame` the robot's; "" leaves them
    to `config`.
    """
    frames = {"global_frame": global_frame, "base_frame": base_frame}
    return NodeSpec(
        executable="fusion_node",
        name="fusion",
        namespace=f"/{robot}",
        config=config,
        parameters={
            "use_sim_time": use_sim_time,
            "weights": weights,
            # an empty list has no type in ROS
            **({} if modalities is None else {"modalities": list(modalities) or [""]}),
            **{parameter: frame for parameter, frame in frames.items() if frame},
            **known(objects),
        },
        remappings=remappings,
        lifecycle=True,
    )


def team(
    robots: Robots,
    *,
    weights: str = "amiro",
    config: str = FUSION_CONFIG,
    use_sim_time: bool = False,
) -> tuple[NodeSpec, ...]:
    """The fusion nodes of robots that exist already, in Gazebo or on the floor."""
    return tuple(
        fusion(robot, sensors, weights=weights, config=config, use_sim_time=use_sim_time)
        for robot, sensors in robots.items()
    )


def inputs(suite: SensorSuite = AMIRO) -> dict[str, str]:
    """What a fusion node reads, by modality, and odometry: their topics."""
    return {**{name: modality.topic for name, modality in suite.items()}, "odom": ODOMETRY.topic}


def reading_from(
    topics: Mapping[str, str], suite: SensorSuite = AMIRO
) -> tuple[tuple[str, str], ...]:
    """The remappings of a fusion node whose sensors have topics of their own.

    Args:
        topics: by the names of `inputs`; an empty one, or none, leaves it as it is.
        suite: of the node's weights.
    """
    known = inputs(suite)
    return tuple((known[name], topic) for name, topic in topics.items() if topic)


def patrol(
    robot: str,
    modalities: Sequence[str],
    objects: Iterable[WorldObject],
    order: Sequence[str] = (),
    stay: float = 0.0,
) -> NodeSpec:
    """The patrol of one simulated robot, which stays `stay` seconds at each object.

    Without `order` it visits the objects as they come.
    """
    return NodeSpec(
        executable="patrol",
        name="patrol",
        namespace=f"/{robot}",
        config="config/patrol.yaml",
        parameters={
            "use_sim_time": True,
            "modalities": list(modalities),
            "stay": stay,
            **({"order": list(order)} if order else {}),
            **known(objects),
        },
    )


def planner(robots: Robots, objects: Iterable[WorldObject], weights: str = "amiro") -> NodeSpec:
    """What sends simulated robots to the objects of which their sensors would tell most."""
    return NodeSpec(
        executable="planner",
        name="planner",
        namespace="/",
        config="config/planner.yaml",
        parameters={
            "use_sim_time": True,
            "weights": weights,
            "robots": [f"{robot}/{sensor}" for robot in robots for sensor in robots[robot]],
            **known(objects),
        },
    )


def simulated_team(
    robots: Robots = TEAM,
    *,
    world: str = "",
    weights: str = "amiro",
    real_time_factor: float = 1.0,
    seed: int = 0,
    own_odometry: bool = False,
    stay: float = 0.0,
    planned: bool = False,
) -> tuple[NodeSpec, ...]:
    """The simulator, and for each robot a fusion node and a patrol that stays at each object.

    If `planned`, a planner says which object each robot looks at next.
    """
    simulation = simulator(robots, world, real_time_factor, seed, own_odometry)
    return (simulation, *_patrolling(robots, world, weights, stay, planned))


def gazebo_team(
    robots: Robots = TEAM,
    *,
    world: str = "",
    weights: str = "amiro",
    master: str = "",
    seed: int = 0,
    bridge: bool = True,
    own_odometry: bool = False,
    stay: float = 0.0,
    planned: bool = False,
) -> tuple[NodeSpec, ...]:
    """As `simulated_team`, but in a Gazebo that runs `world`; without `bridge`, by gazebo_ros.

    Raises:
        ValueError: own odometry, which gazebo_ros does not have.
    """
    if own_odometry and not bridge:
        raise ValueError("own_odometry: gazebo_ros has none; it needs this package's bridge")
    bridges = [gazebo_bridge(robots, master, seed, own_odometry)] if bridge else []
    return (*bridges, *_patrolling(robots, world, weights, stay, planned))


def _patrolling(
    robots: Robots, world: str, weights: str, stay: float, planned: bool
) -> Iterator[NodeSpec]:
    """For each robot a fusion node and a patrol, and what plans for all."""
    objects = world_objects(world)
    orders = visiting_orders([item.name for item in objects], len(robots))
    for (robot, sensors), order in zip(robots.items(), orders, strict=True):
        yield fusion(robot, sensors, weights=weights, objects=objects, use_sim_time=True)
        yield patrol(robot, sensors, objects, order, stay)
    if planned:
        yield planner(robots, objects, weights)


def training(
    bags: Sequence[str],
    out: str,
    *,
    suite: str = "amiro",
    held_out: Sequence[str] = (),
    world: str = "",
    label_topic: str = "",
    start: str = "",
    classifiers_only: bool = False,
    minutes: float | None = None,
    enough: int | None = None,
    most: int | None = None,
    global_frame: str = "",
) -> tuple[str, ...]:
    """What `m2vae` is given to train from bags; what is empty is left to its defaults.

    Args:
        bags: folders of bags.
        out: folder of the weights to write.
        suite: a YAML file, or a name in the package's config/suites.
        held_out: folders of bags that nothing is trained on.
        world: world file that says which objects stood where.
        label_topic: of messages that say which object was sensed, instead of a world.
        start: folder of the weights to start from.
        classifiers_only: whether its networks are kept.
        minutes: for which the networks are trained at most.
        enough: readings of each class by each sensor that there must be.
        most: readings of one object by one sensor that count.
        global_frame: in which the world has its objects.

    Raises:
        ValueError: there is no bag.
    """
    if not bags:
        raise ValueError("bags: there has to be at least one")
    options = {"--world": world, "--label-topic": label_topic, "--from": start}
    options["--global-frame"] = global_frame
    options["--minutes"] = f"{minutes:g}" if minutes else ""
    options["--enough"] = "" if enough is None else f"{enough}"
    options["--most"] = "" if most is None else f"{most}"
    given = [word for option in options.items() if option[1] for word in option]
    given += ["--classifiers-only"] if classifiers_only else []
    given += ["--held-out", *held_out] if held_out else []
    return ("train", suite, "--out", out, *given, "--bags", *bags)


def world_objects(world: str | os.PathLike[str] = "") -> list[WorldObject]:
    """The objects of a world file, "" for the package's own; they know their true classes.

    Raises:
        WorldError: the file cannot be read.
    """
    return objects_of(read_world(world or resource("worlds/amiro.world")))


def visiting_orders(names: Sequence[str], robots: int) -> list[list[str]]:
    """A different order of all objects for each robot.

    The objects stand in a circle. The first robot crosses it, three objects on each time where
    that reaches all of them; the others go round it, far from one another.
    """
    count = len(names)
    stride = 3 if count % 3 else 1
    orders = [[names[stride * i % count] for i in range(count)]]
    for robot in range(1, robots):
        start = (2 * robot - 1) * count // (2 * (robots - 1)) if robots > 1 else 0
        orders.append([names[(start + i) % count] for i in range(count)])
    return orders[:robots]


def known(objects: Iterable[WorldObject]) -> dict[str, Any]:
    """Names and places of objects as the parameter group `objects`; nothing if there are none."""
    objects = list(objects)
    if not objects:
        return {}
    return {
        "objects": {
            "names": [item.name for item in objects],
            "x": [float(item.x) for item in objects],
            "y": [float(item.y) for item in objects],
        }
    }
