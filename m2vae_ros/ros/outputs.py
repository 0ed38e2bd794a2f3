# SPDX-License-Identifier: Apache-2.0
"""What a robot knows in standard messages: detections, markers, and decoded pictures.

Each message says all there is to say. It is published when that has changed and to who joins, and
nothing is done for a topic to which nobody listens.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from rclpy.lifecycle import LifecycleNode, LifecyclePublisher
from rclpy.node import Node
from sensor_msgs.msg import Image
from visualization_msgs.msg import MarkerArray

from m2vae_ros.fusion.belief import Belief
from m2vae_ros.fusion.embedding import Embedding
from m2vae_ros.fusion.memory import ObjectMemory
from m2vae_ros.ros import qos, topics
from m2vae_ros.ros.clocks import steady_clock
from m2vae_ros.ros.detections import Detection3DArray, detection_array
from m2vae_ros.ros.drop_log import DropLog
from m2vae_ros.ros.images import image_message
from m2vae_ros.ros.markers import MarkerIds, marker_array
from m2vae_ros.ros.messages import stamp
from m2vae_ros.ros.parameters import parameter
from m2vae_ros.sensors.sensing_range import SensingRange
from m2vae_ros.sensors.view import PictureView

Ranges = Mapping[str, SensingRange | None]
_Scene = tuple[list[Embedding], Mapping[str, str], Ranges]


@dataclass(frozen=True)
class OutputParameters:
    """What is published beside the package's own messages."""

    detections: bool = parameter(
        True, "Objects as vision_msgs/Detection3DArray, where that is installed.", fixed=True
    )
    markers: bool = parameter(True, "Objects and fields of view as markers.", fixed=True)
    decoded: bool = parameter(
        True,
        "What each camera would see of the object that was sensed last, as an image.",
        fixed=True,
    )
    object_size: float = parameter(
        0.2,
        "Metres, of the boxes and markers of objects.",
        minimum=0.001,
        maximum=1000.0,
        fixed=True,
    )
    period: float = parameter(
        0.5,
        "Seconds from one of these messages to the next.",
        minimum=0.05,
        maximum=60.0,
        fixed=True,
    )


