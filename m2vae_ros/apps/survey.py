# SPDX-License-Identifier: Apache-2.0
"""Bags for training from Gazebo: robots look at objects, in one drawn world after the other.

Every world is that of the world file with its objects drawn anew. Robots with one sensor each are
put before the objects, where that sensor sees them, and a recorder writes down what the bridge
publishes. Each bag holds its world file.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING

import numpy as np

from m2vae_ros.bags.writer import RECORDING
from m2vae_ros.bringup.processes import Processes, environment
from m2vae_ros.bringup.specs import TEAM, gazebo_bridge
from m2vae_ros.datasets.errors import DataError
from m2vae_ros.gazebo.server import GazeboServer
from m2vae_ros.gazebo.world import GazeboWorld, Pose
from m2vae_ros.host.domains import own_domain
from m2vae_ros.host.resources import resource
from m2vae_ros.host.scratch import Scratch
from m2vae_ros.world.drawn import draw_world
from m2vae_ros.world.objects import WorldObject, objects_of
from m2vae_ros.world.sdf import read_world
from m2vae_ros.world.suite import AMIRO, viewpoint

if TYPE_CHECKING:
    from m2vae_ros.ros.recorder import Recorder

LOCK = ".survey.lock"
"""Beside the bags, locked by the survey that writes them, and removed when that ends."""

STAY = 0.2
"""Simulated seconds at each object: two periods of each sensor."""

PATIENCE = 30.0
"""Seconds until every sensor has to be heard, and for which a look may last."""


class SurveyError(RuntimeError):
    """A sensor was not heard, or could not be recorded, or the folder is another survey's.

    The message names topic, bag or folder.
    """


def survey(
    folder: Path,
    worlds: int,
    views: int,
    seed: int,
    *,
    world: str | os.PathLike[str] = "",
    progress: Callable[[], object] = lambda: None,
    warn: Callable[[str], object] = lambda text: None,
) -> None:
    """Record one bag for each of `worlds` drawn worlds.

    Those that are there already are kept, whatever they were recorded with; of those that were not
    finished, nothing is.

    Args:
        folder: of the bags, `world_000` and so on; made if need be.
        worlds: how many.
        views: of each object by each sensor in each world.
        seed: of the worlds, viewpoints and noise.
        world: the world file to draw from; "" is the package's own.
        progress: called at each stop, `views` times the number of objects for each world, and as
            often for a world that is there already.
        warn: called with which messages of a bag were lost.

    Raises:
        WorldError: the world file cannot be read.
        GazeboError: Gazebo is not installed, or does not run.
        BringupError: the bridge does not run.
        SurveyError: a sensor is not heard, or cannot be recorded; or another survey is writing
            into the folder.
        DataError: somebody else has begun to record a bag of that name.
    """
    source = Path(world or resource("worlds/amiro.world"))
    with _alone_in(folder):
        for number in range(worlds):
            bag = folder / f"world_{number:03d}"
            with _drawn(source, (seed, number)) as drawn:
                objects = objects_of(read_world(drawn))
                if bag.exists():
                    for _ in range(views * len(objects)):
                        progress()
                    continue
                stops = tour(objects, views, np.random.default_rng((seed, number, 1)))
                # of a survey that was killed, for no other is at work here
                shutil.rmtree(_unfinished(bag), ignore_errors=True)
                lost = _record(drawn, bag, stops, 1000 * seed + number, progress)
                if lost:
                    losses = ", ".join(f"{n} of {topic}" for topic, n in sorted(lost.items()))
                    warn(f"{bag}: messages were lost: {losses}")


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
                poses[robot] = viewpoint(AMIRO[sensor]).draw(item.x, item.y, rng)
            yield poses


@contextmanager
def _alone_in(folder: Path) -> Iterator[None]:
    """No other survey writes into the folder; it is made if need be.

    Raises:
        SurveyError: another one does.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / LOCK
    while True:
        with path.open("a") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise SurveyError(f"{folder}: another survey is writing into it") from None
            if not _is_at(path, lock):  # its last owner has removed it: others would make their own
                continue
            try:
                yield
            finally:
                path.unlink(missing_ok=True)
            return


