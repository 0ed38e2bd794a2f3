# SPDX-License-Identifier: Apache-2.0
"""What one robot perceives: which of its readings count, of which object, and what it then knows.

Readings, odometry and the embeddings of others go in with their times; events come out. A node
feeds it from topics, a simulation or a test by itself: there is no clock and no thread in here.

A reading counts if it is known what it is of, if the robot has not sensed that with that sensor a
moment ago, and if the model has seen the like in training. What it is of, the suite says: of an
object that the robot stood before when it was taken (`Track`, `Placement`), of the robot itself, or
of what somebody names (`point`). Where a robot stood is known only when there is odometry of after
the reading, and where that is only when transforms tell it: until then it waits.
"""

from __future__ import annotations

import math
from bisect import bisect_right, insort_right
from collections import deque
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from operator import itemgetter
from typing import Any, NamedTuple

import numpy as np

from m2vae_ros.fusion.embedding import Embedding
from m2vae_ros.fusion.engine import FAMILIAR, Engine
from m2vae_ros.fusion.memory import MIN_GAIN, ObjectMemory, Outcome
from m2vae_ros.robot.frames import NoTransform
from m2vae_ros.robot.odometry import (
    Moving,
    OdometryToCome,
    Standing,
    Track,
    Unplaced,
    UnusedReading,
)
from m2vae_ros.robot.placement import Placement, point_at, pose_of
from m2vae_ros.sensors import About, ObservationError
from m2vae_ros.sensors.messages import NANOSECONDS, Motion
from m2vae_ros.sensors.sensing_range import Position, SensingRange

MOST_WAITING = 32
"""Readings of one sensor that wait for odometry at the same time."""

MOST_UNREAD = 4
"""Readings of one sensor that wait as they came: as messages, which are large."""

WAKING = 0.005
"""Seconds for which a sensor is wanted before its next reading may count, to be waited for then."""

LEAST_PATIENCE = 2.0
"""Seconds that a reading waits for odometry, and odometry for readings, at least."""

STRAYS = 3
"""Odometry of long ago, one after the other, that show that time began anew: less is a mistake."""

A_MOMENT_AGO = "sensed a moment ago"
NOTHING_THERE = "nothing stands there any more"
NO_ODOMETRY = "no odometry of that time"

LOOKS_AT_NOTHING = 3
"""Readings one after the other that show nothing where an object was: a single one may be wrong."""

MOST_REMEMBERED = 4096
"""Pairs of object and sensor of which the last look is remembered."""


class Target(NamedTuple):
    """An object and its place; without a name it is whatever stands there.

    The deviation is the standard one of the place, metres; 0 if it is not known.
    """

    object_id: str | None
    position: Position
    deviation: float = 0.0


@dataclass(frozen=True)
class Settings:
    """The rules of one robot's perception.

    Attributes:
        ranges: modality -> from where its sensor looks at an object, those of this robot; None if
            its readings are not of objects that stand somewhere.
        about: what readings are of.
        finders: those of them whose readings show where something stands ahead.
        refresh_periods: modality -> seconds until an object is sensed again.
        places: where objects are known to be; without any, they are found by the LiDAR or
            published by others.
        gate: metres between two places that are one object, at most.
        place_noise: metres, the standard deviation of where a reading shows an object.
        standing: when the robot stands.
        max_surprise: see `Encoding`; a reading beyond it does not replace one of something known,
            and where the model cannot tell the unknown it is not believed at all.
        min_gain: see `ObjectMemory`.
        stamp_tolerance: seconds that a stamp may lie in the future.
        forget_after: seconds since anybody has sensed an object until it is retired; 0 for never.
    """

    ranges: Mapping[str, SensingRange | None]
    about: About = About()
    finders: Collection[str] = ()
    refresh_periods: Mapping[str, float] = field(default_factory=dict)
    places: Sequence[Target] = ()
    gate: float = 0.3
    place_noise: float = 0.03
    standing: Standing = Standing()
    max_surprise: float = 2.0
    min_gain: float = MIN_GAIN
    stamp_tolerance: float = 0.5
    forget_after: float = 0.0


