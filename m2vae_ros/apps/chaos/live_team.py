# SPDX-License-Identifier: Apache-2.0
"""A team of real fusion nodes whose sensors are played and whose messages go through a relay."""

from __future__ import annotations

import os
import random
import time
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, nullcontext
from dataclasses import dataclass, field, replace
from itertools import islice
from types import TracebackType
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray
from nav_msgs.msg import Odometry
from rclpy.node import Node
from rclpy.serialization import deserialize_message, serialize_message
from rosgraph_msgs.msg import Clock

from m2vae_ros.apps.chaos.attacks import Message, forged
from m2vae_ros.apps.chaos.channel import CLEAN, Channel, Rates
from m2vae_ros.apps.chaos.glimpses import glimpses
from m2vae_ros.apps.chaos.knowledge import Held, Knowledge, disagreements, shortfalls
from m2vae_ros.apps.chaos.mutation import mutated
from m2vae_ros.apps.chaos.relay import EMBEDDINGS, WIRES, Relay, topic_of
from m2vae_ros.bringup.activation import Activation
from m2vae_ros.bringup.processes import BringupError, Processes, environment
from m2vae_ros.bringup.specs import NodeSpec, Robots, fusion, world_objects
from m2vae_ros.fusion.embedding import Embedding
from m2vae_ros.host.domains import own_domain
from m2vae_ros.host.memory import resident
from m2vae_ros.msg import LatentEmbedding, ObjectClassification
from m2vae_ros.ros import qos
from m2vae_ros.ros.beside import AMID_WORK, node_beside
from m2vae_ros.ros.detections import Detection3DArray
from m2vae_ros.ros.message_types import message_class
from m2vae_ros.ros.messages import NANOSECONDS, embedding, embedding_message, stamp
from m2vae_ros.world.suite import AMIRO

START_UP = 60.0
"""Seconds a node has until it is active; a busy machine takes long."""

STAY = 0.5
"""Seconds that a robot stays before an object where nothing tells that it has looked."""

BATCH = 900
"""Messages of an enemy at once; beyond what DDS keeps for a slow reader they would be lost."""

TO_TAKE_IN = 60.0
"""Seconds that robots have to take in a batch."""

RECEIVED = f"received {EMBEDDINGS}"
"""What robots count on /diagnostics, once a second."""


class ChaosError(RuntimeError):
    """The team was not what a scenario starts from; the message says why."""


@dataclass(frozen=True)
class Plan:
    """Which team, and how it talks.

    Attributes:
        robots: with their modalities; those without join late.
        rates: of the channels between them.
        relayed: whether there are channels at all; else all share one topic.
        simulated_time: whether they go by /clock.
        rate: Hz of the readings of those that stand before an object; odometry has twice that.
        parameters: robot -> what its node gets beside the usual.
        place: gives, for a robot, the context in which its node is started.
        seed: of all that is drawn.
    """

    robots: Robots
    rates: Rates = CLEAN
    relayed: bool = True
    simulated_time: bool = False
    rate: float = 5.0
    parameters: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    place: Callable[[str], AbstractContextManager[object]] = nullcontext
    seed: int = 0


