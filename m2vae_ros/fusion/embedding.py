# SPDX-License-Identifier: Apache-2.0
"""What travels between robots: one object's embedding and what it was made from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from hashlib import blake2b
from types import MappingProxyType

import numpy as np


@dataclass(frozen=True, eq=False)
class Embedding:
    """A Gaussian in the latent space that stands for everything sensed of one object.

    Immutable: the arrays are read-only copies. Two embeddings are equal if every field is, the
    numbers bit by bit.

    Attributes:
        object_id: the object's name in the team.
        position: x, y, z in metres in `frame`, where the newest observation placed the object.
        frame: the frame of the position.
        held: modality -> time of the observation it holds, in nanoseconds; sorted by modality.
        mean: float32 (D_z,).
        log_variance: float32 (D_z,), the natural logarithm of the variance.
        sender: the robot that computed these numbers.
        fingerprint: the latent space the numbers belong to.
        aliases: other names under which robots met the same object before they knew of each
            other, sorted.
        reencodings: modality -> how often the observation it holds was unfolded and folded again
            since it was sensed, see `m2vae_ros.fusion.sources`; 0 for those that are not named.
        strange: the modalities held whose reading was of nothing that the model knows, see
            `m2vae_ros.fusion.engine.Encoding`.
        instance: a random number of the run of the sender's program, which tells two robots of one
            name apart, and a robot from what it was before it was started again.
        disowned: time in nanoseconds; what is said in the sender's name under this id and disowns
            only until an earlier time is not its own. 0 unless somebody spoke in its name.
        deviation: of the position, the standard deviation along x as along y, metres (a float32);
            0 if that is not known.
        vanished: of one that holds nothing, which is the prior, the time in nanoseconds at which
            its sender saw that nothing stands there any more; else 0.
    """

    object_id: str
    position: tuple[float, float, float]
    frame: str
    held: Mapping[str, int]
    mean: np.ndarray
    log_variance: np.ndarray
    sender: str
    fingerprint: str
    aliases: tuple[str, ...] = ()
    reencodings: Mapping[str, int] = field(default_factory=dict)
    strange: frozenset[str] = frozenset()
    instance: int = 0
    disowned: int = 0
    vanished: int = 0
    deviation: float = 0.0

    def __post_init__(self) -> None:
        held = {modality: int(stamp) for modality, stamp in sorted(self.held.items())}
        object.__setattr__(self, "held", MappingProxyType(held))
        object.__setattr__(self, "vanished", 0 if held else int(self.vanished))
        reencodings = {modality: int(self.reencodings.get(modality, 0)) for modality in held}
        object.__setattr__(self, "reencodings", MappingProxyType(reencodings))
        object.__setattr__(self, "strange", frozenset(self.strange).intersection(held))
        object.__setattr__(self, "position", tuple(float(x) for x in self.position))
        object.__setattr__(self, "deviation", float(np.float32(self.deviation)))
        object.__setattr__(self, "aliases", tuple(sorted(set(self.aliases) - {self.object_id})))
        for name in ("mean", "log_variance"):
            with np.errstate(over="ignore"):  # what float32 cannot hold is inf, and refused as such
                array = np.array(getattr(self, name), dtype=np.float32)
            array.flags.writeable = False
            object.__setattr__(self, name, array)

    @cached_property
    def newest(self) -> int:
        """Time of the newest observation held, or at which nothing was seen, nanoseconds."""
        return max(self.held.values(), default=self.vanished)

    @cached_property
    def names(self) -> frozenset[str]:
        """Every name of the object."""
        return frozenset((self.object_id, *self.aliases))

    @property
    def is_vouched_for(self) -> bool:
        """Whether its sender has sensed some of it, and not only heard of all.

        Or has said it again because somebody spoke in its name, maybe after it was started again.
        """
        return bool(self.held) and (0 in self.reencodings.values() or self.disowned > 0)

    @cached_property
    def digest(self) -> int:
        """64 bits of every field, the same on all machines; who tries for long can choose some."""
        numbers = b"".join(a.astype("<f4").tobytes() for a in (self.mean, self.log_variance))
        fields = repr(self._fields).encode()
        return int.from_bytes(blake2b(fields + numbers, digest_size=8).digest(), "big")

    @cached_property
    def tie_break_key(self) -> tuple[int, int]:
        """A total order on embeddings that hold the same observations: the smallest one counts.

        What was re-encoded less is nearer to what was sensed; then the digest, which is no merit.
        """
        return sum(self.reencodings.values()), self.digest

    @cached_property
    def age_key(self) -> tuple[int, int, int, int]:
        """A total order: the largest is the newest, and of one age the best."""
        reencodings, digest = self.tie_break_key
        return self.newest, sum(self.held.values()), -reencodings, -digest

    def named(self, object_id: str, names: Iterable[str] = ()) -> Embedding:
        """The same embedding of an object of this id that has these names, too."""
        aliases = tuple(sorted(set(names) - {object_id}))
        if (object_id, aliases) == (self.object_id, self.aliases):
            return self
        return replace(self, object_id=object_id, aliases=aliases)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Embedding):
            return NotImplemented
        return self.digest == other.digest and self._fields == other._fields

    def __hash__(self) -> int:
        return self.digest

    @property
    def _fields(self) -> tuple[object, ...]:
        """All but the numbers."""
        names = (self.sender, self.instance, self.object_id, self.aliases, self.fingerprint)
        place = (self.frame, self.position, self.disowned)
        held = (tuple(self.held.items()), tuple(self.reencodings.items()))
        rare = (("vanished", self.vanished), ("deviation", self.deviation))
        return (*names, *place, *held, *sorted(self.strange), *(r for r in rare if r[1]))
