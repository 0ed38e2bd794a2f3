# SPDX-License-Identifier: Apache-2.0
"""The world that a Gazebo simulates: who is in it, where, and what the sensors read."""

from __future__ import annotations

import itertools
import math
import random
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from m2vae_ros.gazebo.errors import GazeboError
from m2vae_ros.gazebo.messages import PACKAGE, message
from m2vae_ros.gazebo.readings import GazeboSensor, Reading, reading, sensors_of
from m2vae_ros.gazebo.transport import Client

PATIENCE = 10.0
"""Seconds until something that does not happen has failed."""

ASK_AGAIN = 1.0
"""Seconds after which a question to Gazebo that got no answer is asked again."""

Pose = tuple[float, float, float]
"""x and y in metres, yaw in radians in [-pi, pi]."""

ANSWERED_WITHIN = 5.0
"""Seconds after which no answer is to be expected any more. Gazebo looks into its mail five times a
second, when the machine is not busy."""

BACK = 1.0
"""Simulated seconds by which time goes back only if the world was reset."""

NEAR = 1e-3
"""Metres and radians within which something is where it was put."""


class GazeboWorld:
    """A view of a running Gazebo, and a hand in it; a context manager.

    Whatever waits raises a `GazeboError` if it waited in vain for `PATIENCE` seconds of a clock on
    the wall.

    Args:
        master_uri: e.g. `http://127.0.0.1:11345`, Gazebo's usual one.
        on_problem: see `Client`.
        on_poses: is called, in the client's thread, when there are new poses; once if several
            have waited.
        on_lost: is called, in the client's thread, when Gazebo has gone.
    """

    def __init__(
        self,
        master_uri: str,
        on_problem: Callable[[str], None] = lambda sentence: None,
        on_poses: Callable[[], None] = lambda: None,
        on_lost: Callable[[], None] = lambda: None,
    ) -> None:
        self._changed = threading.Condition()
        self._statistics: Any = None
        self._heard_at = -math.inf
        self._time = 0.0
        self._models: dict[str, Any] = {}
        self._poses: dict[str, Pose] = {}
        self._newest: dict[str, Reading] = {}
        # Others get the answers to our questions, too, and we get those to theirs.
        self._numbers = itertools.count(random.randrange(2**30))
        self._unanswered: set[int] = set()
        self._asked_at = -math.inf
        self._tell_lost = on_lost
        self.client = Client(master_uri, on_problem, self._on_lost)
        for topic, kind in (
            ("~/request", "Request"),
            ("~/model/modify", "Model"),
            ("~/factory", "Factory"),
            ("~/world_control", "WorldControl"),
        ):
            self.client.advertise(topic, kind)
        self.client.subscribe("~/response", "Response", self._on_response)
        self.client.subscribe("~/world_stats", "WorldStatistics", self._on_statistics)
        self.client.subscribe("~/pose/info", "PosesStamped", self._on_poses, on_poses)

    def __enter__(self) -> GazeboWorld:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of Gazebo, which goes on."""
        # A publisher of Gazebo whose reader leaves while something is on its way publishes never
        # again, to nobody: answers are waited for.
        deadline = time.monotonic() + ANSWERED_WITHIN
        with self._changed:
            while self._unanswered and self.client.connected and time.monotonic() < deadline:
                self._changed.wait(0.05)
        self.client.close()

    # --- what there is ------------------------------------------------------------------------

    @property
    def ready(self) -> bool:
        """Whether Gazebo runs and has published what is in its world; asking requests it."""
        if self._statistics is None or not self.client.connected:
            return False
        if not self._models:
            self._ask()
        return bool(self._models)

    def look_again(self) -> None:
        """Ask what is in the world now: others may have put something in or taken it out.

        The answer is soon found in `models`, `robots` and `poses`.
        """
        self._ask()

    def wait(self) -> None:
        """Until Gazebo is ready."""
        self._until(lambda: self.ready, "Gazebo does not tell what is in its world")

    @property
    def name(self) -> str:
        """The name of the world."""
        return self.client.world

    @property
    def models(self) -> frozenset[str]:
        """The names of everything in the world."""
        return frozenset(self._models)

    def model(self, name: str) -> Any:
        """What Gazebo tells of a model, `gazebo.msgs.Model`.

        Raises:
            GazeboError: there is no such model.
        """
        with self._changed:  # Gazebo may be lost between the look and the grip
            self._check(name)
            return self._models[name]

    @property
    def robots(self) -> dict[str, dict[str, GazeboSensor]]:
        """The models that are not static, each with its sensors by their names."""
        return {
            name: sensors_of(model) for name, model in self._models.items() if not model.is_static
        }

    # --- time ---------------------------------------------------------------------------------

    @property
    def time(self) -> float:
        """Simulated seconds, as last published: up to sixty times a second."""
        return self._time

    @property
    def silence(self) -> float:
        """Seconds of a clock on the wall since Gazebo last gave its time.

        It does so five times a second, even while its time stands still.
        """
        return time.monotonic() - self._heard_at

    @property
    def step_size(self) -> float:
        """Simulated seconds of one step of the physics; 0 before the first one."""
        last = self._statistics
        return seconds(last.sim_time) / last.iterations if last and last.iterations else 0.0

    @property
    def iterations(self) -> int:
        """Steps of the physics so far, as last published."""
        return round(self._time / self.step_size) if self.step_size else 0

    @property
    def paused(self) -> bool:
        """Whether time stands still."""
        return bool(self._statistics and self._statistics.paused)

    def pause(self, paused: bool = True) -> None:
        """Stop time, or let it run again with `paused=False`; returns when that is so."""
        self._control(pause=paused)
        self._until(lambda: self.paused == paused, "Gazebo does not pause or go on")

    def step(self, count: int) -> None:
        """Have steps of the physics taken while time stands still; does not wait for them.

        With a server in lockstep this is the way to collect data: put things in their places,
        step on for a sensor's period, and `read` what has a later stamp. Steps that are asked for
        before earlier ones are taken replace those.
        """
        self._control(multi_step=count)

    @property
    def poses(self) -> Mapping[str, Pose]:
        """Where the models are that Gazebo has published, by name."""
        return self._poses

    # --- places -------------------------------------------------------------------------------

    def pose(self, model: str) -> Pose:
        """Where a model is: x, y (metres), yaw (radians).

        Raises:
            GazeboError: there is no such model.
        """
        with self._changed:
            self._check(model)
            return self._poses[model]

    def place(self, model: str, x: float, y: float, yaw: float) -> float:
        """Put a model somewhere (metres, radians), as `place_all`."""
        return self.place_all({model: (x, y, yaw)})

    def place_all(self, poses: Mapping[str, Pose]) -> float:
        """Put models somewhere, upright and at their height; static ones, too.

        Gazebo looks into its mail five times a second: many at once take no longer than one.

        Returns:
            The simulated time at which they certainly were there: readings with a later stamp are
            from there.

        Raises:
            GazeboError: there is no such model, or it does not get there.
        """
        models = {name: self.model(name) for name in poses}
        self._ready_for("~/model/modify")
        for name, (x, y, yaw) in poses.items():
            pose = pose_message(x, y, yaw, models[name].pose.position.z)
            self.client.publish("~/model/modify", message("Model")(name=name, pose=pose))

        def there() -> bool:
            if any(model.is_static for model in models.values()):
                self._asked_models()  # only then their poses are published
            # Gazebo may have gone.
            found = [(self._poses.get(name), pose) for name, pose in poses.items()]
            return all(at is not None and _near(at, pose) for at, pose in found)

        self._until(there, f"not all get to where they were put: {', '.join(poses)}")
        before = self._time
        self._until(lambda: self.paused or self._time > before, "Gazebo's time stands still")
        return self._time

    def spawn(self, *models: str) -> None:
        """Add models, each a whole SDF document with a new name; returns when they are there.

        Time stands still meanwhile: a server in lockstep is too busy otherwise.

        Raises:
            GazeboError: they do not come up; the SDF may be none.
        """
        self._ready_for("~/factory")
        count = len(self._models) + len(models)
        with self._while(paused=True):
            for sdf in models:
                self.client.publish("~/factory", message("Factory")(sdf=sdf, allow_renaming=False))
            self._until(lambda: len(self._asked_models()) >= count, "a model does not come up")

    def remove(self, *models: str) -> None:
        """Take models out, while time stands still; returns when they are gone.

        Raises:
            GazeboError: there is no such model, or it stays.
        """
        self._check(*models)
        with self._while(paused=True):
            for name in models:
                self._request("entity_delete", name)
            self._until(
                lambda: self._asked_models().isdisjoint(models),
                f"cannot be removed: {', '.join(models)}",
            )

    # --- sensors ------------------------------------------------------------------------------

    def watch(self, sensor: GazeboSensor, callback: Callable[[Reading], None]) -> None:
        """Have Gazebo render a sensor; `callback` gets each reading, in the client's thread."""
        self.client.subscribe(sensor.topic, sensor.kind, lambda content: callback(reading(content)))

    def unwatch(self, sensor: GazeboSensor) -> None:
        """Have Gazebo render it no more."""
        self.client.unsubscribe(sensor.topic)

    def read(self, robot: str, sensor: str, after: float = -math.inf) -> Reading:
        """The next reading of a sensor with a stamp later than `after`, simulated seconds.

        The first call subscribes, lets time run until the sensor reads, and leaves it subscribed.

        Raises:
            GazeboError: there is no such robot or sensor, or it does not read.
        """
        try:
            which = self.robots[robot][sensor]
        except KeyError:
            raise GazeboError(
                f"there is no sensor {robot}/{sensor}, there are: "
                + (", ".join(f"{r}/{s}" for r, of in self.robots.items() for s in of) or "none")
            ) from None
        if which.topic not in self._newest:
            self._follow(which)
        newest = self._newest
        self._until(lambda: newest[which.topic].time > after, f"{robot}/{sensor} does not read")
        return newest[which.topic]

    # --- inside -------------------------------------------------------------------------------

    def _follow(self, sensor: GazeboSensor) -> None:
        """Keep the newest reading of a sensor from now on; returns with the first one."""

        def keep(reading: Reading) -> None:
            with self._changed:
                self._newest[sensor.topic] = reading
                self._changed.notify_all()

        with self._while(paused=False):
            self.watch(sensor, keep)
            name = f"{sensor.robot}/{sensor.name}"
            self._until(lambda: sensor.topic in self._newest, f"{name} does not read")

    def _until(self, condition: Callable[[], Any], otherwise: str) -> None:
        deadline = time.monotonic() + PATIENCE
        with self._changed:
            while not condition():
                if time.monotonic() > deadline:
                    raise GazeboError(otherwise)
                self._changed.wait(0.05)

    def _ready_for(self, topic: str) -> None:
        """Until Gazebo has subscribed to a topic of ours: what is sent before is lost."""
        self._until(lambda: self.client.subscribers(topic), f"Gazebo does not listen to {topic}")

    @contextmanager
    def _while(self, *, paused: bool) -> Iterator[None]:
        changes = self.paused != paused
        if changes:
            self.pause(paused)
        try:
            yield
        finally:
            if changes:
                self.pause(not paused)

    def _control(self, **what: Any) -> None:
        self._ready_for("~/world_control")
        self.client.publish("~/world_control", message("WorldControl")(**what))

    def _request(self, what: str, data: str = "") -> None:
        self._ready_for("~/request")
        content = message("Request")(id=next(self._numbers), request=what, data=data)
        if what == "scene_info":  # the answers come in the order of the questions
            self._unanswered.add(content.id)
        self.client.publish("~/request", content)

    def _asked_models(self) -> set[str]:
        """The models, of which a new list is asked for."""
        self._ask()
        return set(self._models)

    def _ask(self) -> None:
        """Ask what is in the world, unless an answer is awaited or nobody listens."""
        now = time.monotonic()
        if now - self._asked_at > ASK_AGAIN and self.client.subscribers("~/request"):
            self._asked_at = now
            self._request("scene_info")

    def _check(self, *models: str) -> None:
        for model in models:
            if model not in self._models:
                there = ", ".join(sorted(self._models)) or "none"
                raise GazeboError(f"there is no model {model}, there are: {there}")

    def _on_response(self, content: Any) -> None:
        if content.request == "scene_info" and content.type == f"{PACKAGE}.Scene":
            scene = message("Scene").FromString(content.serialized_data)
            with self._changed:
                self._asked_at = -math.inf
                self._unanswered.discard(content.id)
                self._models = {model.name: model for model in scene.model}
                before = self._poses
                self._poses = {
                    model.name: flat(model.pose)
                    if model.is_static or model.name not in before
                    else before[model.name]
                    for model in scene.model
                }
                self._changed.notify_all()

    def _on_statistics(self, content: Any) -> None:
        with self._changed:
            self._statistics, self._heard_at = content, time.monotonic()
            self._on_time(seconds(content.sim_time))
            self._changed.notify_all()

    def _on_poses(self, content: Any) -> None:
        with self._changed:
            self._on_time(seconds(content.time))
            for pose in content.pose:
                if "::" not in pose.name:  # a model, not one of its links
                    self._poses[pose.name] = flat(pose)
            self._changed.notify_all()

    def _on_time(self, now: float) -> None:
        # Poses are published more often than statistics, and either may come late.
        if now > self._time or now < self._time - BACK:
            self._time = now

    def _on_lost(self) -> None:
        with self._changed:
            self._statistics, self._time = None, 0.0
            self._unanswered.clear()
            self._models, self._poses, self._newest = {}, {}, {}
            self._changed.notify_all()
        self._tell_lost()


def _near(pose: Pose, other: Pose) -> bool:
    turned = math.remainder(pose[2] - other[2], math.tau)
    return math.dist(pose[:2], other[:2]) < NEAR and abs(turned) < NEAR


def seconds(stamp: Any) -> float:
    """A time of Gazebo in seconds."""
    return float(stamp.sec + stamp.nsec * 1e-9)


def flat(pose: Any) -> Pose:
    """A pose of Gazebo in the plane."""
    q = pose.orientation
    yaw = math.atan2(2.0 * (q.w * q.z + q.x * q.y), 1.0 - 2.0 * (q.y * q.y + q.z * q.z))
    return pose.position.x, pose.position.y, yaw


def pose_message(x: float, y: float, yaw: float, z: float) -> Any:
    """The message of an upright pose (metres, radians)."""
    return message("Pose")(
        position={"x": x, "y": y, "z": z},
        orientation={"x": 0.0, "y": 0.0, "z": math.sin(yaw / 2.0), "w": math.cos(yaw / 2.0)},
    )
