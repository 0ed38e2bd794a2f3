# SPDX-License-Identifier: Apache-2.0
"""Bags for training from Gazebo: robots look at objects, in one drawn world after the other.

Every world is that of the world file with its objects drawn anew. Robots with one sensor each are
put before the objects, where that sensor sees them, and a recorder writes down what the bridge
publishes. Each bag holds its world file.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np

from m2vae_ros.bringup import TEAM, gazebo_bridge
from m2vae_ros.domains import own_domain
from m2vae_ros.gazebo.server import GazeboServer
from m2vae_ros.gazebo.world import GazeboWorld, Pose
from m2vae_ros.processes import Processes, environment
from m2vae_ros.resources import resource
from m2vae_ros.sim.drawn_world import draw_world
from m2vae_ros.sim.objects import WorldObject, objects_of
from m2vae_ros.sim.viewpoints import VIEWPOINTS
from m2vae_ros.sim.world import read_world

STAY = 0.2
"""Simulated seconds at each object: two periods of each sensor."""

PATIENCE = 30.0
"""Seconds until every sensor has to be heard."""


class SurveyError(RuntimeError):
    """A sensor was not heard; the message names its topic."""


def survey(
    folder: Path,
    worlds: int,
    views: int,
    seed: int,
    *,
    world: str | os.PathLike[str] = "",
    progress: Callable[[], object] = lambda: None,
) -> None:
    """Record one bag for each of `worlds` drawn worlds; those that are there already are kept.

    Args:
        folder: of the bags, `world_000` and so on; made if need be.
        worlds: how many.
        views: of each object by each sensor in each world.
        seed: of the worlds, viewpoints and noise.
        world: the world file to draw from; "" is the package's own.
        progress: called at each stop, `views` times the number of objects for each world, and as
            often for a world that is there already.

    Raises:
        WorldError: the world file cannot be read.
        GazeboError: Gazebo is not installed, or does not run.
        BringupError: the bridge does not run.
        SurveyError: a sensor is not heard.
    """
    source = Path(world or resource("worlds/amiro.world"))
    for number in range(worlds):
        bag = folder / f"world_{number:03d}"
        with _drawn(source, (seed, number)) as drawn:
            objects = objects_of(read_world(drawn))
            if bag.exists():
                for _ in range(views * len(objects)):
                    progress()
                continue
            stops = tour(objects, views, np.random.default_rng((seed, number, 1)))
            try:
                _record(drawn, bag, stops, 1000 * seed + number, progress)
            except BaseException:
                # what is there of it would be taken for the whole next time
                shutil.rmtree(bag, ignore_errors=True)
                raise


def tour(
    objects: Sequence[WorldObject],
    views: int,
    rng: np.random.Generator,
    team: Mapping[str, Sequence[str]] = TEAM,
) -> Iterator[dict[str, Pose]]:
    """Where the robots stand, stop by stop: each before another object.

    Args:
        objects: to look at, at least as many as robots.
        views: how often each robot looks at each object.
        rng: draws orders, and the viewpoints within what each sensor's viewpoint allows.
        team: robot -> the one sensor it looks with.

    Yields:
        robot -> x, y (metres), yaw (radians).
    """
    apart = len(objects) // len(team)
    for _ in range(views):
        order = rng.permutation(len(objects))
        for stop in range(len(objects)):
            poses = {}
            for index, (robot, (sensor,)) in enumerate(team.items()):
                item = objects[order[(stop + index * apart) % len(objects)]]
                poses[robot] = VIEWPOINTS[sensor].draw(item.x, item.y, rng)
            yield poses


def _record(
    world: Path,
    bag: Path,
    stops: Iterator[Mapping[str, Pose]],
    seed: int,
    progress: Callable[[], object],
) -> None:
    from m2vae_ros.nodes.messages import SENSORS

    heard = {f"/{robot}/{SENSORS[s].topic}" for robot, sensors in TEAM.items() for s in sensors}
    heard |= {f"/{robot}/odom" for robot in TEAM}
    with own_domain(), GazeboServer(world) as server:
        bridge = gazebo_bridge(TEAM, server.master_uri, seed)
        with (
            Processes([bridge]) as processes,
            _recording(bag, [*sorted(heard), "/clock"], world) as messages,
            GazeboWorld(server.master_uri) as robots,
        ):
            robots.wait()
            deadline = time.monotonic() + PATIENCE
            while lacking := [topic for topic in sorted(heard) if not messages().get(topic)]:
                processes.check()
                if time.monotonic() > deadline:
                    raise SurveyError(f"{', '.join(lacking)}: not heard in {PATIENCE:g} s")
                time.sleep(0.02)
            for poses in stops:
                arrived = robots.place_all(poses)
                while robots.time < arrived + STAY:
                    processes.check()
                    server.check()
                    time.sleep(0.005)
                progress()


@contextmanager
def _recording(
    bag: Path, topics: Sequence[str], world: Path
) -> Iterator[Callable[[], Mapping[str, int]]]:
    """A recorder at work in a thread; gives a function that tells topic -> messages so far."""
    import rclpy
    from rclpy.context import Context
    from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
    from rclpy.signals import SignalHandlerOptions

    from m2vae_ros.nodes.recorder import RecorderNode

    os.environ.update(environment())
    context = Context()
    rclpy.init(context=context, signal_handler_options=SignalHandlerOptions.NO)
    executor = SingleThreadedExecutor(context=context)
    node = RecorderNode(
        bag, use_sim_time=True, topics=topics, enclosed={"world.sdf": world}, context=context
    )
    executor.add_node(node)

    def spin() -> None:
        with suppress(ExternalShutdownException):  # that is how it ends
            executor.spin()

    thread = threading.Thread(target=spin, name="recorder")
    thread.start()
    try:
        yield lambda: node.recorder.messages
    finally:
        executor.shutdown()
        thread.join()
        node.destroy_node()
        context.try_shutdown()


@contextmanager
def _drawn(source: Path, seed: Sequence[int]) -> Iterator[Path]:
    """The file of a drawn world, which goes away afterwards."""
    with tempfile.TemporaryDirectory(prefix="m2vae-survey-") as folder:
        path = Path(folder, "drawn.world")
        path.write_text(draw_world(source, seed))
        yield path
