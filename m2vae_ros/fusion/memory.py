# SPDX-License-Identifier: Apache-2.0
"""What one robot knows of all objects: its own observations and the embeddings of others.

Everything that was said is kept as it was said (`m2vae_ros.fusion.statements`). Which objects there
are follows from it (`m2vae_ros.fusion.association`), so does whom to believe and what they are
called (`m2vae_ros.fusion.consensus`), and what is held of each: the statement that holds the newest
of all modalities. Where nobody has said that, this robot folds it from the best sources it has
(`m2vae_ros.fusion.sources`), and says it. Robots that heard the same therefore hold the same, byte
by byte, whatever was lost, late or said twice, and whoever was restarted or lied. A look that tells
nothing new changes nothing.

Objects are expected to stand farther apart than twice the gate, and to be placed within half the
gate of where they are; then every object gets exactly one id. Otherwise the robots still agree.
The gate is narrower where it is known how well objects are placed.
"""

from __future__ import annotations

import math
import secrets
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Literal
from weakref import WeakKeyDictionary

import numpy as np

from m2vae_ros.fusion.association import Association, Cluster, Position, gate_between
from m2vae_ros.fusion.consensus import NEVER, Consensus, place_name
from m2vae_ros.fusion.embedding import Embedding
from m2vae_ros.fusion.engine import Engine
from m2vae_ros.fusion.exchange import folded, supersedes
from m2vae_ros.fusion.resets import Resets
from m2vae_ros.fusion.sources import Source, best, fold, information_gain
from m2vae_ros.fusion.statements import Statements
from m2vae_ros.fusion.validation import (
    LONGEST_NAME,
    MOST_NAMES,
    UnfitEmbedding,
    check,
    check_position,
)
from m2vae_ros.sensors import ObservationError
from m2vae_ros.vae.in_place import unfold

MIN_GAIN = 10.0
"""Nats; what a further look has to tell to be fused and sent. Of the AMiRo's sensors, looks at an
object of another class gained at least 26 (docs/mathematics.md)."""

MOVED = 0.25
"""Share of the gate by which an object has to be found elsewhere for that to be news."""


@dataclass(frozen=True)
class Outcome:
    """What became of an observation or of a received embedding.

    Attributes:
        kind: of an observation "fused", or "confirmed": it tells nothing that was not known. Of an
            embedding "new": of an object of which nothing was held; "adopted": it changed what is
            held; "merged": this robot found out what nobody has said; "quarantined": it contradicts
            what more is said for, and is kept until others agree; "disowned": it is signed by this
            run of this robot, which has not said it, and says what it truly holds instead. Of both
            "known": it changes nothing. "retired": nothing is held any more of what has vanished.
        embedding: what is now held of the object; None if all of it was forgotten by a reset, or
            nothing was held and nothing is.
        said: what has to be published, as it is.
    """

    kind: Literal[
        "fused",
        "confirmed",
        "new",
        "adopted",
        "merged",
        "quarantined",
        "disowned",
        "retired",
        "known",
    ]
    embedding: Embedding | None
    said: tuple[Embedding, ...] = ()