class LiveTeam:
    """A context manager: inside, all nodes but the late ones are active.

    Nothing happens by itself: `step`, and all that waits, lets the world go on.

    Attributes:
        objects: that stand in the world.
        facts: robot -> what its node reports on /diagnostics.
        heard: object -> the embedding of the most modalities that was overheard.
    """

    def __init__(self, plan: Plan, says: Callable[[str], None] = lambda words: None) -> None:
        """Describe it.

        Args:
            plan: which team.
            says: called with what happens.

        Raises:
            ChaosError: something is missing to observe it by.
        """
        if Detection3DArray is None:
            raise ChaosError("vision_msgs: is not installed, and robots tell by it what they hold")
        self.plan = plan
        self.says = says
        self.objects = world_objects()
        self.facts: dict[str, dict[str, str]] = defaultdict(dict)
        self.heard: dict[str, Embedding] = {}
        self.specs = {robot: self._spec(robot) for robot in plan.robots}
        self._detections: dict[str, bytes] = {}
        self._read: dict[str, tuple[bytes, Knowledge]] = {}
        self._time_back = 0
        self._before: dict[str, str] = {}
        self._turn = 0
        self._next_turn = 0.0
        self._answered: set[tuple[str, str]] = set()
        self._stack = ExitStack()
        self._publishers: dict[tuple[str, str], Any] = {}
        self._activations: dict[str, Activation] = {}

    def __enter__(self) -> LiveTeam:
        try:
            self._start()
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.close()

    @property
    def now(self) -> int:
        """The team's time, nanoseconds."""
        return time.time_ns() - self._time_back

    @property
    def running(self) -> list[str]:
        """The robots whose nodes run."""
        names = self.processes.pids()
        return [robot for robot, spec in self.specs.items() if spec.full_name in names]

    @property
    def refused(self) -> Counter[str]:
        """Messages that the running nodes dropped, by reason."""
        counts: Counter[str] = Counter()
        for robot in self.running:
            for fact, value in self.facts[robot].items():
                if fact.startswith("dropped "):
                    counts[fact.partition(": ")[2]] += int(value)
        return counts

    def step(self) -> None:
        """Let something happen, for a moment."""
        self._play()
        self._executor.spin_once(timeout_sec=0.01)
        self.relay.deliver(time.monotonic())

    def until(self, condition: Callable[[], object], patience: float) -> float | None:
        """The seconds until a condition holds; None if it does not in time."""
        begin = time.monotonic()
        while not condition():
            if time.monotonic() - begin > patience:
                return None
            self.step()
        return time.monotonic() - begin

    def settle(self, seconds: float) -> None:
        """Let things happen for so long."""
        self.until(lambda: False, seconds)

    def held(self, robot: str) -> Knowledge:
        """What a robot says it holds; nothing if it does not run."""
        data = self._detections.get(robot)
        if data is None:
            return {}
        read = self._read.get(robot)
        if read is None or read[0] is not data:  # thousands of objects take long to read
            message = deserialize_message(data, Detection3DArray)
            read = self._read[robot] = data, {each.id: _held(each) for each in message.detections}
        return read[1]

    def shortfalls(self, *robots: str) -> list[str]:
        """What of the truth does not stand, and on which of these robots, or all that run."""
        return [
            f"{robot}: {words}"
            for robot in robots or self.running
            for words in shortfalls(self.objects, self.held(robot))
        ]

    def disagreements(self) -> list[str]:
        """Which running robots do not hold the very same."""
        return disagreements({robot: self.held(robot) for robot in self.running})

    def counted(self, robot: str, *facts: str) -> int:
        """The sum of counts that a node reports."""
        return sum(int(self.facts[robot].get(fact, 0)) for fact in facts)

    @property
    def played(self) -> int:
        """How often those that stand got a reading."""
        return (self._turn + 1) // 2

    def memory(self) -> dict[str, int]:
        """Bytes of memory of each node, by its full name."""
        return {name: resident(pid) for name, pid in self.processes.pids().items()}

    def start(self, *robots: str) -> None:
        """Start and activate nodes.

        Raises:
            BringupError: one did not become active.
        """
        for robot in robots:
            if self.plan.relayed:
                self.relay.join(robot)
            with self.plan.place(robot):
                self.processes.start(self.specs[robot])
        waiting = set(robots)
        deadline = time.monotonic() + START_UP
        while waiting:
            self.step()
            self.processes.check()
            waiting = {robot for robot in waiting if not self._activations[robot].step()}
            for robot in waiting:
                spec = self.specs[robot]
                if self._activations[robot].refused or time.monotonic() > deadline:
                    words = self.processes.last_words(spec)
                    raise BringupError(f"{spec.full_name} did not become active{words}")

    def kill(self, robot: str) -> None:
        """End a node by SIGKILL."""
        self.processes.kill(self.specs[robot])
        self.leave(robot)
        if self.plan.relayed:
            self.relay.leave(robot)
        self._detections.pop(robot, None)
        self.facts.pop(robot, None)

    def explore(
        self, patience: float = 60.0, only: Mapping[str, Sequence[str]] | None = None
    ) -> None:
        """Let each robot look at each object until it has sensed it.

        Args:
            patience: seconds.
            only: robot -> the names of the objects that it looks at; all of them by default.

        Raises:
            ChaosError: one could not in time.
        """
        self._answered.clear()
        order = random.Random(f"{self.plan.seed} explore")
        names = [item.name for item in self.objects]
        of = {robot: only[robot] if only else names for robot in self._sensing}
        waiting = {robot: deque(order.sample(at, len(at))) for robot, at in of.items()}

        def done() -> bool:
            for robot, left in waiting.items():
                while left and (robot, left[0]) in self._answered:
                    left.popleft()
                if left:
                    self.stand(robot, left[0])
                else:
                    self.leave(robot)
            return not any(waiting.values())

        if self.until(done, patience) is None:
            left = ", ".join(f"{robot} {len(of)}" for robot, of in waiting.items() if of)
            raise ChaosError(f"not all objects were sensed in {patience:g} s, left are: {left}")

    def look_again(self, patience: float = 15.0) -> list[str]:
        """Let each robot look as often as there are objects; the robots whose looks do not count.

        A look counts if it is fused, or confirms what is held.
        """
        before = {robot: self.looks(robot) for robot in self._sensing}
        begin = time.monotonic()

        def deaf() -> list[str]:
            wanted = len(self.objects)
            return [r for r, looks in before.items() if self.looks(r) < looks + wanted]

        def done() -> bool:
            number = int((time.monotonic() - begin) / STAY) % len(self.objects)
            for robot in before:
                self.stand(robot, self.objects[number].name)
            return not deaf()

        self.until(done, patience)
        self.leave(*before)
        return deaf()

    def stand(self, robot: str, name: str) -> None:
        """Let a robot stand before an object, and its sensors read, from now on."""
        self._before[robot] = name

    def leave(self, *robots: str) -> None:
        """Let robots be nowhere, and sense nothing, from now on."""
        for robot in robots:
            self._before.pop(robot, None)

    def attack(self, enemy: str, messages: Iterable[Message]) -> bool:
        """Let an enemy join, and say something to every robot, no faster than they take it in.

        Returns:
            Whether they took it in within `TO_TAKE_IN`.
        """
        self.relay.join(enemy)
        before = {robot: self.counted(robot, RECEIVED) for robot in self.running}
        count = 0

        def taken_in() -> bool:
            return all(self.counted(r, RECEIVED) >= n + count for r, n in before.items())

        left = iter(messages)
        while batch := list(islice(left, BATCH)):
            for message in batch:
                data = message if isinstance(message, bytes) else _bytes(message)
                for robot in before:
                    self.relay.say(enemy, robot, data)
            count += len(batch)
            if self.until(taken_in, TO_TAKE_IN) is None:
                return False
        return True

    def clock_back(self, seconds: float) -> None:
        """Set the simulated time back."""
        self._time_back += int(seconds * NANOSECONDS)

    def overheard_all(self) -> bool:
        """Whether of every object an embedding was overheard that has all the team's sensors."""
        sensors = {m for robot in self._sensing for m in self.plan.robots[robot]}
        heard = [self.heard.get(item.name) for item in self.objects]
        return all(told is not None and told.held.keys() >= sensors for told in heard)

    @property
    def _sensing(self) -> list[str]:
        return [robot for robot in self.running if self.plan.robots[robot]]

    def looks(self, robot: str) -> int:
        """How many looks of a robot counted: they were fused, or confirm what is held."""
        kinds = ("fused", "confirmed")
        names = [f"{kind} {m}" for kind in kinds for m in self.plan.robots[robot]]
        return self.counted(robot, *names)

    def _spec(self, robot: str) -> NodeSpec:
        topics = WIRES if self.plan.relayed else ()
        remapped = tuple((topic, topic_of(robot, topic)) for topic in topics)
        spec = fusion(
            robot,
            self.plan.robots[robot],
            objects=self.objects,
            use_sim_time=self.plan.simulated_time,
            remappings=remapped,
        )
        parameters = {
            # the sensors are played by one process for all, which may be late
            "odometry_tolerance": 5.0,
            "outputs": {"markers": False, "decoded": False, "period": 0.1},
            **{modality: {"refresh_period": 0.0} for modality in AMIRO},
            **self.plan.parameters.get(robot, {}),
        }
        return replace(spec, parameters={**spec.parameters, **parameters})

    def _start(self) -> None:
        self.says("renders what the sensors see")
        self._glimpses = glimpses(self.plan.seed)
        self._stack.enter_context(own_domain())
        os.environ.update(environment())
        made = node_beside(lambda context: Node("chaos", context=context), AMID_WORK)
        self._node, self._executor = self._stack.enter_context(made)
        self.relay = Relay(self._node, self.specs, self._channel, self._overhear)
        self._stack.callback(self.relay.close)
        self._watch()
        self.processes = self._stack.enter_context(Processes(()))
        early = [robot for robot, modalities in self.plan.robots.items() if modalities]
        self.says(f"{len(early)} nodes start")
        self.start(*early)

    def _watch(self) -> None:
        node = self._node
        node.create_subscription(
            DiagnosticArray, "/diagnostics", self._on_diagnostics, qos.EVERY_ONE
        )
        for robot, spec in self.specs.items():

            def detected(data: bytes, robot: str = robot) -> None:
                self._detections[robot] = data

            def classified(message: ObjectClassification, robot: str = robot) -> None:
                if message.sensed:
                    self._answered.update((robot, name) for name in self._at(message.position))

            node.create_subscription(
                Detection3DArray, f"/{robot}/detections", detected, qos.WHOLE_STATE, raw=True
            )
            node.create_subscription(
                ObjectClassification, f"/{robot}/classification", classified, qos.EVERY_ONE
            )
            self._activations[robot] = Activation(node, spec)
            self._publishers[robot, "odom"] = node.create_publisher(
                Odometry, f"/{robot}/odom", qos.STATE
            )
            for name in self.plan.robots[robot]:
                kind, topic = message_class(AMIRO[name].type), f"/{robot}/{AMIRO[name].topic}"
                made = node.create_publisher(kind, topic, qos.NEWEST_READING)
                self._publishers[robot, name] = made
        if self.plan.simulated_time:
            clock = node.create_publisher(Clock, "/clock", qos.CLOCK)
            node.create_timer(0.05, lambda: clock.publish(Clock(clock=stamp(self.now))))

    def _play(self) -> None:
        """Publish what is due of those that stand: odometry, every other time after a reading."""
        now = time.monotonic()
        if now < self._next_turn:
            return
        self._next_turn = max(self._next_turn + 0.5 / self.plan.rate, now)
        self._turn += 1
        for robot, name in self._before.items():
            for modality in self.plan.robots[robot]:
                glimpse = self._glimpses[name, modality]
                if self._turn % 2:
                    self._publish(robot, modality, glimpse.reading)
                self._publish(robot, "odom", glimpse.odometry)

    def _publish(self, robot: str, what: str, message: Any) -> None:
        message.header.stamp = stamp(self.now)
        self._publishers[robot, what].publish(message)

    def _at(self, place: Any) -> list[str]:
        return [
            item.name
            for item in self.objects
            if abs(item.x - place.x) < 0.3 and abs(item.y - place.y) < 0.3
        ]

    def _on_diagnostics(self, message: DiagnosticArray) -> None:
        for status in message.status:
            robot = status.hardware_id
            if robot in self.specs:
                self.facts[robot] = {item.key: item.value for item in status.values}

    def _channel(self, source: str, robot: str, topic: str) -> Channel:
        generator = random.Random(f"{self.plan.seed} {source} {robot} {topic}")
        # what is forged are embeddings
        rates = self.plan.rates if topic == EMBEDDINGS else replace(self.plan.rates, forged=0.0)
        return Channel(rates, generator, mutated, self._forge)

    def _forge(self, data: bytes, generator: random.Random) -> bytes:
        """A lie about an object that was overheard, with another one as its pattern."""
        heard = list(self.heard.values())
        one, other = generator.choice(heard), generator.choice(heard)
        return _bytes(forged(one, other, generator))

    def _overhear(self, robot: str, data: bytes) -> None:
        told = embedding(deserialize_message(data, LatentEmbedding))
        known = self.heard.get(told.object_id)
        if known is None or len(told.held) >= len(known.held):
            self.heard[told.object_id] = told


def _bytes(told: Embedding) -> bytes:
    data: bytes = serialize_message(embedding_message(told))
    return data


def _held(detection: Any) -> Held:
    likeliest = max(detection.results, key=lambda r: r.hypothesis.score, default=None)
    place = detection.bbox.center.position
    return Held(
        likeliest.hypothesis.class_id if likeliest else "",
        likeliest.hypothesis.score if likeliest else 0.0,
        (place.x, place.y, place.z),
    )