@dataclass(frozen=True)
class Learnt:
    """Something came of an object: a look of this robot's own, or an embedding of another.

    Attributes:
        kind: see `Outcome`.
        looks: modality -> time (ns) of the readings, if it was a look.
        embedding: what is now held of the object, if anything.
        probabilities: of each class, if `embedding` was not known before.
        error: why there are none, if the classifier failed.
        to_publish: what others have to know.
    """

    kind: str
    looks: Mapping[str, int]
    embedding: Embedding | None
    probabilities: np.ndarray | None = None
    error: Exception | None = None
    to_publish: tuple[Embedding, ...] = ()


@dataclass(frozen=True)
class Unused:
    """A reading that is fit, but not used, and why."""

    modality: str
    reason: str


@dataclass(frozen=True)
class Dropped:
    """Readings that do not fit, and why."""

    modalities: tuple[str, ...]
    error: Exception


Event = Learnt | Unused | Dropped


class _Reading:
    """A reading of which nothing is worked out before it is wanted, and then once."""

    def __init__(
        self,
        observation: np.ndarray | Callable[[], np.ndarray],
        stamp: int,
        came: int,
        ahead: Callable[[], Position | None] | Position | None,
        frame: str | None,
        clear: Callable[[Position], bool] | None = None,
    ) -> None:
        self.stamp = stamp
        self.came = came
        self.frame = frame
        self.clear = clear
        self._parts: list[Any] = [observation, ahead]

    @property
    def observation(self) -> np.ndarray:
        """What the model takes."""
        found: np.ndarray = self._part(0)
        return found

    @property
    def ahead(self) -> Position | None:
        """Where it shows an object, in the sensor's frame."""
        found: Position | None = self._part(1)
        return found

    def settle(self) -> None:
        """Let go of the message; what is wrong with it is said when it is wanted."""
        for part in range(len(self._parts)):
            with suppress(Exception):
                self._part(part)

    def _part(self, part: int) -> Any:
        if callable(self._parts[part]):
            try:
                self._parts[part] = self._parts[part]()
            except Exception as error:
                self._parts[part] = error
        if isinstance(self._parts[part], Exception):
            raise self._parts[part]
        return self._parts[part]


class _Pointed(NamedTuple):
    """What readings are of from a time on, in whose frame the places are."""

    stamp: int
    targets: Sequence[Target]
    frame: str | None


