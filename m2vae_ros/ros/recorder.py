# SPDX-License-Identifier: Apache-2.0
"""Records topics to a rosbag2 folder.

Messages are taken as the bytes they came in and handed to a `BagWriter`, which writes them in a
thread of its own. What does not arrive is noticed by the gaps in the numbers that each publisher
gives its messages.
"""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from rclpy.callback_groups import MutuallyExclusiveCallbackGroup
from rclpy.context import Context
from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.subscription import Subscription

from m2vae_ros.bags.types import MessageTypes
from m2vae_ros.bags.writer import BagWriter, Split, Summary
from m2vae_ros.datasets.errors import DataError
from m2vae_ros.ros import bag_qos
from m2vae_ros.ros.clocks import steady_clock
from m2vae_ros.ros.message_types import UnknownType, message_class, message_definition
from m2vae_ros.sensors import SensorSuite
from m2vae_ros.sensors.messages import ODOMETRY


def topics_of(suite: SensorSuite) -> list[str]:
    """What a team publishes; * stands for any robot, also for one without a namespace."""
    sampling, about = suite.sampling, suite.about
    said = [modality.topic for modality in suite.values()]
    said += [topic for topic in (about.topic, sampling.labels) if topic not in ("", "name")]
    pictures = [topic for topic in said if "image" in topic]
    said += [topic[: topic.rfind("/") + 1] + "camera_info" for topic in pictures]
    said += [ODOMETRY.topic, "cmd_vel", "classification"]
    return [
        *(topic if topic.startswith("/") else f"*/{topic}" for topic in dict.fromkeys(said)),
        "/clock",
        "/diagnostics",
        "/embeddings",
        "/tf",
        "/tf_static",
    ]


LOOK_AROUND = 0.1
"""Seconds between two looks for topics that are new."""

OF_EVERY_NODE = ("/parameter_events", "/rosout")
"""Topics that whoever leaves them out does not miss."""

_NO_NUMBER = 2**64 - 1


