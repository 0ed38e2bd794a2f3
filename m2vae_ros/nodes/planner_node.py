# SPDX-License-Identifier: Apache-2.0
"""Sends the robots of a team to the objects of which their sensors would tell most.

It hears the embeddings, imagines from them what each robot would read, and tells each patrol which
object it is to look at next, on ROBOT/patrol/wanted. Objects whose class is known are left alone.
It holds what robots hold and tells it again as they do, so a robot that is gone is not forgotten.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray
from nav_msgs.msg import Odometry
from rclpy.clock import TimeJump
from rclpy.node import Node
from std_msgs.msg import String
from tf2_msgs.msg import TFMessage

from m2vae_ros.bringup.arguments import team_of
from m2vae_ros.fusion.memory import ObjectMemory
from m2vae_ros.fusion.onnx_engine import PROVIDERS, OnnxEngine
from m2vae_ros.fusion.planning import CERTAIN, MIN_GAIN, Planner
from m2vae_ros.host.resources import weights_folder
from m2vae_ros.msg import LatentEmbedding, ObjectClassification
from m2vae_ros.nodes.known_objects import KnownObjects
from m2vae_ros.robot.frames import NoTransform
from m2vae_ros.robot.placement import Placement, pose_of
from m2vae_ros.ros import diagnostics, messages, qos, topics
from m2vae_ros.ros.anti_entropy import DIGESTS, AntiEntropy
from m2vae_ros.ros.clocks import on_jump_back, steady_clock
from m2vae_ros.ros.drop_log import DropLog
from m2vae_ros.ros.embedding_writers import EMBEDDINGS, EmbeddingWriters
from m2vae_ros.ros.frames import FrameListener
from m2vae_ros.ros.parameters import declare, follow, parameter, read
from m2vae_ros.ros.process import run
from m2vae_ros.sensors import ObservationError
from m2vae_ros.sensors.messages import GLOBAL_FRAME, NANOSECONDS


@dataclass(frozen=True)
class PlannerParameters:
    """See the descriptions; `ros2 param describe` shows them too."""

    robots: tuple[str, ...] = parameter(
        (), "The team, as robot/sensor, one for each sensor.", fixed=True
    )
    weights: str = parameter(
        "amiro",
        "Folder of the weights; a bare name is looked up in the package's models.",
        fixed=True,
    )
    device: str = parameter(
        "cpu",
        f"Where the model runs: {', '.join(PROVIDERS)}, as ONNX Runtime here can.",
        fixed=True,
    )
    certain: float = parameter(
        CERTAIN,
        "Probability of its class from which on an object is known.",
        minimum=0.0,
        maximum=1.0,
    )
    min_gain: float = parameter(
        MIN_GAIN,
        "Nats by which a look has to lower the entropy of the class, as expected, for a robot to "
        "be sent; the one that promises most of an object is sent in any case.",
        minimum=0.0,
    )
    patience: float = parameter(
        30.0,
        "Seconds after which a robot that has not sensed its object is sent elsewhere.",
        minimum=0.1,
    )
    period: float = parameter(
        0.5, "Seconds between two plans.", minimum=0.01, maximum=60.0, fixed=True
    )
    gate: float = parameter(
        0.3,
        "Metres between two places that are one object.",
        minimum=0.01,
        maximum=100.0,
        fixed=True,
    )
    stamp_tolerance: float = parameter(
        0.5, "Seconds a stamp may lie in the future.", minimum=0.0, maximum=3600.0, fixed=True
    )
    forget_after: float = parameter(
        0.0,
        "Seconds since any robot has sensed an object until it is retired, as its robots' own "
        "parameter says. 0: never.",
        minimum=0.0,
        maximum=1e9,
        fixed=True,
    )
    global_frame: str = parameter(
        GLOBAL_FRAME, "Frame of the objects' places; transforms lead to it.", fixed=True
    )
    objects: KnownObjects = KnownObjects()


@dataclass
class Errand:
    """Where a robot was sent.

    Attributes:
        name: of the object.
        since: when, nanoseconds.
        missing: modalities by which it has not sensed it since.
    """

    name: str
    since: int
    missing: set[str] = field(default_factory=set)


class PlannerNode(Node):
    """Embeddings and odometry in, objects to look at out."""

    def __init__(self, **options: Any) -> None:
        super().__init__("planner", **options)
        declare(self, PlannerParameters)
        self._settings = settings = read(self, PlannerParameters)
        engine = OnnxEngine.load(weights_folder(settings.weights), settings.device)
        team = team_of(settings.robots, engine.suite)
        self._planner = Planner(engine, team, settings.certain, settings.min_gain)
        self._memory = ObjectMemory(
            engine,
            "planner",
            settings.gate,
            frame=settings.global_frame,
            tolerance_ns=int(settings.stamp_tolerance * NANOSECONDS),
            by_place=engine.suite.about.by_place,
            forget_after_ns=int(settings.forget_after * NANOSECONDS),
        )
        self._errands: dict[str, Errand] = {}
        self._places: dict[str, tuple[float, float]] = {}
        self._weights = engine.digest
        self._drops = drops = DropLog(self.get_logger())
        self._dropped_before = 0
        topics.subscription(
            self, LatentEmbedding, EMBEDDINGS, self._on_embedding, qos.EMBEDDINGS, drops
        )
        self._writers = EmbeddingWriters(self, EMBEDDINGS)
        self._writers.open()
        self._anti_entropy = AntiEntropy(
            self, DIGESTS, self._memory, self._writers.tell_again, drops
        )
        frames = FrameListener(self, drops)
        for topic, profile, take in frames.sources():
            topics.subscription(self, TFMessage, topic, take, profile, drops)
        self._wanted = {}
        for robot in team:
            self._wanted[robot] = topics.publisher(
                self, String, f"/{robot}/patrol/wanted", qos.STATE
            )
            place = partial(self._on_odometry, robot, Placement(frames, settings.global_frame))
            topics.subscription(self, Odometry, f"/{robot}/odom", place, qos.STATE, drops)
            topics.subscription(
                self,
                ObjectClassification,
                f"/{robot}/classification",
                partial(self._on_classification, robot),
                qos.EVERY_ONE,
                drops,
            )
        self.create_timer(settings.period, self._plan)
        self._diagnostics = topics.publisher(self, DiagnosticArray, "/diagnostics", qos.DIAGNOSTICS)
        # Diagnosis must go on when the simulated time stands still.
        self.create_timer(1.0, self._diagnose, clock=steady_clock())
        self._jumps = on_jump_back(self, self._on_jump_back)
        follow(self, partial(read, self, PlannerParameters), self._adjust)

    @property
    def _now(self) -> int:
        now: int = self.get_clock().now().nanoseconds
        return now

    def _adjust(self, settings: PlannerParameters) -> None:
        self._settings = settings
        self._planner.certain, self._planner.min_gain = settings.certain, settings.min_gain

    def _on_embedding(self, message: LatentEmbedding) -> None:
        embedding, now = messages.embedding(message), self._now
        try:
            said = self._memory.receive(embedding, now).said
        finally:
            self._anti_entropy.heard(embedding, now)
        for one in said:
            self._writers.publish(one)

    def _on_odometry(self, robot: str, placement: Placement, message: Odometry) -> None:
        motion = messages.motion(message)
        try:
            x, y, _ = pose_of(placement.base(motion, motion.stamp))
        except NoTransform as error:
            raise ObservationError(f"header.frame_id: {error}") from error
        self._places[robot] = x, y

    def _on_classification(self, robot: str, message: ObjectClassification) -> None:
        """Note that a robot has done what it was sent for."""
        errand = self._errands.get(robot)
        if errand is not None and message.object_id == errand.name:
            errand.missing.difference_update(message.sensed)

    def _on_jump_back(self, _: TimeJump) -> None:
        """What is known is of a time to come; what robots still hold they say again."""
        self._memory.begin_anew(keep=False)
        self._writers.keep(())
        self._errands.clear()

    def _plan(self) -> None:
        """Send whoever is free."""
        now, patience = self._now, self._settings.patience * NANOSECONDS
        self._errands = {
            robot: errand
            for robot, errand in self._errands.items()
            if errand.missing
            and 0 <= now - errand.since <= patience
            and not self._planner.is_known(self._memory.get(errand.name))
        }
        sent = self._planner.send(
            {name: self._memory.get(name) for name in self._settings.objects.names},
            [robot for robot in self._heard() if robot not in self._errands],
            {errand.name for errand in self._errands.values()},
            self._distances(),
        )
        for robot, name in sent.items():
            self._errands[robot] = Errand(name, now, set(self._planner.team[robot]))
            self._wanted[robot].publish(String(data=name))
            self.get_logger().info(f"sends {robot} to {name}")

    def _heard(self) -> list[str]:
        """The robots whose patrols are there to be sent."""
        return [robot for robot, out in self._wanted.items() if out.get_subscription_count() > 0]

    def _diagnose(self) -> None:
        """Say what is known, who was asked, and why nobody is."""
        drops, names = self._drops, self._settings.objects.names
        held = {name: self._memory.get(name) for name in names}
        known = [name for name, one in held.items() if self._planner.is_known(one)]
        heard = self._heard()
        facts = {
            "fingerprint": self._memory.engine.fingerprint,
            "weights": self._weights,
            "objects": len(names),
            "objects held": sum(one is not None for one in held.values()),
            "objects known": len(known),
            "embeddings held": len(self._memory.statements()),
            "patrols heard": ", ".join(heard),
            "last error": drops.last_error,
            **{f"asked {robot}": errand.name for robot, errand in self._errands.items()},
        }
        news = drops.dropped > self._dropped_before
        self._dropped_before = drops.dropped
        facts["plan"] = self._plan_in_words(len(names) - len(known), heard)
        summary = drops.last_error if news else str(facts["plan"])
        level = diagnostics.WARN if news or not names or not heard else diagnostics.OK
        report = diagnostics.report(self, level, summary, {**facts, **drops.counts})
        self._diagnostics.publish(report)

    def _plan_in_words(self, unknown: int, heard: Sequence[str]) -> str:
        """Who was asked for what, or why nobody is."""
        if not self._now:
            return "waits for the time on /clock"
        if self._errands:
            return ", ".join(f"{robot} to {one.name}" for robot, one in self._errands.items())
        if not self._settings.objects.names:
            return "nobody is asked: parameter objects.names is empty"
        if not heard:
            return "nobody is asked: no patrol of the team is heard"
        if not unknown:
            return "nobody is asked: all objects are known"
        return f"nobody is asked: no look at {unknown} unknown objects promises min_gain"

    def _distances(self) -> dict[tuple[str, str], float]:
        objects = self._settings.objects
        return {
            (robot, name): math.dist(place, (x, y))
            for robot, place in self._places.items()
            for name, x, y in zip(objects.names, objects.x, objects.y, strict=True)
        }


def main(args: list[str] | None = None) -> int:
    """Run the node until it is asked to stop; returns the exit status."""
    return run(PlannerNode, args)


if __name__ == "__main__":
    sys.exit(main())
