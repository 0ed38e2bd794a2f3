# SPDX-License-Identifier: Apache-2.0
"""The node of one robot that turns what it senses and what it is told into embeddings.

Sensor messages become observations; at each tick those of one object are fused in place, and the
embedding and its classification are published. What others publish is taken in as it comes.
"""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from diagnostic_msgs.msg import DiagnosticArray
from nav_msgs.msg import Odometry
from rclpy.clock import Clock, ClockType
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn
from rclpy.qos import QoSProfile

from m2vae_ros.fusion.embedding import Embedding
from m2vae_ros.fusion.engine import Engine
from m2vae_ros.fusion.memory import ObjectMemory
from m2vae_ros.fusion.validation import check
from m2vae_ros.host.resources import weights_folder
from m2vae_ros.msg import LatentEmbedding, ObjectClassification
from m2vae_ros.nodes.fusion_parameters import FusionParameters
from m2vae_ros.robot.attention import ScanAttention
from m2vae_ros.ros import diagnostics, messages, qos
from m2vae_ros.ros.embedding_writers import EmbeddingWriters
from m2vae_ros.ros.ledger import Ledger
from m2vae_ros.ros.messages import SENSORS, Motion
from m2vae_ros.ros.parameters import ParameterError, declare, read
from m2vae_ros.ros.process import run
from m2vae_ros.sensors import ObservationError
from m2vae_ros.sensors.gaze import Position
from m2vae_ros.srv import Decode, ResetObject

EMBEDDINGS = "/embeddings"


class Target(NamedTuple):
    """An object and its place; without a name it is whatever stands there."""

    object_id: str | None
    position: Position


@dataclass(frozen=True)
class Sighting:
    """One observation: when it was made, in nanoseconds, and how the robot moved."""

    observation: np.ndarray
    stamp: int
    motion: Motion


