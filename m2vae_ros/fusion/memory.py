# SPDX-License-Identifier: Apache-2.0
"""What one robot knows of all objects: its own observations and the embeddings of others.

**Which object.** A message that uses a name this robot knows is about that object. A message with
unknown names is about the nearest known object within the gate, which has these names from then
on, or else about a new object. So is an observation that comes without a name; a new object
is then named after the place where it was met. Names of one object travel with its embedding, and
names once joined stay joined, so all robots end with the same names for the same objects; the
lexicographically smallest is the id. Positions move with every observation, but a robot never
joins two objects that it knows because their positions have come close.

**What is known of it.** See `m2vae_ros.fusion.exchange` for what counts when robots differ, and
`m2vae_ros.fusion.sources` for why it lasts however often robots look again. A look that tells
nothing new changes nothing.

Objects are expected to stand farther apart than twice the gate, and to be placed within half the
gate of where they are; then every object gets exactly one id. Otherwise the robots still agree.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Literal

import numpy as np

from m2vae_ros.fusion.embedding import Embedding
from m2vae_ros.fusion.engine import Engine
from m2vae_ros.fusion.exchange import folded, join
from m2vae_ros.fusion.sources import Source, Sources, best, fold, information_gain, received
from m2vae_ros.fusion.validation import (
    LONGEST_NAME,
    MOST_NAMES,
    UnfitEmbedding,
    check,
    check_position,
)
from m2vae_ros.sensors import ObservationError

NEVER = -1
"""A time before every stamp."""

MIN_GAIN = 10.0
"""Nats; what a further look has to tell to be fused and sent. Of the AMiRo's sensors, looks at an
object of another class gained at least 26 (docs/mathematics.md)."""

MOVED = 0.25
"""Share of the gate by which an object has to be found elsewhere for that to be news."""

Position = tuple[float, float, float]


@dataclass(frozen=True)
class Outcome:
    """What became of an observation or of a received embedding.

    Attributes:
        kind: of an observation "fused", which has to be published, or "confirmed": it tells nothing
            that was not known. Of an embedding "new": of an object of which nothing was held;
            "adopted": it took the place of what was held; "merged": this robot found out something
            that no message says yet (numbers computed from several embeddings, or that two names
            mean one object), which has to be published. Of both "known": not newer than what is
            held.
        embedding: what is now held of the object; None if all of it was forgotten by a reset, or
            nothing was held and nothing is.
    """

    kind: Literal["fused", "confirmed", "new", "adopted", "merged", "known"]
    embedding: Embedding | None


@dataclass(frozen=True, eq=False)
class _Object:
    """One object; after a reset without embedding, and deaf to evidence up to `forgotten` ns.

    The sources are of the very observations that the embedding holds; `confirmed` is the time of
    the newest look that changed nothing.
    """

    names: frozenset[str]
    position: Position
    embedding: Embedding | None = None
    sources: Sources = field(default_factory=dict)
    forgotten: int = NEVER
    confirmed: int = NEVER

    @cached_property
    def id(self) -> str:
        return min(self.names)

    @cached_property
    def newest(self) -> int:
        held = self.forgotten if self.embedding is None else self.embedding.newest
        return max(held, self.confirmed)


class ObjectMemory:
    """The objects one robot knows, and the rules by which that changes.

    Whatever a method raises, nothing held has changed. Not safe for use from several threads.
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
    ) -> None:
        """Start with nothing known.

        Args:
            engine: the model that gives embeddings their meaning.
            owner: this robot's name, the sender of what it computes.
            gate_m: metres; a nameless observation this close to an object is one of it.
            frame: the frame of all positions; embeddings in another one are refused.
            tolerance_ns: how far ahead of this robot's clock the stamps of others may be.
            max_objects: how many objects are kept, those that were reset included. Beyond it the
                one whose newest evidence is the oldest is dropped.
            min_gain: nats; a further look by a sensor whose observation is held already changes
                nothing unless the posterior diverges by more than this from what it was.
            by_place: whether a place tells which object it is; else only a name does, and a place
                is where it was last met.

        Raises:
            ValueError: an empty name or a number out of range.
        """
        if not 0 < len(owner) <= LONGEST_NAME or not frame:
            raise ValueError(f"owner {owner!r} and frame {frame!r} must be names")
        if max_objects <= 0:
            raise ValueError(f"max_objects {max_objects} must be positive")
        self.engine = engine
        self.owner = owner
        self.frame = frame
        self.max_objects = max_objects
        self.by_place = by_place
        self.adjust(gate_m, tolerance_ns, min_gain)
        self._objects: dict[str, _Object] = {}
        self._ids: dict[str, str] = {}  # any name -> id

    def adjust(self, gate_m: float, tolerance_ns: int, min_gain: float) -> None:
        """Go by other numbers from now on, see `__init__`; what is held stays as it is.

        Raises:
            ValueError: a number out of range.
        """
        if not (0.0 < gate_m < math.inf and tolerance_ns >= 0 and min_gain >= 0):
            raise ValueError(
                f"gate_m {gate_m} must be positive, tolerance_ns {tolerance_ns} and "
                f"min_gain {min_gain} not negative"
            )
        self.gate_m = gate_m
        self.tolerance_ns = tolerance_ns
        self.min_gain = min_gain

    def objects(self) -> list[Embedding]:
        """What is held of every object, sorted by id; telling it all again is always harmless."""
        held = (self._objects[name].embedding for name in sorted(self._objects))
        return [embedding for embedding in held if embedding is not None]

    def get(self, object_id: str) -> Embedding | None:
        """What is held of the object that has this name; None if nothing is."""
        found = self._named([object_id])
        return found[0].embedding if found else None

    def nearest(self, position: Sequence[float]) -> Embedding | None:
        """What is held of the nearest object within the gate of x, y, z; None if nothing is."""
        near = self._nearest(position, (o for o in self._objects.values() if o.embedding))
        return near.embedding if near else None

    def observe(
        self,
        object_id: str | None,
        position: Sequence[float],
        codes: Mapping[str, np.ndarray],
        stamps: Mapping[str, int],
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

        Returns:
            What became of it; if its kind is "fused", its embedding has to be published.

        Raises:
            ObservationError: names the field that does not fit and why.
        """
        self._check_observation(object_id, position, codes, stamps)
        x, y, z = (float(coordinate) for coordinate in position)
        place = (x, y, z)
        given = () if object_id is None else (object_id,)
        met = self._named(given) or self._near(place)
        names = given or (met[0].names if met else [self._new_name(place)])
        try:
            names = _joined_names(*(o.names for o in met), names)
        except UnfitEmbedding as error:
            raise ObservationError(f"object_id: {error}") from error

        known = met[0] if met else _Object(names, place)
        before = known.embedding
        oldest = {m: source.stamp for m, source in known.sources.items()}
        new = {
            m: Source(np.array(codes[m], dtype=np.float32), int(stamp))
            for m, stamp in stamps.items()
            if stamp > max(oldest.get(m, NEVER), known.forgotten)
        }
        if new:
            after = self._fused(known, names, place, new)
            if names == known.names and self._tells_nothing(known, after, new):
                newest = max(known.confirmed, *(source.stamp for source in new.values()))
                self._replace(met, replace(known, confirmed=newest))
                return Outcome("confirmed", before)
        elif before is None or names == before.names:
            return Outcome("known", before)
        else:
            after = before.named(names)
        self._replace(
            met,
            replace(
                known,
                names=names,
                position=after.position,
                embedding=after,
                sources={**known.sources, **new},
            ),
        )
        return Outcome("fused", after)

    def receive(self, embedding: Embedding, now_ns: int) -> Outcome:
        """Take in what another robot, or this one, has published.

        Args:
            embedding: the message.
            now_ns: this robot's time, nanoseconds.

        Returns:
            What became of it; if its kind is "merged", its embedding has to be published.

        Raises:
            UnfitEmbedding: the embedding does not fit, or there is no room for an object whose
                evidence is older than that of all others.
        """
        check(embedding, self.engine, now_ns, self.tolerance_ns, self.frame)
        met = self._named(embedding.names)
        by_place = [] if met else self._near(embedding.position)
        met = met or by_place
        if not met:
            self._check_room(embedding)
        names = _joined_names(embedding.names, *(o.names for o in met))
        forgotten = max((o.forgotten for o in met), default=NEVER)
        confirmed = max((o.confirmed for o in met), default=NEVER)
        before = [o.embedding for o in met if o.embedding is not None]
        sources: Sources = {}
        for known in met:
            sources = best(sources, known.sources)
        sources = _later(sources, forgotten)
        sources = received(
            self.engine,
            embedding.mean,
            embedding.held,
            embedding.reencodings,
            sources,
            after=forgotten,
        )
        if not all(np.isfinite(source.code).all() for source in sources.values()):
            raise UnfitEmbedding(
                "not_finite", "the model decodes the mean to NaN or infinite values"
            )
        if not sources:
            self._replace(met, _Object(names, met[0].position, forgotten=forgotten))
            return Outcome("known", None)

        joined = join(self.engine, self.owner, [embedding, *before], sources).named(names)
        after = _Object(names, joined.position, joined, sources, forgotten, confirmed)
        self._replace(met, after)  # the sources may be better even where the embedding is known
        if [o.names for o in met] == [names] and before == [joined]:
            return Outcome("known", joined)
        computed = joined.tie_break_key not in {e.tie_break_key for e in (embedding, *before)}
        if computed or by_place:
            return Outcome("merged", joined)
        return Outcome("adopted" if before else "new", joined)

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
        found = self._named([object_id])
        if not found:
            return False
        forgotten = max(now_ns, found[0].newest)
        self._replace(found, replace(found[0], embedding=None, sources={}, forgotten=forgotten))
        return found[0].embedding is not None

    def _fused(
        self, known: _Object, names: frozenset[str], position: Position, new: Sources
    ) -> Embedding:
        before = known.embedding
        if before is not None and max(s.stamp for s in new.values()) < before.newest:
            position = before.position
        place = Embedding(
            object_id=min(names),
            position=position,
            frame=self.frame,
            held={},
            mean=np.empty(0),
            log_variance=np.empty(0),
            sender=self.owner,
            fingerprint=self.engine.fingerprint,
            aliases=tuple(names),
        )
        try:
            return folded(self.engine, self.owner, place, {**known.sources, **new})
        except UnfitEmbedding as error:
            raise ObservationError(f"{', '.join(new)}: the model gives {error}") from error

    def _tells_nothing(self, known: _Object, after: Embedding, new: Sources) -> bool:
        """Whether an object looks as it did, and stands where it did."""
        if not new.keys() <= known.sources.keys():
            return False
        moved = math.dist(after.position, known.position)
        if self.by_place and moved > MOVED * self.gate_m:
            return False
        # both folded from sources: what re-encoding does to an adopted embedding is no news
        return information_gain(after, fold(self.engine, known.sources)) <= self.min_gain

    def _named(self, names: Iterable[str]) -> list[_Object]:
        ids = {self._ids[name] for name in names if name in self._ids}
        return [self._objects[id] for id in sorted(ids)]

    def _near(self, position: Position) -> list[_Object]:
        near = self._nearest(position, self._objects.values())
        return [near] if near else []

    def _nearest(self, position: Sequence[float], among: Iterable[_Object]) -> _Object | None:
        if not self.by_place:
            return None
        near = [
            (d, o.id, o) for o in among if (d := math.dist(position, o.position)) <= self.gate_m
        ]
        return min(near)[-1] if near else None

    def _new_name(self, position: Position) -> str:
        """A name from the place: the same for all who meet an object at the same centimetre."""
        x, y, z = (f"{round(c, 2) + 0.0:.2f}" for c in position)  # + 0.0: no "-0.00"
        name = f"at_{x}_{y}" if z == "0.00" else f"at_{x}_{y}_{z}"
        while name in self._ids:  # an object that has moved on was once met here
            name += "'"
        return name

    def _replace(self, old: Iterable[_Object], new: _Object) -> None:
        for gone in old:
            self._forget(gone)
        self._objects[new.id] = new
        self._ids.update(dict.fromkeys(new.names, new.id))
        if len(self._objects) > self.max_objects:
            others = (o for o in self._objects.values() if o is not new)
            self._forget(min(others, key=lambda o: (o.newest, o.id)))

    def _forget(self, gone: _Object) -> None:
        del self._objects[gone.id]
        for name in gone.names:
            del self._ids[name]

    def _check_room(self, embedding: Embedding) -> None:
        if len(self._objects) < self.max_objects:
            return
        if embedding.newest <= min(o.newest for o in self._objects.values()):
            raise UnfitEmbedding(
                "full", f"{self.max_objects} objects with newer evidence are held already"
            )

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


def _later(sources: Sources, after_ns: int) -> dict[str, Source]:
    """Those that are newer than a reset."""
    return {m: source for m, source in sources.items() if source.stamp > after_ns}


def _joined_names(*names: Iterable[str]) -> frozenset[str]:
    joined = frozenset().union(*names)
    if len(joined) > MOST_NAMES:
        raise UnfitEmbedding(
            "object_id", f"{len(joined)} names for one object, at most {MOST_NAMES}"
        )
    return joined
