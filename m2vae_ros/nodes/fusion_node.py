# SPDX-License-Identifier: Apache-2.0
"""The node of one robot that turns what it senses and what others publish into embeddings.

Of a sensor's message only the header is read until it is known that it counts. Readings of one
object that come within a few milliseconds are fused together, in place, and the embedding and its
classification are published. What others publish is taken in as it comes.
"""

from __future__ import annotations

import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from functools import partial
from typing import Any

import numpy as np
from diagnostic_msgs.msg import DiagnosticArray
from nav_msgs.msg import Odometry
from rclpy.clock import TimeJump
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn
from rclpy.qos import QoSProfile
from rclpy.subscription import Subscription
from rclpy.timer import Timer
from tf2_msgs.msg import TFMessage

from m2vae_ros.fusion.engine import Engine
from m2vae_ros.fusion.imagination import imagine
from m2vae_ros.fusion.memory import ObjectMemory
from m2vae_ros.fusion.onnx_engine import OnnxEngine
from m2vae_ros.fusion.rates import SenderRates
from m2vae_ros.fusion.validation import check
from m2vae_ros.host.resources import weights_folder
from m2vae_ros.msg import LatentEmbedding, ObjectClassification
from m2vae_ros.nodes.fusion_parameters import FusionParameters, SuiteParameters, sensor_groups
from m2vae_ros.robot.attention import ScanAttention
from m2vae_ros.robot.frames import frame_name
from m2vae_ros.robot.perception import WAKING, Dropped, Event, Perception, Unused
from m2vae_ros.robot.placement import Placement
from m2vae_ros.robot.pointing import targets
from m2vae_ros.ros import diagnostics, messages, qos, topics
from m2vae_ros.ros.activity_log import ActivityLog
from m2vae_ros.ros.anti_entropy import DIGESTS, AntiEntropy
from m2vae_ros.ros.clocks import on_jump_back, set_period, steady_clock
from m2vae_ros.ros.drop_log import DropLog
from m2vae_ros.ros.embedding_writers import EMBEDDINGS, EmbeddingWriters
from m2vae_ros.ros.frames import FrameListener
from m2vae_ros.ros.listening import Listening
from m2vae_ros.ros.message_types import message_class
from m2vae_ros.ros.outputs import Outputs
from m2vae_ros.ros.parameters import (
    NO_CHANGES,
    Changes,
    ParameterError,
    check_fixed,
    check_ranges,
    declare,
    follow,
    read,
    undeclare,
)
from m2vae_ros.ros.process import run
from m2vae_ros.ros.senders import Senders, writers_on
from m2vae_ros.ros.sensor_topic import OnDemand, SensorTopic, take_kept
from m2vae_ros.sensors import Modality, SensorSuite
from m2vae_ros.sensors.messages import NANOSECONDS
from m2vae_ros.sensors.sensing_range import Position
from m2vae_ros.srv import Decode, Imagine, ResetObject