class ObjectMemory:
    """The objects one robot knows, and the rules by which that changes.

    Whatever a method raises, nothing held has changed. Not safe for use from several threads.

    Attributes:
        owner: this robot's name.
        instance: a random number of this run of its program.
        has_namesake: whether another robot of its name was heard.
    """

    def __init__(
        self,
        engine: Engine,
        owner: str,
        gate_m: float,
        *,
        frame: str = "map",
        tolerance_ns: int = 1_000_000_000,
        max_objects: int = 1000,
        min_gain: float = MIN_GAIN,
        by_place: bool = True,
        instance: int | None = None,
        forget_after_ns: int = 0,
    ) -> None:
        """Start with nothing known.

        Args:
            engine: the model that gives embeddings their meaning.
            owner: this robot's name, the sender of what it computes.
            gate_m: metres; a nameless observation this close to an object is one of it.
            frame: the frame of all positions; embeddings in another one are refused.
            tolerance_ns: how far ahead of this robot's clock the stamps of others may be.
            max_objects: how many statements of each robot are kept. Beyond it the one with the
                oldest evidence goes; nobody's displace those of another.
            min_gain: nats; a further look by a sensor whose observation is held already changes
                nothing unless the posterior diverges by more than this from what it was.
            by_place: whether a place tells which object it is; else only a name does, and a place
                is where it was last met.
            instance: of this run of the program; by default a random one.
            forget_after_ns: an object is retired that was last sensed so long before the newest
                time that anybody tells of; 0 for never.

        Raises:
            ValueError: an empty name or a number out of range.
        """
        if not 0 < len(owner) <= LONGEST_NAME or not frame:
            raise ValueError(f"owner {owner!r} and frame {frame!r} must be names")
        if max_objects <= 0:
            raise ValueError(f"max_objects {max_objects} must be positive")
        self.engine = engine
        self.owner = owner
        self.instance = secrets.randbits(32) if instance is None else instance
        self.has_namesake = False
        self.frame = frame
        self.max_objects = max_objects
        self.by_place = by_place
        self._readings: dict[Embedding, dict[str, Source]] = {}  # of its own statements
        self._unfolded: WeakKeyDictionary[Embedding, Mapping[str, np.ndarray]]
        self._unfolded = WeakKeyDictionary()
        self._resets = Resets(max_objects * MOST_NAMES)
        self._began: int | None = None
        self._check_rules(gate_m, tolerance_ns, min_gain, forget_after_ns)
        self._associate(())

    def adjust(
        self, gate_m: float, tolerance_ns: int, min_gain: float, forget_after_ns: int = 0
    ) -> None:
        """Go by other numbers from now on, see `__init__`; what was said stays as it is.

        Raises:
            ValueError: a number out of range.
        """
        before = self.gate_m
        self._check_rules(gate_m, tolerance_ns, min_gain, forget_after_ns)
        if gate_m != before:
            self._associate(self._statements)
        else:
            self._reassociate((), ())

    def statements(self) -> list[Embedding]:
        """All that was said; telling it all again, as it is, is always harmless."""
        return list(self._statements)

    def __contains__(self, digest: int) -> bool:
        """Whether a statement is held."""
        return digest in self._statements

    def to_tell(self) -> list[Embedding]:
        """The statements that are not of before a reset, the most certain first.

        That are those about objects which this robot has sensed, then which many speak of: whoever
        makes up objects, under whatever names, is told of after what others can vouch for.
        """

        def doubt(of: Cluster) -> tuple[bool, int]:
            return not any(map(self._readings.get, of.statements)), -len(of.senders)

        floors = {one: self._reset(one) for one in self._association.clusters()}
        return [
            statement
            for one in sorted(floors, key=doubt)
            for statement in one.statements
            if statement.newest > floors[one]
        ]

    def said(self) -> list[Embedding]:
        """Those of them that this run of this robot has said."""
        return [one for one in self.to_tell() if self._is_own(one)]

    def objects(self) -> list[Embedding]:
        """What is held of every object, sorted by id."""
        held = (self._held(one) for one in self._association.clusters())
        return sorted((e for e in held if e is not None), key=lambda e: e.object_id)

    def quarantined(self) -> list[Embedding]:
        """The statements that contradict what more is said for."""
        return self._consensus.quarantined()

    def get(self, object_id: str) -> Embedding | None:
        """What is held of the object that has this name; None if nothing is."""
        return self._held(self._consensus.named(object_id))

    def nearest(self, position: Sequence[float], deviation: float = 0.0) -> Embedding | None:
        """What is held of the nearest object within the gate of x, y, z; None if nothing is.

        Args:
            position: metres.
            deviation: the standard deviation of that, metres; 0 if it is not known.
        """
        near = [self._held(one) for one in self._near(position, deviation)]
        return next((held for held in near if held is not None), None)

    def sources(self, object_id: str) -> dict[str, Source]:
        """Modality -> the source of what is known of the object that has this name."""
        met = self._consensus.named(object_id)
        return self._sources(met, self._own_readings(met)) if met else {}

    def observe(
        self,
        object_id: str | None,
        position: Sequence[float],
        codes: Mapping[str, np.ndarray],
        stamps: Mapping[str, int],
        strange: Collection[str] = (),
        deviation: float = 0.0,
    ) -> Outcome:
        """Fuse this robot's own observations of one object in place (Eq. 18).

        A modality already held is replaced, so nothing counts twice; an observation that is not
        newer than the one held, or than a reset, is ignored, and one that tells nothing new
        changes nothing, its time included.

        Args:
            object_id: a name of the object; None for the nearest object within the gate, or else a
                new one.
            position: x, y, z of the object in metres, in the memory's frame.
            codes: modality -> the engine's code of the observation (D_m,); at least one.
            stamps: modality -> time of the observation, nanoseconds, for each of `codes`.
            strange: the modalities whose reading was of nothing that the model knows.
            deviation: standard deviation of the position, metres; 0 if it is not known.

        Returns:
            What became of it.

        Raises:
            ObservationError: names the field that does not fit and why.
        """
        self._check_observation(object_id, position, codes, stamps)
        if not 0.0 <= deviation < math.inf:
            raise ObservationError(f"deviation: {deviation} m is none")
        x, y, z = (float(coordinate) for coordinate in position)
        place: Position = (x, y, z)
        met = self._met(object_id, place, deviation, max(stamps.values()))
        before = self._held(met)
        readings = self._own_readings(met)
        known = self._sources(met, readings) if met else {}
        floor = self._floor(met) if met else self._resets.of_name(object_id)
        new = {
            m: Source(np.array(codes[m], dtype=np.float32), int(stamp), strange=m in strange)
            for m, stamp in stamps.items()
            if stamp > max(known[m].stamp if m in known else NEVER, floor)
        }
        if not new:
            return Outcome("known", before)
        if before is not None and max(s.stamp for s in new.values()) < before.newest:
            place, deviation = before.position, before.deviation
        name = object_id or self._new_name(place)
        named = [object_id] if object_id else []
        like = self._like_own(met, place, named) if met else self._like(name, named, place)
        like = replace(like, deviation=deviation)
        try:
            said = folded(self.engine, like, {**known, **new})
        except UnfitEmbedding as error:
            raise ObservationError(f"{', '.join(new)}: the model gives {error}") from error
        if before is not None and self._tells_nothing(before, known, said, new):
            return Outcome("confirmed", before)
        if self._say(said, {**readings, **new}) is None:
            return Outcome("known", before)
        return Outcome("fused", self._held(self._association[said]), (said,))

    def receive(self, embedding: Embedding, now_ns: int) -> Outcome:
        """Take in what a robot has published, be it another or this one.

        Args:
            embedding: the message.
            now_ns: this robot's time, nanoseconds.

        Returns:
            What became of it.

        Raises:
            UnfitEmbedding: the embedding does not fit, or there is no room for it.
        """
        if embedding.digest in self._statements:
            return Outcome("known", self._held(self._association[embedding]))
        check(embedding, self.engine, now_ns, self.tolerance_ns, self.frame)
        self._began = now_ns if self._began is None else self._began
        if self._is_forged(embedding, self._began):
            return self._disown(embedding, now_ns)
        if embedding.held:
            self._unfold(embedding)
        before = self.get(embedding.object_id) if not self.by_place else None
        before = before or self.nearest(embedding.position, embedding.deviation)
        gone = self._statements.add(embedding)
        if gone is None:
            return Outcome("known", before)
        new, regained = self._regain(embedding, gone)
        try:
            changed = self._reassociate(gone, new)
            found = [one for one in map(self._merged, changed) if one is not None]
        except Exception:
            self._statements.replace(new, gone)
            self._reassociate(new, gone)
            raise
        self._readings |= regained
        said = tuple(one for one, readings in found if self._say(one, readings) is not None)
        said += tuple(one for one in regained if one.digest in self._statements)
        self._forget_readings(gone)
        about = self._association[embedding] if embedding.digest in self._statements else None
        held = self._held(about)
        if said:
            return Outcome("merged", held or said[0], said)
        if held is None and before is not None:
            return Outcome("retired", None)
        if about is not None and embedding not in self._consensus.believed(about):
            return Outcome("quarantined" if held else "known", held)
        if held is None or held == before:
            return Outcome("known", held)
        return Outcome("adopted" if before else "new", held)

    def vanish(self, object_id: str, stamp: int) -> Outcome:
        """Say that this robot saw that an object does not stand any more where it was sensed.

        Whether that is believed depends on what others say, see `m2vae_ros.fusion.consensus`. Said
        once, it is not said again until the object was sensed again.

        Args:
            object_id: a name of the object.
            stamp: when that was seen, nanoseconds.

        Returns:
            "retired" if nothing is held of the object any more, "quarantined" if more say that it
            stands there, "known" if that is nothing new.
        """
        met = self._consensus.named(object_id)
        held = self._held(met)
        if met is None or held is None:
            return Outcome("known", held)
        said_so = any(one.vanished > held.newest for one in self._own(met))
        if said_so or stamp <= held.newest:
            return Outcome("known", held)
        nothing = np.zeros(self.engine.latent_dim, dtype=np.float32)
        like = replace(self._like_own(met, held.position), deviation=held.deviation)
        said = replace(like, mean=nothing, log_variance=nothing, vanished=stamp)
        if self._say(said, {}) is None:
            return Outcome("known", held)
        held = self._held(self._association[said])
        return Outcome("quarantined" if held else "retired", held, (said,))

    def is_gone(self, object_id: str | None, position: Sequence[float]) -> bool:
        """Whether some robot says of what has this name or place that it stands there no more.

        And nobody has sensed it since; whether that is believed is another question.
        """
        x, y, z = position
        met = self._met(object_id, (x, y, z))
        if met is None or not met.senders:
            return False
        sensed = max(one.newest for one in met.statements if one.held)
        return any(one.vanished > sensed for one in met.vanishings)

    def retired(self) -> Counter[str]:
        """How many objects are not held any more, by reason."""
        reasons = Counter[str]()
        for one in self._association.clusters():
            if not one.senders or self._held(one) is not None:
                continue
            if self._consensus.vanished(one) > self._reset(one):
                reasons["vanished"] += 1
            elif self._consensus.is_old(one, self._reset(one)):
                reasons["not seen for long"] += 1
        return reasons

    def reset(self, object_id: str, now_ns: int) -> bool:
        """Forget an object: what was sensed of it until now is ignored from here on.

        Nothing is published; what they sense or sensed later brings the object back under the same
        id, without the older part.

        Args:
            object_id: a name of the object.
            now_ns: this robot's time, nanoseconds.

        Returns:
            Whether anything was held of it.
        """
        met = self._consensus.named(object_id)
        held = self._held(met)
        if met is None or held is None:
            return False
        until = max(now_ns, *(one.newest for one in met.statements))
        self._resets.add(met, held.names, until)
        self._views.clear()
        return True

    def begin_anew(self, keep: bool) -> None:
        """Time began anew: the stamps of before would be taken for newer than all to come.

        Args:
            keep: whether what was said is kept, as sensed at time 0, but for what has vanished;
                else it is forgotten. Robots that heard the same still hold the same.
        """
        aged = {
            one: _of_time_zero(one)
            for one in self.to_tell()
            if keep and one.held and min(one.held.values()) > self._vanished(one)
        }
        readings = {aged[one]: of for one, of in self._readings.items() if one in aged}
        self._resets = Resets(self.max_objects * MOST_NAMES)
        self._began = None
        self._associate(())
        for one in aged.values():
            with suppress(UnfitEmbedding):  # its sender has said a lot, and now all of it is as old
                gone = self._statements.add(one)
                if gone is not None:
                    self._reassociate(gone, [one])
        self._readings = {
            one: {m: replace(source, stamp=0) for m, source in of.items()}
            for one, of in readings.items()
            if one.digest in self._statements
        }

    def _check_rules(
        self, gate_m: float, tolerance_ns: int, min_gain: float, forget_after_ns: int
    ) -> None:
        if not (0.0 < gate_m < math.inf and min(tolerance_ns, min_gain, forget_after_ns) >= 0):
            raise ValueError(
                f"gate_m {gate_m} must be positive, tolerance_ns {tolerance_ns}, min_gain "
                f"{min_gain} and forget_after_ns {forget_after_ns} not negative"
            )
        self.gate_m = gate_m
        self.tolerance_ns = tolerance_ns
        self.min_gain = min_gain
        self.forget_after_ns = forget_after_ns

    def _associate(self, statements: Iterable[Embedding]) -> None:
        """Begin with the objects anew."""
        said = list(statements)
        self._views: dict[Cluster, Embedding | None] = {}
        self._association = Association(self.gate_m if self.by_place else None)
        self._statements = Statements(self.owner, self.max_objects, self._association.place)
        self._consensus = Consensus(lambda one: self.engine.classify(one.mean))
        self._statements.replace((), said)
        self._reassociate((), said)

    def _reassociate(
        self, gone: Iterable[Embedding], new: Iterable[Embedding]
    ) -> Sequence[Cluster]:
        before, after = self._association.change(gone, new)
        self._consensus.change(before, after, self._horizon())
        self._views.clear()
        return after

    def _horizon(self, latest: int = NEVER) -> int:
        """Since when an object has to have been sensed, as the stamps of all statements tell.

        Not this robot's clock: so who heard the same holds the same.

        Args:
            latest: a later stamp, if there is one, nanoseconds.
        """
        if not self.forget_after_ns:
            return NEVER
        return max((latest, *(one.newest for one in self._statements))) - self.forget_after_ns

    def _near(self, position: Sequence[float], deviation: float = 0.0) -> list[Cluster]:
        """Objects within the gate of a place, by where they were sensed last; the nearest first."""
        near = []
        for one in self._association.around(position):
            last = self._last(one)
            distance = math.dist(position, last.position)
            if distance <= gate_between(deviation, last.deviation, self.gate_m):
                near.append((distance, self._consensus.name(one)[0], one))
        return [one for _, _, one in sorted(near, key=_two)]

    def _last(self, of: Cluster) -> Embedding:
        """The statement that says where it was last."""
        return max(self._consensus.believed(of), key=lambda one: one.age_key)

    def _met(
        self, object_id: str | None, place: Position, deviation: float = 0.0, stamp: int = NEVER
    ) -> Cluster | None:
        """The object that an observation of some time (ns) is of; None if it is a new one."""
        near = self._near(place, deviation)
        if object_id is None:
            return near[0] if near else None
        named = self._consensus.named(object_id)
        if not self.by_place or named in near:
            return named
        if near:
            return next((one for one in near if object_id in one.claims), near[0])
        if named is None or self._consensus.is_old(named, horizon=self._horizon(stamp)):
            return None
        return named if any(s.object_id == object_id for s in self._own(named)) else None

    def _is_own(self, statement: Embedding) -> bool:
        return (statement.sender, statement.instance) == (self.owner, self.instance)

    def _own(self, met: Cluster | None) -> list[Embedding]:
        return [one for one in met.statements if self._is_own(one)] if met else []

    def _vanished(self, one: Embedding) -> int:
        return self._consensus.vanished(self._association[one])

    def _floor(self, of: Cluster) -> int:
        """Until when what was sensed of an object is ignored."""
        return max(self._reset(of), self._consensus.vanished(of))

    def _reset(self, of: Cluster) -> int:
        """Until when what was sensed of an object was reset."""
        return self._resets.of(of, self.gate_m if self.by_place else None)

    def _new_name(self, position: Position) -> str:
        name = place_name(position)
        while self._consensus.named(name):  # an object that has moved on was once met here
            name += "'"
        return name

    def _newest(self, of: Cluster) -> dict[str, int]:
        """Of each modality the newest observation that counts."""
        floor, newest = self._floor(of), dict[str, int]()
        for one in self._consensus.believed(of, floor):
            for modality, stamp in one.held.items():
                if stamp > max(floor, newest.get(modality, NEVER)):
                    newest[modality] = stamp
        return dict(sorted(newest.items()))

    def _held(self, of: Cluster | None) -> Embedding | None:
        if of is None:
            return None
        if of not in self._views:
            self._views[of] = self._view(of)
        return self._views[of]

    def _view(self, of: Cluster) -> Embedding | None:
        if self._consensus.is_old(of, self._reset(of)):
            return None
        floor, newest = self._floor(of), self._newest(of)
        believed = self._consensus.believed(of, floor)
        later = [one for one in believed if min(one.held.values(), default=NEVER) > floor]
        complete = [one for one in later if one.held == newest]
        if complete:
            held = min(complete, key=lambda one: one.tie_break_key)
        elif later:
            held = max(later, key=lambda one: one.age_key)
        else:
            return None
        named = held.named(*self._consensus.name(of))
        strange = _strange(believed, held.held)
        return named if strange == named.strange else replace(named, strange=strange)

    def _own_readings(self, of: Cluster | None) -> dict[str, Source]:
        """The readings of its own that this robot has of an object."""
        readings: dict[str, Source] = {}
        for one in self._own(of):
            readings = best(readings, self._readings.get(one, {}))
        return readings

    def _sources(self, of: Cluster, readings: Mapping[str, Source]) -> dict[str, Source]:
        """The best sources of what is believed, and these readings of its own."""
        floor, sources = self._floor(of), dict(readings)
        believed = self._consensus.believed(of, floor)
        for one in sorted(believed, key=lambda one: one.age_key, reverse=True):
            told = {m: Source(None, t, one.reencodings[m] + 1) for m, t in one.held.items()}
            better = [m for m, source in told.items() if source.supersedes(sources.get(m))]
            codes = self._unfold(one) if better else {}
            strange = _strange(believed, {m: told[m].stamp for m in better})
            sources |= {m: replace(told[m], code=codes[m], strange=m in strange) for m in better}
        return {m: source for m, source in sources.items() if source.stamp > floor}

    def _unfold(self, one: Embedding) -> Mapping[str, np.ndarray]:
        if one not in self._unfolded:
            codes = unfold(self.engine, one.mean, one.held)
            if not all(np.isfinite(code).all() for code in codes.values()):
                raise UnfitEmbedding(
                    "not_finite", "the model decodes the mean to NaN or infinite values"
                )
            self._unfolded[one] = codes
        return self._unfolded[one]

    def _like(self, id: str, names: Iterable[str], position: Position) -> Embedding:
        """A statement of its own that holds nothing yet."""
        return Embedding(
            object_id=id,
            position=position,
            frame=self.frame,
            held={},
            mean=np.empty(0),
            log_variance=np.empty(0),
            sender=self.owner,
            fingerprint=self.engine.fingerprint,
            aliases=tuple(sorted({*names} - {id})[: MOST_NAMES - 1]),
            instance=self.instance,
            disowned=max((s.disowned for s in self._statements.of(self.owner, id)), default=0),
        )

    def _like_own(self, of: Cluster, position: Position, names: Iterable[str] = ()) -> Embedding:
        """The same of a known object, by these names and all that it or this robot has for it."""
        id, known = self._consensus.name(of)
        return self._like(id, known.union(names, *(one.names for one in self._own(of))), position)

    def _tells_nothing(
        self,
        before: Embedding,
        known: Mapping[str, Source],
        after: Embedding,
        new: Mapping[str, Source],
    ) -> bool:
        """Whether an object looks as it did, known or strange, and stands where it did."""
        if not new.keys() <= known.keys():
            return False
        if any(source.strange != known[m].strange for m, source in new.items()):
            return False
        if 0 < self.forget_after_ns <= 2 * (after.newest - before.newest):
            return False  # that it is still there has to be known in time
        moved = math.dist(after.position, before.position)
        if self.by_place and moved > MOVED * self.gate_m:
            return False
        # both folded from sources: what re-encoding does to an adopted embedding is no news
        return information_gain(after, fold(self.engine, known)) <= self.min_gain

    def _merged(self, of: Cluster) -> tuple[Embedding, dict[str, Source]] | None:
        """What follows of an object and nobody has said, and the readings in it.

        Raises:
            UnfitEmbedding: the model makes no sense of it.
        """
        newest = self._newest(of)
        believed = self._consensus.believed(of, self._floor(of))
        if not newest or any(one.held == newest for one in believed):
            return None
        mine = self._statements.of(self.owner)
        if any(one.held == newest and one.names & of.claims for one in mine):
            return None  # said, and contradicted
        last = self._last(of)
        like = replace(self._like_own(of, last.position), deviation=last.deviation)
        own = self._own_readings(of)
        readings = {m: source for m, source in own.items() if source.stamp == newest.get(m)}
        return folded(self.engine, like, self._sources(of, readings)), readings

    def _say(self, said: Embedding, readings: Mapping[str, Source]) -> Embedding | None:
        """Keep a statement of its own; None if it says nothing."""
        gone: list[Embedding] | None = None
        with suppress(UnfitEmbedding):  # there is no room for what is older than all else
            gone = self._statements.add(said)
        if gone is None:
            return None
        self._reassociate(gone, [said])
        self._forget_readings(gone)
        self._readings[said] = {
            m: source for m, source in readings.items() if said.held.get(m) == source.stamp
        }
        return said

    def _forget_readings(self, of: Iterable[Embedding]) -> None:
        for one in of:
            self._readings.pop(one, None)

    def _is_forged(self, embedding: Embedding, began_ns: int) -> bool:
        """Whether it claims to be of this very run, which has not said it.

        Or of another run of this robot since this one began, and contradicts what is held: of a
        namesake that sees the same it does not.
        """
        if embedding.sender != self.owner:
            return False
        if self._is_own(embedding):
            mine = self._statements.of(self.owner, embedding.object_id)
            return not any(supersedes(one, embedding) for one in mine)
        if embedding.newest <= began_ns + self.tolerance_ns:
            return False
        self.has_namesake = True
        about = next(iter(self._near(embedding.position)), None) if self.by_place else None
        held = self._held(about or self._consensus.named(embedding.object_id))
        return held is not None and self._consensus.contradict(held, embedding)

    def _disown(self, forged: Embedding, now_ns: int) -> Outcome:
        """Say what this robot truly holds of what somebody else told in its name.

        Raises:
            UnfitEmbedding: nothing, or it has said so ("sender").
        """
        until = max(now_ns, forged.disowned + 1)
        mine = self._statements.of(self.owner, forged.object_id)
        about = [self._association[one] for one in mine if self._is_own(one)]
        about += self._near(forged.position)[:1]
        if (named := self._consensus.named(forged.object_id)) is not None:
            about.append(named)
        answers = [a for one in dict.fromkeys(about) for a in self._truth(one, forged, until)]
        said = [a for a, readings in answers if self._say(a, readings) is not None]
        said = [a for a in said if a.digest in self._statements]  # no later answer went instead
        if not said:
            raise UnfitEmbedding("sender", f"is signed by {self.owner!r}, which has not said it")
        return Outcome("disowned", self._held(self._association[said[0]]), tuple(said))

    def _truth(
        self, of: Cluster, forged: Embedding, until: int
    ) -> list[tuple[Embedding, Mapping[str, Source]]]:
        """What this robot has said of an object, or else holds, to be said again with its readings.

        Nothing, if it was since the forged statement.
        """
        mine = self._own(of)
        if any(one.disowned > forged.disowned for one in mine) or self._held(of) is None:
            return []
        if mine:
            return [(replace(one, disowned=until), self._readings.get(one, {})) for one in mine]
        last = self._last(of)
        like = self._like(*self._consensus.name(of), last.position)
        like = replace(like, deviation=last.deviation, disowned=until)
        return [(folded(self.engine, like, self._sources(of, {})), {})]

    def _regain(
        self, newer: Embedding, gone: list[Embedding]
    ) -> tuple[list[Embedding], dict[Embedding, dict[str, Source]]]:
        """Say again what goes only because an earlier run of this robot has disowned something.

        Args:
            newer: what that run has said, which was added.
            gone: went for it; what goes for what is said again is added.

        Returns:
            What was added in all, and of it what was said again, with its readings.
        """
        new, regained = [newer], {}
        for one in [one for one in gone if self._is_own(one) and one.disowned < newer.disowned]:
            again = replace(one, disowned=newer.disowned)
            displaced = self._statements.add(again)
            if displaced is not None:
                gone += [other for other in displaced if other not in new]
                new = [*(other for other in new if other not in displaced), again]
                regained[again] = self._readings.get(one, {})
        return new, regained

    def _check_observation(
        self,
        object_id: str | None,
        position: Sequence[float],
        codes: Mapping[str, np.ndarray],
        stamps: Mapping[str, int],
    ) -> None:
        if object_id is not None and not 0 < len(object_id) <= LONGEST_NAME:
            raise ObservationError(f"object_id: must have 1 to {LONGEST_NAME} characters")
        try:
            check_position(position)
        except UnfitEmbedding as error:
            raise ObservationError(f"position: {error}") from error
        if not codes or codes.keys() != stamps.keys():
            raise ObservationError(
                f"stamps: of {sorted(stamps)}, expected one for each code of {sorted(codes)}"
            )
        for modality, code in codes.items():
            if modality not in self.engine.modalities:
                raise ObservationError(f"{modality}: not a modality of the model")
            if not np.isfinite(code).all():
                raise ObservationError(f"{modality}: the code holds NaN or infinite values")
            if stamps[modality] < 0:
                raise ObservationError(f"{modality}: negative stamp {stamps[modality]} ns")


def _strange(believed: Sequence[Embedding], held: Mapping[str, int]) -> frozenset[str]:
    """The modalities whose observations, of these times, most senders say to be strange.

    So no single one who says the rest after others has a known object taken for an unknown one.
    """
    votes = {
        (m, m in one.strange, one.sender)
        for one in believed
        for m, stamp in one.held.items()
        if held.get(m) == stamp
    }
    counts = Counter((m, strange) for m, strange, _ in votes)
    return frozenset(m for m in held if counts[m, True] > counts[m, False])


def _of_time_zero(one: Embedding) -> Embedding:
    return replace(one, held=dict.fromkeys(one.held, 0), disowned=0)


def _two(of: tuple[float, str, Cluster]) -> tuple[float, str]:
    return of[:2]