class Perception:
    """One robot. Whatever a method raises, nothing held has changed. Not for several threads.

    Attributes:
        memory: what it knows of all objects.
        placement: where its sensors are.
    """

    def __init__(
        self,
        engine: Engine,
        robot: str,
        settings: Settings,
        placement: Placement | None = None,
    ) -> None:
        """Start with nothing known.

        Args:
            engine: runs the model.
            robot: its name.
            settings: its rules.
            placement: where its sensors are; by default on the robot, which odometry places.

        Raises:
            ValueError: an empty name, or a setting out of range.
        """
        self.placement = placement or Placement()
        self.memory = ObjectMemory(
            engine,
            robot,
            settings.gate,
            frame=self.placement.global_frame,
            tolerance_ns=int(settings.stamp_tolerance * NANOSECONDS),
            min_gain=settings.min_gain,
            by_place=settings.about.by_place,
            forget_after_ns=int(settings.forget_after * NANOSECONDS),
        )
        self._engine = engine
        self._settings = settings
        self._last_looks: dict[tuple[str, str], int] = {}
        self._at_nothing: dict[tuple[str, str], int] = {}  # looks, one after the other
        self.begin()

    def adjust(self, settings: Settings) -> None:
        """Go by other rules from now on; nothing that is held or waits is lost.

        Args:
            settings: of the same sensors, about the same.

        Raises:
            ValueError: a setting is out of range, or one of those changes.
        """

        def fixed(of: Settings) -> object:
            return of.about, set(of.ranges)

        if fixed(settings) != fixed(self._settings):
            raise ValueError("about and the sensors of ranges cannot change")
        self.memory.adjust(
            settings.gate,
            int(settings.stamp_tolerance * NANOSECONDS),
            settings.min_gain,
            int(settings.forget_after * NANOSECONDS),
        )
        self._settings = settings
        self._rests.clear()
        self._track.standing, self._track.keep = settings.standing, self._patience

    @property
    def _patience(self) -> float:
        """Seconds that a reading waits for odometry, and odometry for readings."""
        return max(LEAST_PATIENCE, 2 * self._settings.standing.tolerance)

    @property
    def _spacing(self) -> float:
        """Nanoseconds between readings that wait.

        So close together that one of them lies between two odometries, whatever the rates are.
        """
        tolerance = self._settings.standing.tolerance
        return min(LEAST_PATIENCE / MOST_WAITING, tolerance / 2) * NANOSECONDS

    def begin(self) -> None:
        """Begin to sense: what waited, and where the robot was, is forgotten; objects are not."""
        self._track = Track(self._settings.standing, self._patience)
        self._waiting: dict[str, deque[_Reading]] = {
            m: deque(maxlen=MOST_WAITING) for m in self._settings.ranges
        }
        self._ahead: Position | None = None
        self._deviation = 0.0
        self._empty: set[str | None] = set()
        self._at_nothing.clear()
        self._unplaced: list[Unused] = []
        self._rests: dict[str, tuple[int, int]] = {}
        self._soon = 0
        self._moves = False
        self._strays = 0
        self._pointed: list[_Pointed] = []

    def begin_anew(self, keep: bool) -> None:
        """Time began anew, see `ObjectMemory.begin_anew`; what waited is forgotten."""
        self.begin()
        self._last_looks.clear()
        self.memory.begin_anew(keep)

    def point(
        self, targets: Sequence[Target], stamp: int, now: int, frame: str | None = None
    ) -> None:
        """Take in what the readings are of from a time on, where somebody says so.

        Args:
            targets: each with a name, a place, or both; of several the one in range counts.
            stamp: from when on, nanoseconds.
            now: this robot's time, nanoseconds.
            frame: of the places; None if there are none, or in the team's frame.

        Raises:
            ObservationError: the stamp is negative or lies in the future.
        """
        self._check_stamp(stamp, now)
        if self._pointed and stamp < self._pointed[-1].stamp - NANOSECONDS:
            self._pointed.clear()  # time began anew
        insort_right(self._pointed, _Pointed(stamp, targets, frame), key=itemgetter(0))
        del self._pointed[:-MOST_WAITING]

    def move(self, motion: Motion, now: int) -> None:
        """Take in where the robot is.

        Args:
            motion: what odometry says.
            now: this robot's time, nanoseconds.

        Raises:
            ObservationError: the stamp is negative or lies in the future.
        """
        self._check_stamp(motion.stamp, now)
        newest = self._track.newest
        if newest is not None and motion.stamp < newest - NANOSECONDS:
            self._strays += 1
            if self._strays < STRAYS:
                return
            self.begin()
        self._strays = 0
        self._track.add(motion)
        self._moves = self._track.moves
        self._wake(now)

    def sense(
        self,
        modality: str,
        observation: np.ndarray | Callable[[], np.ndarray],
        stamp: int,
        now: int,
        ahead: Callable[[], Position | None] | Position | None = None,
        frame: str | None = None,
        clear: Callable[[Position], bool] | None = None,
    ) -> None:
        """Take in a reading, for the next `update`.

        Args:
            modality: of this robot's.
            observation: in the shape of the modality's view; or what makes it, and is called only
                if the reading counts. What that raises is an event of `update`.
            stamp: when it was taken, nanoseconds.
            now: this robot's time, nanoseconds.
            ahead: where the reading itself shows an object, in the sensor's frame, if it can; or
                what finds that, and is called only if it matters.
            frame: the sensor's; None for the robot's own.
            clear: says whether the reading shows that nothing stands at a place in the sensor's
                frame, if it can.

        Raises:
            ObservationError: the stamp is negative or lies in the future.
        """
        self._check_stamp(stamp, now)
        if self._rests_at(modality, stamp) and not self._shows(modality):
            self._unplaced.append(Unused(modality, A_MOMENT_AGO))
            return
        waiting = self._waiting[modality]
        if waiting and stamp < waiting[-1].stamp - NANOSECONDS:
            waiting.clear()  # time began anew
        if not waiting or abs(stamp - waiting[-1].stamp) >= self._spacing:
            if len(waiting) == MOST_WAITING:  # the oldest goes
                self._unplaced.append(Unused(modality, NO_ODOMETRY))
            waiting.append(_Reading(observation, stamp, now, ahead, frame, clear))
            if len(waiting) > MOST_UNREAD:
                waiting[-1 - MOST_UNREAD].settle()

    def wants(self, modality: str) -> bool:
        """Whether a reading may count, as far as `move` and `update` tell; else leave it unread.

        It cannot while the robot moves, or stands before what it sensed a moment ago. Of a sensor
        that shows what is there every reading counts.
        """
        if self._shows(modality):
            return True
        return not self._moves and not self._rests_at(modality, self._soon)

    def _shows(self, modality: str) -> bool:
        """Whether each of its readings may be of something else, wherever the robot stands."""
        if self._settings.ranges[modality] is None or self._settings.about.kind == "topic":
            return True
        return modality in self._settings.finders and not self._settings.places

    def _rests_at(self, modality: str, stamp: int) -> bool:
        """Whether a time is a moment after this sensor has looked at what is here."""
        since, end = self._rests.get(modality, (0, 0))
        return since <= stamp < end

    def rest(self, now: int) -> float:
        """Seconds until the next sensor is wanted that is not now; infinity if none rests."""
        ends = [end for since, end in self._rests.values() if since <= self._soon < end]
        return (min(ends) - now) / NANOSECONDS - WAKING if ends else math.inf

    @property
    def follows(self) -> bool:
        """Whether odometry matters as it comes; else it may come together, some times a second.

        It does to a reading that waits for it, and to when a robot that moves comes to stand.
        """
        return self._moves or self.waits

    @property
    def waits(self) -> bool:
        """Whether there are readings that no `update` has made anything of."""
        return any(self._waiting.values())

    @property
    def expects(self) -> bool:
        """Whether sensors of which no reading waits are wanted, so that some may join those."""
        return any(self.wants(m) for m, waiting in self._waiting.items() if not waiting)

    def update(self, now: int) -> Iterator[Event]:
        """Fuse what has come and can be placed by now, all of one object at once.

        Args:
            now: this robot's time, nanoseconds.
        """
        self._wake(now)
        unplaced, self._unplaced = self._unplaced, []
        yield from unplaced
        placed: dict[str, tuple[_Reading, np.ndarray]] = {}
        for modality in self._waiting:
            yield from self._place(modality, now, placed)
        for modality in [m for m in placed if m in self._settings.finders]:
            reading, place = placed[modality]
            try:
                self._find(reading, place)
            except Exception as error:  # the other readings are not to blame
                del placed[modality]
                yield Dropped((modality,), error)
            else:
                yield from self._see_nothing(modality, reading, place)
        looks: dict[Target, dict[str, _Reading]] = {}
        for modality, (reading, place) in placed.items():
            try:
                target = self._target(modality, reading, place)
            except UnusedReading as reason:
                yield Unused(modality, str(reason))
            else:
                looks.setdefault(target, {})[modality] = reading
        for target, readings in looks.items():
            yield from self._look(target, readings)

    def receive(self, embedding: Embedding, now: int) -> Learnt:
        """Take in an embedding that was published.

        Raises:
            UnfitEmbedding: see `ObjectMemory.receive`.
        """
        if not self._settings.places:
            self._rests.clear()  # there may be something else to look at
        return self._learnt(self.memory.receive(embedding, now), {})

    def reset(self, object_id: str, now: int) -> Embedding | None:
        """Forget an object, see `ObjectMemory.reset`; returns what was held of it."""
        held = self.memory.get(object_id)
        self.memory.reset(object_id, now)
        self._rests.clear()
        if held is not None:
            for key in [key for key in self._last_looks if key[0] in held.names]:
                del self._last_looks[key]
        return held

    def _check_stamp(self, stamp: int, now: int) -> None:
        if stamp < 0:
            raise ObservationError("header.stamp: is negative")
        if stamp > now + self._settings.stamp_tolerance * NANOSECONDS:
            ahead = (stamp - now) / NANOSECONDS
            raise ObservationError(f"header.stamp: {ahead:.3g} s ahead of this robot's clock")

    def _place(
        self, modality: str, now: int, placed: dict[str, tuple[_Reading, np.ndarray]]
    ) -> Iterator[Event]:
        """The newest reading of which it is known where the robot stood; older ones are left."""
        waiting = self._waiting[modality]
        too_early: list[_Reading] = []
        while waiting and modality not in placed:
            reading = waiting.pop()
            try:
                placed[modality] = (reading, self._sensor_place(modality, reading))
            except (OdometryToCome, NoTransform) as reason:
                if now <= reading.came + self._patience * NANOSECONDS:
                    too_early.append(reading)
                elif isinstance(reason, NoTransform):
                    yield Dropped((modality,), ObservationError(f"header.frame_id: {reason}"))
                else:
                    yield Unused(modality, NO_ODOMETRY)
            except Unplaced:
                yield Unused(modality, NO_ODOMETRY)
            except Moving as reason:
                yield Unused(modality, str(reason))
        waiting.clear()
        waiting.extend(reversed(too_early))

    def _sensor_place(self, modality: str, reading: _Reading) -> np.ndarray:
        """Where the sensor stood, (4, 4) in the team's frame.

        If that does not matter, where the robot is, as far as that is known.
        """
        if self._settings.about.kind == "topic":
            self._named_at(reading.stamp)  # may have to wait for a transform
        if self._settings.ranges[modality] is None:
            latest = self._track.latest
            with suppress(NoTransform):
                return np.eye(4) if latest is None else self.placement.base(latest, latest.stamp)
            return np.eye(4)
        motion = self._track.at(reading.stamp)
        return self.placement.sensor(motion, reading.frame, reading.stamp)

    def _target(self, modality: str, reading: _Reading, place: np.ndarray) -> Target:
        """What a reading is of.

        Raises:
            UnusedReading: nobody knows, or it was sensed a moment ago.
        """
        if self._settings.about.kind == "robot":
            seen = Target(self.memory.owner, point_at(place, (0.0, 0.0, 0.0)))
        elif self._settings.about.kind == "topic":
            seen = self._pointed_at(modality, reading, place)
        else:
            seen = self._looked_at(modality, place)
        name = self._id(seen.object_id)
        last = None if name is None else self._last_looks.get((name, modality))
        period = self._settings.refresh_periods.get(modality, 0.0) * NANOSECONDS
        if last is not None and last <= reading.stamp < last + period:
            self._rest(modality, last)
            raise UnusedReading(A_MOMENT_AGO)
        return seen

    def _find(self, reading: _Reading, place: np.ndarray) -> None:
        """Where something stands ahead, if no map says that."""
        if not self._settings.places:
            self._ahead = reading.ahead and point_at(place, reading.ahead)
            self._deviation = self._deviation_of(reading)

    def _deviation_of(self, reading: _Reading) -> float:
        """Of where a reading shows something, metres; 0 if odometry does not say how sure it is."""
        latest = self._track.latest
        if not reading.ahead or latest is None or not latest.deviation:
            return 0.0
        with suppress(UnusedReading):
            robot = self._track.at(reading.stamp)
            if robot.deviation:
                turned = robot.yaw_deviation * math.hypot(*reading.ahead[:2])
                return math.hypot(self._settings.place_noise, robot.deviation, turned)
        return 0.0

    def _see_nothing(self, modality: str, reading: _Reading, place: np.ndarray) -> Iterator[Event]:
        """Note where this reading shows nothing, and say what no longer stands there.

        Of what this kind of sensor never sensed it says nothing: glass is nothing to a laser.
        """
        limits = self._settings.ranges[modality]
        if reading.clear is None or limits is None or self._settings.about.kind == "topic":
            return
        self._empty.clear()
        to_sensor, pose = np.linalg.inv(place), pose_of(place)
        held = self.memory.objects()
        for one in (*self._settings.places, *self._known()):
            if limits.looked_at(pose, [one]) is not None:
                if reading.clear(point_at(to_sensor, one.position)):
                    self._empty.add(self._id(one.object_id))
                else:
                    self._at_nothing.pop((one.object_id or "", modality), None)
        for sensed in held:
            if sensed.object_id in self._empty and modality in sensed.held:
                yield from self._looked_at_nothing(sensed.object_id, modality, reading.stamp)

    def _known(self) -> list[Target]:
        """What is held, where that stands."""
        return [Target(o.object_id, o.position, o.deviation) for o in self.memory.objects()]

    def _looked_at_nothing(self, object_id: str, modality: str, stamp: int) -> Iterator[Event]:
        looks = self._at_nothing.get((object_id, modality), 0) + 1
        self._at_nothing[object_id, modality] = looks
        if looks >= LOOKS_AT_NOTHING:
            del self._at_nothing[object_id, modality]
            outcome = self.memory.vanish(object_id, stamp)
            if outcome.said:
                yield self._learnt(outcome, {modality: stamp})

    def _looked_at(self, modality: str, place: np.ndarray) -> Target:
        """One of those on the map, else what a reading shows, else one that others published."""
        places = list(self._settings.places)
        if not places and self._ahead is not None:
            known = self.memory.nearest(self._ahead, self._deviation)
            name = known.object_id if known else None
            places = [Target(name, self._ahead, self._deviation)]
        limits = self._settings.ranges[modality]
        assert limits is not None  # of objects there always are
        seen = limits.looked_at(pose_of(place), places or self._known())
        if seen is None:
            raise UnusedReading("nothing to look at")
        if self._id(seen.object_id) in self._empty:
            raise UnusedReading(NOTHING_THERE)
        return seen

    def _named_at(self, stamp: int) -> Sequence[Target] | None:
        """What somebody names at a time, in the team's frame; None if nobody said anything.

        Raises:
            NoTransform: none leads to it from the frame in which that was said.
        """
        newest = bisect_right(self._pointed, stamp, key=itemgetter(0)) - 1
        lasts = self._settings.about.seconds * NANOSECONDS
        if newest < 0 or stamp > self._pointed[newest].stamp + lasts:
            return None
        since, targets, frame = self._pointed[newest]
        if frame is not None:
            place = self.placement.to_global(frame, since)
            targets = [Target(name, point_at(place, position)) for name, position, _ in targets]
            self._pointed[newest] = _Pointed(since, targets, None)
        return targets

    def _pointed_at(self, modality: str, reading: _Reading, place: np.ndarray) -> Target:
        """What somebody said that it is of."""
        targets = self._named_at(reading.stamp)
        if targets is None:
            raise UnusedReading("nobody says what it is of")
        if not targets:
            raise UnusedReading("it is said to be of nothing")
        limits = self._settings.ranges[modality]
        if limits is not None:
            seen = limits.looked_at(pose_of(place), targets)
            if seen is None:
                raise UnusedReading("nothing to look at")
            return seen
        if len(targets) > 1:
            raise UnusedReading("several things are named, and no range says which")
        return targets[0]

    def _look(self, target: Target, readings: Mapping[str, _Reading]) -> Iterator[Event]:
        """Fuse readings of one object."""
        codes: dict[str, np.ndarray] = {}
        strange: set[str] = set()
        held = self._held(target)
        for modality, reading in readings.items():
            try:
                code, surprise = self._engine.encode_modality(modality, reading.observation)
                if self._bears_out(surprise, target):
                    if held is not None and modality not in held.strange:
                        yield from self._looked_at_nothing(
                            held.object_id, modality, readings[modality].stamp
                        )
                    yield Unused(modality, NOTHING_THERE)
                    continue
                self._check_surprise(surprise, modality, held)
                codes[modality] = code
                if self._engine.tells_unknown and surprise > FAMILIAR:
                    strange.add(modality)
            except Exception as error:  # the other readings are not to blame
                yield Dropped((modality,), error)
        if not codes:
            return
        looks = {m: readings[m].stamp for m in codes}
        try:
            name, place, deviation = target
            outcome = self.memory.observe(name, place, codes, looks, strange, deviation)
            learnt = self._learnt(outcome, looks)
        except Exception as error:  # of a model that gives nonsense, say
            yield Dropped(tuple(codes), error)
            return
        if learnt.embedding is not None:
            for modality in codes:
                self._at_nothing.pop((learnt.embedding.object_id, modality), None)
        if learnt.kind != "known":
            assert learnt.embedding is not None  # what is fused or confirmed is held
            self._remember(learnt.embedding.object_id, looks)
        yield learnt

    def _bears_out(self, surprise: float, target: Target) -> bool:
        """Whether a look is strange at what a robot says to be gone: it shows an empty place."""
        strange = self._engine.tells_unknown and surprise > FAMILIAR
        return strange and self.memory.is_gone(target.object_id, target.position)

    def _check_surprise(self, surprise: float, modality: str, held: Embedding | None) -> None:
        """Do not let what is before a sensor by mistake, or a broken one, replace what is known.

        Raises:
            ObservationError: a reading that surprises so much does not count.
        """
        most = self._settings.max_surprise
        if surprise <= most:
            return
        known = held is not None and modality in held.held and modality not in held.strange
        if known or math.isnan(surprise) or not self._engine.tells_unknown:
            raise ObservationError(
                "surprise: unlike anything the model was trained on "
                f"({surprise:.3g}, at most {most:g})"
            )

    def _held(self, target: Target) -> Embedding | None:
        """What is held of what stands there or has the name."""
        named = target.object_id and self.memory.get(target.object_id)
        return named or self.memory.nearest(target.position, target.deviation)

    def _learnt(self, outcome: Outcome, looks: Mapping[str, int]) -> Learnt:
        learnt = Learnt(outcome.kind, looks, outcome.embedding, to_publish=outcome.said)
        if outcome.kind in ("known", "quarantined", "disowned", "retired"):
            return learnt
        assert outcome.embedding is not None  # nothing is held only of what changed nothing
        try:  # what is held has changed: others have to know, whatever it is taken for
            return replace(learnt, probabilities=self._engine.classify(outcome.embedding.mean))
        except Exception as error:
            return replace(learnt, error=error)

    def _id(self, name: str | None) -> str | None:
        """The id of an object that has this name."""
        held = None if name is None else self.memory.get(name)
        return held.object_id if held else name

    def _remember(self, object_id: str, looks: Mapping[str, int]) -> None:
        if len(self._last_looks) > MOST_REMEMBERED:
            held = {embedding.object_id for embedding in self.memory.objects()}
            self._last_looks = {k: t for k, t in self._last_looks.items() if k[0] in held}
        for modality, stamp in looks.items():
            self._last_looks[object_id, modality] = stamp
            self._rest(modality, stamp)

    def _rest(self, modality: str, stamp: int) -> None:
        """What was looked at by this sensor need not be again for a while."""
        period = self._settings.refresh_periods.get(modality, 0.0) * NANOSECONDS
        self._rests[modality] = (stamp, stamp + int(period))

    def _wake(self, now: int) -> None:
        """See which sensors may soon have something to look at."""
        self._soon = now + int(WAKING * NANOSECONDS)
        if self._moves:
            self._rests.clear()