class FusionNode(LifecycleNode):
    """The lifecycle of a robot's perception.

    Configured it holds the model and what it knows of the objects, active it takes part. What it
    knows outlives deactivation, and ends with cleanup.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__("fusion", **options)
        declare(self, FusionParameters)
        self._drops = DropLog(self.get_logger())
        self._heard = Listening(self, self._drops.counts)
        self._activity = ActivityLog(self.get_logger(), self._drops.counts)
        self._dropped_before = 0
        self._perception_if_configured: Perception | None = None
        self._timer: Timer | None = None
        self._join: Timer | None = None
        self._writers = EmbeddingWriters(self, EMBEDDINGS)
        self._phase = "unconfigured"
        self._groups_of: SensorSuite | None = None
        # What has to be undone on the way back through the lifecycle.
        self._configured = ExitStack()
        self._activated = ExitStack()
        follow(self, self._become, self._adjust)
        self._jumps = on_jump_back(self, self._on_jump_back)
        self._diagnostics = topics.publisher(self, DiagnosticArray, "/diagnostics", qos.DIAGNOSTICS)
        # Diagnosis must go on when the simulated time stands still.
        self.create_timer(1.0, self._diagnose, clock=steady_clock())

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Read the parameters and the weights."""
        if not self._managed("configured", self._configure):
            self._forget()
            return TransitionCallbackReturn.FAILURE
        self._enter("inactive")
        return super().on_configure(state)

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Subscribe, and tell again what this robot has found out."""
        if not self._managed("activated", self._activate):
            self._activated.close()
            return TransitionCallbackReturn.FAILURE
        self._enter("active")
        return super().on_activate(state)

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Leave every topic; what is known stays."""
        self._activated.close()
        self._enter("inactive")
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

    def _enter(self, phase: str) -> None:
        if phase != self._phase:
            self._phase = phase
            self.get_logger().info(phase)

    def _managed(self, what: str, attempt: Callable[[], None]) -> bool:
        """Whether it worked; if not, the reason is logged, which rclpy would not do."""
        try:
            attempt()
        except Exception as error:
            known = isinstance(error, ValueError | OSError)
            self._drops.last_error = f"{error}" if known else f"{error!r}"
            self.get_logger().error(f"cannot be {what}: {self._drops.last_error}")
            return False
        return True

    def _configure(self) -> None:
        common = read(self, FusionParameters)
        robot = common.robot or self.get_namespace().strip("/")
        if not robot:
            raise ParameterError("parameter robot: is empty, and so is the node's namespace")
        engine = OnnxEngine.load(weights_folder(common.weights), common.device)
        if self._groups_of is not None and self._groups_of != engine.suite:
            undeclare(self, sensor_groups(self._groups_of))  # their defaults are of other weights
        self._groups_of = engine.suite
        declare(self, sensor_groups(engine.suite))
        self._settings = settings = self._read(engine.suite)
        self._frames = FrameListener(self, self._drops)
        placement = Placement(self._frames, common.global_frame, common.base_frame)
        self._perception_if_configured = Perception(engine, robot, settings.perception, placement)
        self._rates = SenderRates(self._perception.memory)
        self._scan_attention = ScanAttention(settings.max_distance or 1.0)
        self._classification = topics.lifecycle_publisher(
            self, ObjectClassification, "classification", qos.EVERY_ONE
        )
        self._configured.callback(self.destroy_lifecycle_publisher, self._classification)
        self._outputs = Outputs(
            self,
            common.outputs,
            self._perception.memory,
            lambda: self._settings.perception.ranges,
            self._drops,
        )
        self._configured.callback(self._outputs.close)
        for kind, name, callback in (
            (Decode, "~/decode", self._decode),
            (Imagine, "~/imagine", self._imagine),
            (ResetObject, "~/reset_object", self._reset_object),
        ):
            service = self.create_service(kind, name, callback)
            self._configured.callback(self.destroy_service, service)
        self._digest = engine.digest
        self.get_logger().info(
            f"{robot} speaks the latent space {engine.fingerprint}, by weights {engine.digest[:16]}"
        )

    def _read(self, suite: SensorSuite, changes: Changes = NO_CHANGES) -> SuiteParameters:
        common = read(self, FusionParameters, changes)
        return SuiteParameters.of(common, suite, read(self, sensor_groups(suite), changes))

    def _become(self, changes: Changes) -> SuiteParameters | None:
        """What a configured node is to go by with these changes."""
        if self._perception_if_configured is None:
            # Whether they go together is seen when all are set, and the node is configured.
            check_ranges(FusionParameters, changes)
            if self._groups_of is not None:
                check_ranges(sensor_groups(self._groups_of), changes)
            return None
        check_fixed(self, FusionParameters, changes)
        return self._read(self._suite, changes)

    def _adjust(self, settings: SuiteParameters | None) -> None:
        if settings is None:
            return
        before, self._settings = self._settings, settings
        self._perception.adjust(settings.perception)
        self._scan_attention = ScanAttention(settings.max_distance or 1.0)
        for name, timer in (("period", self._timer), ("join_time", self._join)):
            if timer is not None and getattr(settings.common, name) != getattr(before.common, name):
                set_period(timer, getattr(settings.common, name))

    def _activate(self) -> None:
        self._perception.begin()
        self._activated.callback(self._writers.close)
        self._writers.open()
        for embedding in self._perception.memory.said():
            self._writers.publish(embedding)
        self._activated.callback(self._heard.end)
        self._activity.begin()
        self._senders = Senders()
        self._listening = False
        if self._now > 0:
            self._listen()
        else:
            self.get_logger().info("waits for the time on /clock")
        common = self._settings.common
        self._timer = self.create_timer(common.period, self._tick)
        # Others join within so long, however fast the simulated time runs.
        self._join = self.create_timer(common.join_time, self._fuse, clock=steady_clock())
        self._join.cancel()
        self._activated.callback(self._end_timers)
        self._outputs.begin()
        self._activated.callback(self._outputs.end)

    def _end_timers(self) -> None:
        for timer in (self._timer, self._join):
            if timer is not None:
                self.destroy_timer(timer)
        self._timer = self._join = None

    def _listen(self) -> None:
        """Subscribe; not before the time is known.

        Until then all that comes is of the future, and what a late joiner receives at once would be
        dropped.
        """
        self._listening = True
        for topic, profile, take in self._frames.sources():
            self._subscribe(TFMessage, topic, take, profile, False)
        self._subscribe(LatentEmbedding, EMBEDDINGS, self._on_embedding, qos.EMBEDDINGS, False)
        self._anti_entropy = AntiEntropy(
            self, DIGESTS, self._perception.memory, self._writers.tell_again, self._drops
        )
        self._activated.callback(self._anti_entropy.close)
        placed = any(sensor.range for sensor in self._settings.sensors.values())
        group = OnDemand(lambda: self._unheard("odom") or self._perception.follows)
        self._odometry = self._subscribe(
            Odometry, "odom", self._on_odometry, qos.TRACK, placed, group
        )
        about = self._suite.about
        if about.kind == "topic":
            said = message_class(about.type)
            self._subscribe(said, about.topic, self._on_target, qos.EVERY_ONE)
        self._sensors: list[tuple[Subscription[Any], Callable[[], bool]]] = []
        by_topic: dict[tuple[str, str], list[Modality]] = defaultdict(list)
        for name in self._settings.sensors:
            by_topic[self._suite[name].topic, self._suite[name].type].append(self._suite[name])
        for modalities in by_topic.values():  # several may take of the same messages
            self._subscribe_to_sensor(modalities)
        self.get_logger().info(f"listens to {', '.join(self._heard.names)}")

    def _subscribe(
        self,
        message: type,
        topic: str,
        callback: Callable[[Any], None],
        profile: QoSProfile,
        needed: bool = True,
        group: OnDemand | None = None,
    ) -> Subscription[Any]:
        made = topics.subscription(self, message, topic, callback, profile, self._drops, group)
        self._expect(made, topic, needed)
        return made

    def _subscribe_to_sensor(self, modalities: list[Modality]) -> None:
        sensor = SensorTopic(modalities)
        topic = modalities[0].topic
        names = [modality.name for modality in modalities]
        take = partial(self._on_sensor, sensor, names)

        def wanted() -> bool:
            return self._unheard(topic) or any(map(self._perception.wants, names))

        profile = qos.TRACK if sensor.every else qos.NEWEST_READING
        group = None if sensor.every else OnDemand(wanted)
        made = topics.serialised_subscription(
            self, sensor.kind, topic, take, profile, self._drops, group
        )
        if group is not None:
            self._sensors.append((made, wanted))
        self._expect(made, topic)

    def _unheard(self, topic: str) -> bool:
        """Whether a message of a topic would show that something comes at all."""
        return f"received {topic}" not in self._drops.counts

    def _expect(self, made: Subscription[Any], topic: str, needed: bool = True) -> None:
        self._activated.callback(self.destroy_subscription, made)
        self._heard.expect(topic, made, needed)

    def _on_jump_back(self, jump: TimeJump) -> None:
        """What waits, and what is known, is of a time that is still to come."""
        if self._perception_if_configured is None:
            return
        keep = self._settings.common.keep_when_time_jumps_back
        self._drops.counts["time jumped back"] += 1
        self.get_logger().warning(
            f"time jumped back by {-jump.delta.nanoseconds / NANOSECONDS:.1f} s, what is known is "
            + ("kept, as older than all that comes" if keep else "forgotten")
        )
        with self._drops.guard("/clock"):
            self._perception.begin_anew(keep)
            if self._phase == "active":
                self._writers.keep(())
                for embedding in self._perception.memory.said():
                    self._writers.publish(embedding)

    def _forget(self) -> None:
        self._activated.close()
        self._configured.close()
        self._perception_if_configured = None
        self._enter("unconfigured")

    @property
    def _now(self) -> int:
        return self.get_clock().now().nanoseconds

    @property
    def _perception(self) -> Perception:
        """Only for what happens while the node is configured."""
        assert self._perception_if_configured is not None
        return self._perception_if_configured

    @property
    def _engine(self) -> Engine:
        return self._perception.memory.engine

    @property
    def _suite(self) -> SensorSuite:
        return self._engine.suite

    @property
    def _memory(self) -> ObjectMemory | None:
        perception = self._perception_if_configured
        return None if perception is None else perception.memory

    def _on_odometry(self, message: Odometry) -> None:
        self._perception.move(messages.motion(message), self._now)
        base = self._settings.common.base_frame or message.child_frame_id
        self._outputs.base_frame = frame_name(base)
        self._fuse_soon()

    def _on_sensor(self, sensor: SensorTopic, modalities: list[str], data: bytes) -> None:
        """Take readings in; of the message nothing but its header is read, unless it is wanted."""
        take_kept(self._odometry)  # of before the reading
        now = self._now
        stamp, frame = sensor.header(data, now)
        if self._frames.is_settling(self._outputs.base_frame, frame):
            self._drops.counts["unused: no transform has come yet"] += 1
            return
        message = sensor.message(data)
        for modality in modalities:
            if frame and self._frames.knows(frame):
                self._outputs.sensor_frames[modality] = frame_name(frame)
            with self._drops.guard(self._suite[modality].topic):  # others are not to blame
                observation = sensor.observation(modality, message, stamp)
                if observation is None:
                    continue
                finds = self._suite[modality].finds_objects
                ahead = partial(self._ahead, message) if finds else None
                clear = partial(self._shows_nothing, message) if finds else None
                self._perception.sense(modality, observation, stamp, now, ahead, frame, clear)
        self._fuse_soon()

    def _ahead(self, message: Callable[[], Any]) -> Position | None:
        """Where a scan shows something, in its own frame."""
        scan = message()
        return self._scan_attention(
            (0.0, 0.0, 0.0), messages.numbers(scan.ranges), scan.angle_min, scan.angle_increment
        )

    def _shows_nothing(self, message: Callable[[], Any], point: Position) -> bool:
        """Whether a scan shows that nothing stands at a place in its own frame."""
        scan = message()
        return self._scan_attention.shows_nothing(
            point, messages.numbers(scan.ranges), scan.angle_min, scan.angle_increment
        )

    def _on_target(self, message: Any) -> None:
        """Take in what the readings are of."""
        named, stamp, frame = targets(message, self._now)
        self._perception.point(named, stamp, self._now, frame)
        self._fuse_soon()

    def _fuse_soon(self) -> None:
        """Fuse what waits, when others that may join had the time to."""
        if self._join is None or not self._perception.waits:
            return
        if not self._perception.expects:
            self._fuse()
        elif self._join.is_canceled():
            self._join.reset()

    def _tick(self) -> None:
        """See to what may have waited long enough."""
        if not self._listening and not self._managed("subscribed", self._listen):
            self.trigger_deactivate()
            return
        take_kept(self._odometry)
        if self._join is None or self._join.is_canceled():  # else it will be soon
            self._fuse()
        for sensor, wanted in self._sensors:  # of before it was wanted
            if wanted():
                take_kept(sensor)

    def _fuse(self) -> None:
        """Fuse what has come and can be placed."""
        if self._join is not None:
            self._join.cancel()
        with self._drops.guard("update"):
            for event in self._perception.update(self._now):
                with self._drops.guard("update"):  # the other objects are not to blame
                    self._report(event)
        if self._timer is not None:  # what is wanted from some time on is waited for from then on
            rest = self._perception.rest(self._now)
            set_period(self._timer, min(self._settings.common.period, max(rest, WAKING)))

    def _on_embedding(self, message: LatentEmbedding) -> None:
        embedding, now = messages.embedding(message), self._now
        receive = partial(self._perception.receive, embedding, now)
        try:
            event = self._rates.take_in(embedding, time.monotonic(), receive)
        except Exception as error:
            if getattr(error, "kind", "") != "rate":  # else it may come again
                self._anti_entropy.heard(embedding, now)
            raise
        self._anti_entropy.heard(embedding, now)
        if event.kind == "disowned":
            self._drops.warn(f"somebody speaks in the name of {embedding.sender}")
        self._report(event)

    def _report(self, event: Event) -> None:
        """Count an event, and publish what others have to know."""
        counts = self._drops.counts
        if isinstance(event, Dropped):
            self._drops.refuse(
                " + ".join(self._suite[m].topic for m in event.modalities), event.error
            )
            return
        if isinstance(event, Unused):
            counts[f"unused: {event.reason}"] += 1
            return
        for what in event.looks or ("embeddings",):
            counts[f"{event.kind} {what}" if event.looks else f"{what} {event.kind}"] += 1
        if event.error is not None:
            self._drops.refuse("classification", event.error)
        for embedding in event.to_publish:
            self._writers.publish(embedding)
        if event.embedding is None:
            return
        self._activity.learnt(event.embedding, self._suite.attributes, event.probabilities)
        if event.probabilities is not None and self._suite.classes:
            self._classification.publish(
                messages.classification_message(
                    event.embedding,
                    self._perception.memory.owner,
                    self._suite,
                    event.probabilities,
                    event.looks,
                )
            )

    def _decode(self, request: Decode.Request, response: Decode.Response) -> Decode.Response:
        try:
            embedding = messages.embedding(request.embedding)
            check(embedding, self._engine, self._now, self._perception.memory.tolerance_ns)
            self._check_modalities([request.modality])
            shown = self._engine.reconstruct(request.modality, embedding.mean)
        except Exception as error:  # reported to the caller; the node goes on
            response.success, response.message = False, str(error)
            return response
        response.success, response.shape = True, list(shown.shape)
        response.data = np.ravel(shown).astype(np.float32)
        return response

    def _imagine(self, request: Imagine.Request, response: Imagine.Response) -> Imagine.Response:
        try:
            held = self._perception.memory.get(request.object_id)
            if held is None:
                raise ValueError(f"nothing is held of {request.object_id!r}")
            self._check_modalities(request.modalities)
            response.readings = [
                messages.imagined_message(
                    self._suite[name], name in held.held, imagine(self._engine, held, name)
                )
                for name in request.modalities or self._engine.modalities
            ]
        except Exception as error:  # reported to the caller; the node goes on
            response.success, response.message = False, str(error)
            return response
        response.success = True
        return response

    def _check_modalities(self, names: Iterable[str]) -> None:
        known = self._engine.modalities
        for name in names:
            if name not in known:
                raise ValueError(f"modality {name!r} is not one of {', '.join(known)}")

    def _reset_object(
        self, request: ResetObject.Request, response: ResetObject.Response
    ) -> ResetObject.Response:
        held = self._perception.reset(request.object_id, self._now)
        response.success = held is not None
        if held is None:
            response.message = f"nothing is held of {request.object_id!r}"
        self._writers.keep({said.object_id for said in self._perception.memory.said()})
        return response

    def _diagnose(self) -> None:
        drops, memory = self._drops, self._memory
        facts: dict[str, Any] = {"state": self._phase, "last error": drops.last_error}
        if memory is not None:
            facts["robot"] = memory.owner
            facts["fingerprint"] = memory.engine.fingerprint
            facts["weights"] = self._digest
            held = {embedding.object_id for embedding in memory.objects()}
            facts["objects held"] = len(held)
            for frame in sorted(self._perception.placement.assumed):
                facts[f"no transform of {frame}"] = "taken to look ahead from the robot's base"
            facts["embeddings held"] = len(memory.statements())
            facts["contradicting embeddings"] = len(memory.quarantined())
            for reason, count in memory.retired().items():
                facts[f"objects retired: {reason}"] = count
            if memory.has_namesake:
                facts["another robot of this name"] = "is heard"
            self._writers.keep({said.object_id for said in memory.said()})
            if self._phase == "active":
                self._activity.look(held)
                facts |= self._look_at_senders(memory)
        waits = self._phase == "active" and not self._listening
        silent = ["/clock"] if waits else self._heard.look()
        news = drops.dropped > self._dropped_before or (memory is None and drops.last_error)
        self._dropped_before = drops.dropped
        level = diagnostics.WARN if news or silent else diagnostics.OK
        silence = f"nothing has come on {', '.join(silent)}" if silent else facts["state"]
        summary = drops.last_error if news else silence
        counts = {**self._heard.counts, **drops.counts}
        self._diagnostics.publish(diagnostics.report(self, level, summary, {**facts, **counts}))

    def _look_at_senders(self, memory: ObjectMemory) -> dict[str, str]:
        newest: dict[str, int] = {}
        for said in memory.statements():
            if said.sender != memory.owner:
                newest[said.sender] = max(said.newest, newest.get(said.sender, 0))
        writers = writers_on(self, EMBEDDINGS)
        return self._senders.look(newest, writers, self._now, memory.tolerance_ns)


def main(args: list[str] | None = None) -> int:
    """Run the node until it is asked to stop; returns the exit status."""
    return run(FusionNode, args)


if __name__ == "__main__":
    sys.exit(main())