class FusionNode(LifecycleNode):
    """Lifecycle: configured it holds the model and what it knows of the objects, active it takes
    part. What it knows outlives deactivation, and ends with cleanup."""

    def __init__(self, **options: Any) -> None:
        super().__init__("fusion", **options)
        declare(self, FusionParameters)
        self._ledger = Ledger(self.get_logger())
        self._dropped_before = 0
        self._engine: Engine | None = None
        self._memory: ObjectMemory | None = None
        self._writers = EmbeddingWriters(self, EMBEDDINGS)
        self._phase = "unconfigured"
        # What has to be undone on the way back through the lifecycle.
        self._configured = ExitStack()
        self._activated = ExitStack()
        self._diagnostics = self.create_publisher(DiagnosticArray, "/diagnostics", 10)
        # Diagnosis must go on when the simulated time stands still.
        steady = Clock(clock_type=ClockType.STEADY_TIME)
        self.create_timer(1.0, self._diagnose, clock=steady)

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Read the parameters and the weights."""
        if not self._managed("configured", self._configure):
            self._forget()
            return TransitionCallbackReturn.FAILURE
        self._phase = "inactive"
        return super().on_configure(state)

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Subscribe, and tell again what this robot has found out."""
        if not self._managed("activated", self._activate):
            self._activated.close()
            return TransitionCallbackReturn.FAILURE
        self._phase = "active"
        return super().on_activate(state)

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Leave every topic; what is known stays."""
        self._activated.close()
        self._phase = "inactive"
        return super().on_deactivate(state)

    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Forget everything, the model too."""
        self._forget()
        return super().on_cleanup(state)

    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Leave and forget."""
        self._forget()
        return super().on_shutdown(state)

    def on_error(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Back to unconfigured, from where it can be tried again."""
        self.get_logger().error("a transition failed, the node is unconfigured again")
        self._forget()
        return TransitionCallbackReturn.SUCCESS

    def _managed(self, what: str, attempt: Callable[[], None]) -> bool:
        """Whether it worked; if not, the reason is logged, which rclpy would not do."""
        try:
            attempt()
        except Exception as error:
            known = isinstance(error, ValueError | OSError)
            self._ledger.last_error = f"{error}" if known else f"{error!r}"
            self.get_logger().error(f"cannot be {what}: {self._ledger.last_error}")
            return False
        return True

    def _configure(self) -> None:
        # One observation at a time gains nothing from threads, and robots may share a machine.
        os.environ.setdefault("OMP_NUM_THREADS", "1")
        # torch is imported here, so that the node is there to be configured at once.
        from m2vae_ros.fusion.torch_engine import TorchEngine

        settings = read(self, FusionParameters)
        robot = settings.robot or self.get_namespace().strip("/")
        if not robot:
            raise ParameterError("parameter robot: is empty, and so is the node's namespace")
        engine = TorchEngine.load(weights_folder(settings.weights))
        for modality in settings.modalities:
            if modality not in engine.modalities:
                raise ParameterError(f"parameter modalities: the weights know no {modality!r}")
        self._settings = settings
        self._engine = engine
        self._memory = ObjectMemory(
            engine,
            robot,
            settings.gate,
            frame=settings.frame,
            tolerance_ns=int(settings.stamp_tolerance * 1e9),
            min_gain=settings.min_gain,
        )
        self._places = [
            Target(name, (x, y, 0.0))
            for name, x, y in zip(
                settings.objects.names, settings.objects.x, settings.objects.y, strict=True
            )
        ]
        self._scan_attention = ScanAttention(
            max(settings.gaze(modality).max_distance for modality in SENSORS)
        )
        self._last_sensed: dict[tuple[str, str], int] = {}
        self._classification = self.create_lifecycle_publisher(
            ObjectClassification, "classification", qos.EVERY_ONE
        )
        self._configured.callback(self.destroy_lifecycle_publisher, self._classification)
        for kind, name, callback in (
            (Decode, "~/decode", self._decode),
            (ResetObject, "~/reset_object", self._reset_object),
        ):
            service = self.create_service(kind, name, callback)
            self._configured.callback(self.destroy_service, service)
        self.get_logger().info(f"{robot} speaks the latent space {engine.fingerprint}")

    def _activate(self) -> None:
        self._fresh: dict[str, Sighting] = {}
        self._motion: Motion | None = None
        self._ahead: Position | None = None
        self._activated.callback(self._writers.close)
        for embedding in self._memory.objects():
            if embedding.sender == self._memory.owner:
                self._writers.publish(embedding)
        self._listening = False
        if self._now > 0:
            self._listen()
        timer = self.create_timer(self._settings.period, self._tick)
        self._activated.callback(self.destroy_timer, timer)

    def _listen(self) -> None:
        """Subscribe; not before the time is known, for until then all that comes is of the future,
        and what a late joiner is told at once would be dropped."""
        self._listening = True
        self._subscribe(LatentEmbedding, EMBEDDINGS, self._on_embedding, qos.EMBEDDINGS)
        self._subscribe(Odometry, "odom", self._on_odometry, qos.NEWEST_READING)
        for modality in self._settings.modalities:
            sensor, callback = SENSORS[modality], partial(self._on_sensor, modality)
            self._subscribe(sensor.message, sensor.topic, callback, qos.NEWEST_READING)

    def _subscribe(
        self, message: type, topic: str, callback: Callable[[Any], None], profile: QoSProfile
    ) -> None:
        subscription = self.create_subscription(
            message, topic, self._ledger.guarded(topic, callback), profile
        )
        self._activated.callback(self.destroy_subscription, subscription)

    def _forget(self) -> None:
        self._activated.close()
        self._configured.close()
        self._engine = self._memory = None
        self._phase = "unconfigured"

    @property
    def _now(self) -> int:
        return self.get_clock().now().nanoseconds

    @property
    def _tolerance(self) -> int:
        return int(self._settings.stamp_tolerance * 1e9)

    def _on_odometry(self, message: Odometry) -> None:
        self._motion = messages.motion(message)

    def _on_sensor(self, modality: str, message: Any) -> None:
        """Keep the newest observation for the next tick, with where the robot was."""
        observation = messages.observation(self._engine.views[modality], message)
        stamp = messages.nanoseconds(message.header.stamp)
        if not 0 <= stamp <= self._now + self._tolerance:
            ahead = (stamp - self._now) * 1e-9
            raise ObservationError(f"header.stamp: {ahead:.3g} s ahead of this robot's clock")
        age = math.inf if self._motion is None else abs(stamp - self._motion.stamp) * 1e-9
        if age > self._settings.max_odometry_age:
            self._ledger.counts["unused: no odometry of that time"] += 1
            return
        if (
            self._motion.speed > self._settings.max_speed
            or self._motion.turn > self._settings.max_turn
        ):
            self._ledger.counts["unused: moving"] += 1
            return
        if modality == "lidar":
            self._ahead = self._scan_attention(
                self._motion.pose,
                messages.numbers(message.ranges),
                message.angle_min,
                message.angle_increment,
            )
        self._fresh[modality] = Sighting(observation, stamp, self._motion)

    def _tick(self) -> None:
        """Fuse what has come since the last tick, all of one object at once."""
        if not self._listening:
            self._listen()
        fresh, self._fresh = self._fresh, {}
        sets: dict[Target, dict[str, Sighting]] = {}
        for modality, sighting in fresh.items():
            with self._ledger.guard(SENSORS[modality].topic):
                target = self._looked_at(modality, sighting)
                if target is not None and self._worth_sensing(modality, target, sighting):
                    sets.setdefault(target, {})[modality] = sighting
        for target, sightings in sets.items():
            with self._ledger.guard(" + ".join(SENSORS[m].topic for m in sightings)):
                self._fuse(*target, sightings)

    def _looked_at(self, modality: str, sighting: Sighting) -> Target | None:
        """Which object a sensor looks at: of those on the map, else what the LiDAR sees ahead,
        else of those that others told of."""
        gaze, pose = self._settings.gaze(modality), sighting.motion.pose
        places = self._places
        if not places and self._ahead is not None:
            known = self._memory.nearest(self._ahead)
            places = [Target(known.object_id if known else None, self._ahead)]
        places = places or self._memory.objects()
        seen = gaze.limits.looked_at(pose, places)
        if seen is None:
            self._ledger.counts["unused: nothing to look at"] += 1
            return None
        return Target(seen.object_id, seen.position)

    def _worth_sensing(self, modality: str, target: Target, sighting: Sighting) -> bool:
        """Not if it was sensed a moment ago, nor if the model has never seen the like."""
        last = self._last_sensed.get((target.object_id, modality))
        period = int(self._settings.gaze(modality).refresh_period * 1e9)
        if last is not None and last <= sighting.stamp < last + period:
            self._ledger.counts["unused: sensed a moment ago"] += 1
            return False
        surprise = self._engine.surprise(modality, sighting.observation)
        if not surprise <= self._settings.max_surprise:
            self._ledger.drop(
                SENSORS[modality].topic,
                "surprise",
                f"unlike anything the model was trained on ({surprise:.3g} times the error "
                "of its training data)",
            )
            return False
        return True

    def _fuse(
        self, object_id: str | None, position: Position, sightings: Mapping[str, Sighting]
    ) -> None:
        codes = {m: self._engine.observe(m, s.observation) for m, s in sightings.items()}
        stamps = {m: s.stamp for m, s in sightings.items()}
        outcome = self._memory.observe(object_id, position, codes, stamps)
        if outcome.kind == "known":
            self._ledger.counts["unused: not newer than what is held"] += 1
            return
        for modality, stamp in stamps.items():
            self._last_sensed[outcome.embedding.object_id, modality] = stamp
            self._ledger.counts[f"{outcome.kind} {modality}"] += 1
        if outcome.kind == "fused":
            self._writers.publish(outcome.embedding)
        self._classify(outcome.embedding, stamps)

    def _on_embedding(self, message: LatentEmbedding) -> None:
        if message.sender == self._memory.owner:
            self._ledger.counts["embeddings own"] += 1
            return
        outcome = self._memory.receive(messages.embedding(message), self._now)
        self._ledger.counts[f"embeddings {outcome.kind}"] += 1
        if outcome.kind == "known":
            return
        if outcome.kind == "merged":
            self._writers.publish(outcome.embedding)
        self._classify(outcome.embedding, {})

    def _classify(self, embedding: Embedding, looks: Mapping[str, int]) -> None:
        probabilities = self._engine.classify(embedding.mean)
        self._classification.publish(
            messages.classification_message(
                embedding, self._memory.owner, self._engine.classes, probabilities, looks
            )
        )

    def _decode(self, request: Decode.Request, response: Decode.Response) -> Decode.Response:
        try:
            embedding = messages.embedding(request.embedding)
            check(embedding, self._engine, self._now, self._tolerance)
            if request.modality not in self._engine.modalities:
                raise ValueError(
                    f"modality {request.modality!r} is not one of "
                    f"{', '.join(self._engine.modalities)}"
                )
            shown = self._engine.reconstruct(request.modality, embedding.mean)
        except Exception as error:  # the caller is told; the node goes on
            response.success, response.message = False, str(error)
            return response
        response.success, response.shape = True, list(shown.shape)
        response.data = np.ravel(shown).astype(np.float32)
        return response

    def _reset_object(
        self, request: ResetObject.Request, response: ResetObject.Response
    ) -> ResetObject.Response:
        known = self._memory.get(request.object_id)
        response.success = self._memory.reset(request.object_id, self._now)
        if not response.success:
            response.message = f"nothing is held of {request.object_id!r}"
            return response
        self._writers.withdraw(known.object_id)
        for key in [key for key in self._last_sensed if key[0] in known.names]:
            del self._last_sensed[key]
        return response

    def _diagnose(self) -> None:
        ledger, memory = self._ledger, self._memory
        facts = {"state": self._phase, "last error": ledger.last_error}
        if memory is not None:
            facts["robot"] = memory.owner
            facts["fingerprint"] = memory.engine.fingerprint
            held = {embedding.object_id for embedding in memory.objects()}
            facts["objects held"] = len(held)
            self._writers.keep(held)
        news = ledger.dropped > self._dropped_before or (memory is None and ledger.last_error)
        self._dropped_before = ledger.dropped
        level = diagnostics.WARN if news else diagnostics.OK
        summary = ledger.last_error if news else facts["state"]
        self._diagnostics.publish(
            diagnostics.report(self, level, summary, {**facts, **ledger.counts})
        )


def main(args: list[str] | None = None) -> int:
    """Run the node until it is told to stop; returns the exit status."""
    return run(FusionNode, args)


if __name__ == "__main__":
    sys.exit(main())