def _is_at(path: Path, file: IO[str]) -> bool:
    """Whether the path is that of the open file still."""
    with suppress(FileNotFoundError):
        return os.path.samestat(path.stat(), os.fstat(file.fileno()))
    return False


def _record(
    world: Path,
    bag: Path,
    stops: Iterator[Mapping[str, Pose]],
    seed: int,
    progress: Callable[[], object],
) -> Mapping[str, int]:
    """Record one bag, or nothing of it; returns topic -> messages that are not in it."""
    heard = {f"/{robot}/{AMIRO[s].topic}" for robot, sensors in TEAM.items() for s in sensors}
    heard |= {f"/{robot}/odom" for robot in TEAM}
    recorder = None
    try:
        with (
            own_domain(),
            GazeboServer(world) as server,
            Processes([gazebo_bridge(TEAM, server.master_uri, seed)]) as processes,
            _recording(bag, [*sorted(heard), "/clock"], world) as recorder,
            GazeboWorld(server.master_uri) as robots,
        ):

            def check() -> None:
                processes.check()
                server.check()
                if recorder.error is not None:
                    raise _unrecorded(bag, recorder.error)

            robots.wait()
            deadline = time.monotonic() + PATIENCE
            while lacking := [topic for topic in sorted(heard) if not recorder.messages.get(topic)]:
                check()
                if time.monotonic() > deadline:
                    raise SurveyError(f"{', '.join(lacking)}: not heard in {PATIENCE:g} s")
                time.sleep(0.02)
            for poses in stops:
                arrived = robots.place_all(poses)
                deadline = time.monotonic() + PATIENCE
                while robots.time < arrived + STAY:
                    check()
                    if time.monotonic() > deadline:
                        raise SurveyError(
                            f"{bag}: simulated time has not passed {STAY:g} s in {PATIENCE:g} s"
                        )
                    time.sleep(0.005)
                progress()
    except BaseException:
        if recorder is not None:  # until then, whatever is there is somebody else's
            _remove(bag)
        raise
    return recorder.lost


def _unfinished(bag: Path) -> Path:
    """What a bag is called while it is recorded."""
    return bag.with_name(bag.name + RECORDING)


def _remove(bag: Path) -> None:
    """Remove what a recorder made of a bag."""
    _unfinish(bag)
    shutil.rmtree(_unfinished(bag), ignore_errors=True)


def _unfinish(bag: Path) -> None:
    """Let what a recorder made of a bag be no bag: it would be taken for the whole next time."""
    unfinished = _unfinished(bag)
    if not unfinished.exists():  # it was finished; else a bag beside it is somebody else's
        with suppress(FileNotFoundError):
            bag.rename(unfinished)


def _unrecorded(bag: Path, error: BaseException) -> SurveyError:
    return SurveyError(f"{bag}: could not be recorded: {error}")


@contextmanager
def _recording(bag: Path, topics: Sequence[str], world: Path) -> Iterator[Recorder]:
    """A recorder at work in a thread; the bag is whole afterwards.

    Raises:
        SurveyError: something could not be written.
    """
    from rclpy.executors import ExternalShutdownException

    from m2vae_ros.ros.beside import AMID_WORK, node_beside
    from m2vae_ros.ros.recorder import RecorderNode

    os.environ.update(environment())
    enclosed = {"world.sdf": world}
    made = node_beside(
        lambda context: RecorderNode(bag, True, topics=topics, enclosed=enclosed, context=context),
        AMID_WORK,
    )
    with made as (node, executor):

        def spin() -> None:
            with suppress(ExternalShutdownException):  # that is how it ends
                executor.spin()

        thread = threading.Thread(target=spin, name="recorder")
        thread.start()
        try:
            try:
                yield node.recorder
            finally:
                executor.shutdown()
                thread.join()
                node.finish()
        except BaseException as error:
            _unfinish(bag)  # now: if DDS does not let go of the node, nothing else is done
            if isinstance(error, DataError):
                raise _unrecorded(bag, node.recorder.error or error) from error
            raise


@contextmanager
def _drawn(source: Path, seed: Sequence[int]) -> Iterator[Path]:
    """The file of a drawn world, which goes away afterwards."""
    with Scratch("m2vae-survey-") as folder:
        path = folder / "drawn.world"
        path.write_text(draw_world(source, seed))
        yield path
