# SPDX-License-Identifier: Apache-2.0
"""What one robot knows of all objects: its own observations and what others told it.

**Which object.** A message that uses a name this robot knows is about that object. A message with
unknown names is about the nearest known object within the gate, which has these names from then
on, or else about a new object. So is an observation that comes without a name; a new object
is then named after the place where it was met. Names of one object travel with its embedding, and
names once joined stay joined, so all robots end with the same names for the same objects; the
lexicographically smallest is the id. Positions move with every observation, but a robot never
joins two objects that it knows because their positions have come close.

**What is known of it.** See `m2vae_ros.fusion.exchange`.

Objects are expected to stand farther apart than twice the gate, and to be placed within half the
gate of where they are; then every object gets exactly one id. Otherwise the robots still agree.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

import numpy as np

from m2vae_ros.fusion.embedding import Embedding
from m2vae_ros.fusion.engine import Engine
from m2vae_ros.fusion.exchange import covers, join, later_part
from m2vae_ros.fusion.validation import (
    LONGEST_NAME,
    MOST_NAMES,
    UnfitEmbedding,
    check,
    check_numbers,
    check_position,
)
from m2vae_ros.sensors import ObservationError
from m2vae_ros.vae.in_place import fuse_in_place

NEVER = -1
"""A time before every stamp."""

Position = tuple[float, float, float]


@dataclass(frozen=True)
class Receipt:
    """What became of a received embedding.

    Attributes:
        kind: "new": of an object of which nothing was held; "adopted": it took the place of what
            was held; "merged": this robot found out something that no message says yet (numbers
            computed from several embeddings, or that two names mean one object), which has to be
            published; "known": nothing to tell anyone.
        embedding: what is now held of the object; None if all of it was forgotten by a reset.
    """

    kind: Literal["new", "adopted", "merged", "known"]
    embedding: Embedding | None


@dataclass(frozen=True)
class _Object:
    """One object; after a reset without embedding, and deaf to evidence up to `forgotten` ns."""

    names: frozenset[str]
    position: Position
    embedding: Embedding | None
    forgotten: int = NEVER

    @cached_property
    def id(self) -> str:
        return min(self.names)

    @cached_property
    def newest(self) -> int:
        return self.forgotten if self.embedding is None else self.embedding.newest


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

        Raises:
            ValueError: an empty name or a number out of range.
        """
        if not 0 < len(owner) <= LONGEST_NAME or not frame:
            raise ValueError(f"owner {owner!r} and frame {frame!r} must be names")
        if not (0.0 < gate_m < math.inf and tolerance_ns >= 0 and max_objects > 0):
            raise ValueError(
                f"gate_m {gate_m} and max_objects {max_objects} must be positive, "
                f"tolerance_ns {tolerance_ns} not negative"
            )
        self.engine = engine
        self.owner = owner
        self.gate_m = gate_m
        self.frame = frame
        self.tolerance_ns = tolerance_ns
        self.max_objects = max_objects
        self._objects: dict[str, _Object] = {}
        self._ids: dict[str, str] = {}  # any name -> id

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
    ) -> Embedding | None:
        """Fuse this robot's own observations of one object in place (Eq. 18).

        A modality already held is replaced, so nothing counts twice; an observation that is not
        newer than the one held, or than a reset, is ignored.

        Args:
            object_id: a name of the object; None for the nearest object within the gate, or else a
                new one.
            position: x, y, z of the object in metres, in the memory's frame.
            codes: modality -> the engine's code of the observation (D_m,); at least one.
            stamps: modality -> time of the observation, nanoseconds, for each of `codes`.

        Returns:
            The embedding now held, to be published; None if the observations told nothing new.

        Raises:
            ObservationError: names the field that does not fit and why.
        """
        self._check_observation(object_id, position, codes, stamps)
        position = tuple(float(coordinate) for coordinate in position)
        given = () if object_id is None else (object_id,)
        met = self._named(given) or self._near(position)
        names = given or (met[0].names if met else [self._new_name(position)])
        try:
            names = _joined_names(*(o.names for o in met), names)
        except UnfitEmbedding as error:
            raise ObservationError(f"object_id: {error}") from error

        before = met[0].embedding if met else None
        held = dict(before.held) if before else {}
        forgotten = met[0].forgotten if met else NEVER
        new = {m: int(t) for m, t in stamps.items() if t > max(held.get(m, NEVER), forgotten)}
        if new:
            after = self._fused(before, names, position, {m: codes[m] for m in new}, new)
        elif before is None or names == before.names:
            return None
        else:
            after = before.named(names)
        self._replace(met, _Object(names, after.position, after, forgotten))
        return after

    def receive(self, embedding: Embedding, now_ns: int) -> Receipt:
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
        before = [o.embedding for o in met if o.embedding is not None]
        held = self._later(before, forgotten)
        told = self._later([embedding], forgotten, known=held)
        if not held and not told:
            self._replace(met, _Object(names, met[0].position, None, forgotten))
            return Receipt("known", None)

        joined = join(self.engine, self.owner, [*told, *held])
        after = _Object(names, joined.position, joined.named(names), forgotten)
        if met == [after]:
            return Receipt("known", after.embedding)
        self._replace(met, after)
        computed = joined.rank not in {e.rank for e in (embedding, *before)}
        if computed or by_place:
            return Receipt("merged", after.embedding)
        return Receipt("adopted" if before else "new", after.embedding)

    def reset(self, object_id: str, now_ns: int) -> bool:
        """Forget an object: what was sensed of it until now is ignored from here on.

        Others are not told; what they sense or sensed later brings the object back under the same
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
        self._replace(found, replace(found[0], embedding=None, forgotten=forgotten))
        return found[0].embedding is not None

    def _fused(
        self,
        before: Embedding | None,
        names: frozenset[str],
        position: Position,
        codes: Mapping[str, np.ndarray],
        stamps: Mapping[str, int],
    ) -> Embedding:
        held = dict(before.held) if before else {}
        posterior = fuse_in_place(self.engine, before.mean if before else None, held, codes)
        late = before is not None and max(stamps.values()) < before.newest
        after = Embedding(
            object_id=min(names),
            position=before.position if late else position,
            frame=self.frame,
            held={**held, **stamps},
            mean=posterior.mean,
            log_variance=posterior.log_variance,
            sender=self.owner,
            fingerprint=self.engine.fingerprint,
            aliases=tuple(names),
        )
        try:
            check_numbers(after, self.engine)
        except UnfitEmbedding as error:
            raise ObservationError(f"{', '.join(codes)}: the model gives {error}") from error
        return after

    def _later(
        self, embeddings: Iterable[Embedding], after_ns: int, known: Sequence[Embedding] = ()
    ) -> list[Embedding]:
        """The parts later than a reset; one that was cut and is `known` anyway is not computed."""
        parts = []
        for embedding in embeddings:
            later = {m: t for m, t in embedding.held.items() if t > after_ns}
            if len(later) < len(embedding.held) and any(covers(k.held, later) for k in known):
                continue
            part = later_part(self.engine, self.owner, embedding, after_ns)
            if part is not None:
                parts.append(part)
        return parts

    def _named(self, names: Iterable[str]) -> list[_Object]:
        ids = {self._ids[name] for name in names if name in self._ids}
        return [self._objects[id] for id in sorted(ids)]

    def _near(self, position: Position) -> list[_Object]:
        near = self._nearest(position, self._objects.values())
        return [near] if near else []

    def _nearest(self, position: Sequence[float], among: Iterable[_Object]) -> _Object | None:
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


def _joined_names(*names: Iterable[str]) -> frozenset[str]:
    joined = frozenset().union(*names)
    if len(joined) > MOST_NAMES:
        raise UnfitEmbedding(
            "object_id", f"{len(joined)} names for one object, at most {MOST_NAMES}"
        )
    return joined