class Outputs:
    """The standard topics of a fusion node, from its configuration to its clean-up.

    Attributes:
        base_frame: that moves with the robot; "" until it is known.
        sensor_frames: modality -> that of its sensor; the robot's, unless it is known.
    """

    def __init__(
        self,
        node: LifecycleNode,
        parameters: OutputParameters,
        memory: ObjectMemory,
        ranges: Callable[[], Ranges],
        drops: DropLog,
    ) -> None:
        """Make the publishers that the parameters say.

        Args:
            node: that publishes.
            parameters: what, and how often.
            memory: what is known.
            ranges: gives for each modality of the robot from where its sensor looks at objects.
            drops: where it is said what cannot be published.
        """
        self.base_frame = ""
        self.sensor_frames: dict[str, str] = {}
        self._node = node
        self._parameters = parameters
        self._memory = memory
        self._suite = memory.engine.suite
        self._ranges = ranges
        self._drops = drops
        self._active = False
        self._ids = MarkerIds()
        self._beliefs: dict[str, Belief] = {}
        self._topics: list[_StateTopic] = []
        with ExitStack() as undone:  # if one of them cannot be made
            undone.callback(self.close)
            self._make_topics()
            undone.pop_all()

    def _make_topics(self) -> None:
        node, suite, parameters = self._node, self._suite, self._parameters
        stands = suite.about.placed  # what has only a name is nowhere
        if parameters.detections and stands:
            if Detection3DArray is None:
                node.get_logger().info("vision_msgs is not installed: no detections are published")
            else:
                self._add(Detection3DArray, "detections", self._held, self._detections)
        if parameters.markers and stands:
            self._add(MarkerArray, "markers", self._scene, self._markers)
        for name, view in suite.views.items():
            if parameters.decoded and isinstance(view, PictureView):
                decode = partial(self._decoded, name, view)
                self._add(Image, f"decoded/{name}", self._newest, decode)

    def begin(self) -> None:
        """Publish from now on."""
        self._active = True
        # Who looks at it does so in real time, however the simulated one goes.
        self._timer = self._node.create_timer(
            self._parameters.period, self._publish, clock=steady_clock()
        )

    def end(self) -> None:
        """Say that nothing is held any more, and be silent from now on."""
        self._node.destroy_timer(self._timer)
        self._active = False
        self._publish(at_once=True)

    def close(self) -> None:
        """Destroy the publishers."""
        for topic in self._topics:
            self._node.destroy_lifecycle_publisher(topic.publisher)
        self._topics.clear()

    def _add(
        self,
        kind: type[Any],
        name: str,
        state: Callable[[], Any],
        message: Callable[[Any, bool], Any],
    ) -> None:
        publisher = topics.lifecycle_publisher(self._node, kind, name, qos.WHOLE_STATE)
        self._topics.append(_StateTopic(name, publisher, state, message))

    def _publish(self, at_once: bool = False) -> None:
        for topic in self._topics:
            with self._drops.guard(topic.name):  # the others are not to blame
                topic.publish(self._node, at_once)

    def _held(self) -> list[Embedding]:
        return self._memory.objects() if self._active else []

    def _scene(self) -> _Scene:
        ranges = self._ranges()
        frames = {name: self.sensor_frames.get(name, self.base_frame) for name in ranges}
        return self._held(), frames if self._active else {}, ranges

    def _newest(self) -> Embedding | None:
        return max(self._held(), key=lambda embedding: embedding.newest, default=None)

    def _detections(self, held: Sequence[Embedding], joined: bool) -> Any:
        return detection_array(
            self._memory.frame,
            self._believed(held),
            self._suite.classes,
            self._parameters.object_size,
            self._node.get_clock().now().nanoseconds,
        )

    def _markers(self, scene: _Scene, joined: bool) -> MarkerArray:
        held, frames, ranges = scene
        return marker_array(
            self._memory.owner,
            self._memory.frame,
            self._ids.assign(self._believed(held)),
            self._suite.attributes,
            self._parameters.object_size,
            frames,
            ranges,
            anew=joined,
        )

    def _decoded(
        self, modality: str, view: PictureView, newest: Embedding | None, joined: bool
    ) -> Image | None:
        """What a sensor would see of an object, whose id stands for the frame it is seen from."""
        if newest is None:
            return None
        seen = self._memory.engine.reconstruct(modality, newest.mean)
        message = image_message(view.picture(seen))
        message.header.stamp = stamp(newest.newest)
        message.header.frame_id = newest.object_id
        return message

    def _believed(self, held: Sequence[Embedding]) -> list[Belief]:
        """What each object is taken for; only what has changed is classified."""
        before = self._beliefs
        self._beliefs = {}
        for embedding in held:
            known = before.get(embedding.object_id)
            if known is None or known.embedding is not embedding:
                known = self._classified(embedding)
            self._beliefs[embedding.object_id] = known
        return list(self._beliefs.values())

    def _classified(self, embedding: Embedding) -> Belief:
        try:
            return Belief(embedding, self._memory.engine.classify(embedding.mean))
        except Exception as error:  # the other objects are not to blame
            self._drops.refuse("classification", error)
            return Belief(embedding, np.empty(0))


class _StateTopic:
    """A topic whose messages say all there is to say.

    It is published when that has changed, and to who joins: viewers mostly do not ask for what was
    said before. Nothing is done while nobody listens, and never does it take more than a tenth of
    the time: the robot has to sense meanwhile.
    """

    def __init__(
        self,
        name: str,
        publisher: LifecyclePublisher[Any],
        state: Callable[[], Any],
        message: Callable[[Any, bool], Any],
    ) -> None:
        """Of a publisher.

        Args:
            name: of the topic.
            publisher: of the topic.
            state: gives what there is to say; equal if that is the same.
            message: makes a message of it, or None; is told whether somebody may have joined.
        """
        self.name = name
        self.publisher = publisher
        self._state = state
        self._message = message
        self._said: Any = None
        self._audience: tuple[int, frozenset[tuple[int, ...]]] | None = None
        self._rested = 0.0

    def publish(self, node: Node, at_once: bool = False) -> None:
        """Publish if there is reason to, and `at_once` even if much was published a moment ago."""
        begin = time.monotonic()
        if begin < self._rested and not at_once:
            return
        count = self.publisher.get_subscription_count()
        if not count:
            self._audience = None
            return
        infos = node.get_subscriptions_info_by_topic(self.publisher.topic_name)
        # Not the names alone: one who left and came back is new, and so is who is connected late.
        audience = (count, frozenset(tuple(info.endpoint_gid) for info in infos))
        state = self._state()
        joined = audience != self._audience
        if not joined and state == self._said:
            return
        self._audience, self._said = audience, state
        try:
            message = self._message(state, joined)
            if message is not None:
                self.publisher.publish(message)
        finally:
            end = time.monotonic()
            self._rested = end + 9.0 * (end - begin)