class Recorder:
    """Records what some topics carry, for as long as the node is spun by whoever has it.

    Attributes:
        domain: the ROS domain it listens to.
        refused: topic -> why it is not recorded, in part or at all.
        left_out: topics that somebody publishes on, and that are none of those asked for.
        missed: topic -> messages that were published but never arrived, going by their numbers.
    """

    def __init__(
        self,
        node: Node,
        folder: Path | str,
        topics: Sequence[str],
        *,
        compression: str = "none",
        split: Split | None = None,
        enclosed: Mapping[str, Path] | None = None,
    ) -> None:
        """Begin; topics are subscribed to as soon as somebody publishes on them.

        Args:
            node: that subscribes; its clock gives the stamps, simulated time if it uses that.
            folder: of the bag; must not be there yet.
            topics: names, or patterns with * and ?.
            compression, split, enclosed: see `BagWriter`.

        Raises:
            DataError, OSError: see `BagWriter`.
        """
        self.domain: int = node.context.get_domain_id()
        self.refused: dict[str, str] = {}
        self.left_out: set[str] = set()
        self.missed: Counter[str] = Counter()
        self._node = node
        self._patterns = [name if name[:1] in "/*" else f"/{name}" for name in topics]
        self._writer = BagWriter(
            Path(folder),
            MessageTypes(message_definition),
            compression=compression,
            split=split,
            enclosed=enclosed,
        )
        self._begin = time.monotonic()
        self._subscriptions: dict[str, Subscription[Any]] = {}
        # Nothing else of the node may hold up what comes in.
        self._group = MutuallyExclusiveCallbackGroup()
        self._timer = node.create_timer(
            LOOK_AROUND, self._look_around, self._group, clock=steady_clock()
        )

    @property
    def messages(self) -> Mapping[str, int]:
        """Topic -> how many messages are written; every topic that is recorded."""
        return {topic: self._writer.messages[topic] for topic in list(self._subscriptions)}

    @property
    def unseen(self) -> list[str]:
        """The names and patterns of topics on which nobody has published so far."""
        seen = [*self._subscriptions, *self.refused]
        return [p for p in self._patterns if not any(fnmatchcase(topic, p) for topic in seen)]

    @property
    def lost(self) -> Mapping[str, int]:
        """Topic -> how many messages did not get into the bag, for whatever reason."""
        return dict(self.missed + self._writer.lost)

    @property
    def size(self) -> int:
        """Bytes of the messages that are written, before compression."""
        return self._writer.size

    @property
    def waiting(self) -> int:
        """Bytes of the messages that wait to be written."""
        return self._writer.waiting

    @property
    def timeless(self) -> bool:
        """Whether simulated time stands at 0 until somebody tells it: no stamp would be of use."""
        return self._node.get_clock().now().nanoseconds == 0

    @property
    def seconds(self) -> float:
        """How long it has been recording."""
        return time.monotonic() - self._begin

    @property
    def error(self) -> BaseException | None:
        """Why nothing more can be written, for instance because the disk is full."""
        return self._writer.error

    def close(self) -> Summary:
        """Take what has arrived, unsubscribe, write what waits, and give the folder its name.

        Nobody may spin the node meanwhile.

        Raises:
            DataError: something could not be written; the message names what there is.
        """
        self._node.destroy_timer(self._timer)
        for subscription in self._subscriptions.values():
            self._take_the_last(subscription)
            self._node.destroy_subscription(subscription)
        return self._writer.close()

    def _take_the_last(self, subscription: Subscription[Any]) -> None:
        """Messages that arrived, but that the executor did not come to."""
        callback: Callable[..., None] = subscription.callback
        with subscription.handle:
            for _ in range(bag_qos.DEEP):  # whoever publishes goes on doing so
                taken = subscription.handle.take_message(subscription.msg_type, subscription.raw)
                if taken is None:
                    break
                callback(*taken)

    def _look_around(self) -> None:
        if self.timeless:
            return
        for topic, types in self._node.get_topic_names_and_types():
            if not any(fnmatchcase(topic, pattern) for pattern in self._patterns):
                if topic not in self.left_out and topic not in OF_EVERY_NODE:
                    self.left_out.update([topic] if self._node.count_publishers(topic) else [])
                continue
            publishers = self._node.get_publishers_info_by_topic(topic)
            offered = [publisher.qos_profile for publisher in publishers]
            if topic in self._subscriptions:
                profile = self._subscriptions[topic].qos_profile
                if not all(bag_qos.hears(profile, other) for other in offered):
                    self._refuse(topic, "a publisher that came later offers less than the others")
            elif offered and topic not in self.refused:
                self._subscribe(topic, types, offered)

    def _subscribe(self, topic: str, types: Sequence[str], offered: Sequence[Any]) -> None:
        if len(types) > 1:
            self._refuse(topic, f"carries several types, {', '.join(types)}")
            return
        try:
            kind = message_class(types[0])
            self._writer.add_topic(topic, types[0], bag_qos.to_bag(offered))
        except (UnknownType, DataError) as error:
            self._refuse(topic, str(error))
            return
        self._subscriptions[topic] = self._node.create_subscription(
            kind,
            topic,
            self._receiver(topic),
            bag_qos.hears_all(offered),
            callback_group=self._group,
            raw=True,
        )

    def _receiver(self, topic: str) -> Callable[[bytes, Mapping[str, Any]], None]:
        newest: dict[bytes, int] = {}
        clock = self._node.get_clock()

        def receive(message: bytes, info: Mapping[str, Any]) -> None:
            self._writer.write(topic, clock.now().nanoseconds, message)
            number, gid = info.get("publication_sequence_number"), info.get("publisher_gid")
            if number in (None, _NO_NUMBER) or gid is None:  # not every DDS, nor every ROS, tells
                return
            publisher = bytes(gid["data"])
            gap = number - newest.get(publisher, number - 1) - 1
            if gap > 0:
                self.missed[topic] += gap
            newest[publisher] = max(number, newest.get(publisher, 0))

        return receive

    def _refuse(self, topic: str, reason: str) -> None:
        if topic not in self.refused:
            self.refused[topic] = reason
            self._node.get_logger().warning(f"{topic}: {reason}")


class RecorderNode(Node):
    """A node that does nothing but record; the bag is whole once it is finished, or destroyed.

    Attributes:
        summary: what came of it, from then on.
    """

    def __init__(
        self,
        folder: Path,
        use_sim_time: bool,
        *,
        context: Context | None = None,
        **recording: Any,
    ) -> None:
        """Begin, in rclpy's own context or another; `recording` is what `Recorder` takes.

        Raises:
            DataError, OSError: see `Recorder`.
        """
        super().__init__(
            f"recorder_{os.getpid()}",  # there may be several
            context=context,
            parameter_overrides=[Parameter("use_sim_time", value=use_sim_time)],
        )
        self.summary: Summary | None = None
        self._recorder: Recorder | None = None
        self._finished = False
        self._recorder = Recorder(self, folder, **recording)

    @property
    def recorder(self) -> Recorder:
        """What it records with."""
        assert self._recorder is not None  # only a node that could not be made has none
        return self._recorder

    def finish(self) -> None:
        """Make the bag whole, the first time; nobody may spin the node meanwhile.

        Raises:
            DataError: something could not be written.
        """
        if self._recorder is not None and not self._finished:
            self._finished = True
            self.summary = self._recorder.close()

    def destroy_node(self) -> None:
        """Finish the bag, too.

        Raises:
            DataError: something could not be written.
        """
        try:
            self.finish()
        finally:
            super().destroy_node()
