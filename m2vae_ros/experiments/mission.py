# SPDX-License-Identifier: Apache-2.0
"""Long missions: is an object still known after a thousand further looks at it?

First every robot senses each object once. Then robots go on looking and telling each other, one
look after the other, by different schedules and under different rules of what a robot keeps, what
it sends and how it fuses. All objects of the evaluation go through it at once, as batches.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import count
from typing import Any, ClassVar, NamedTuple, Protocol

import torch
from torch import Tensor

from m2vae_ros.experiments.counts import Count
from m2vae_ros.fusion.sources import Source, fold, received
from m2vae_ros.vae.baselines import product_of_experts
from m2vae_ros.vae.gaussian import Gaussian
from m2vae_ros.vae.in_place import fuse_in_place
from m2vae_ros.vae.m2vae import M2VAE
from m2vae_ros.vae.weights import Weights

CHECKPOINTS = (0, 1, 2, 3, 10, 30, 100, 300, 1000, 3000, 10_000, 30_000, 100_000)
"""Further looks after which everything is counted."""

FLOAT = 4
"""Bytes of a number that is sent."""

Codes = Mapping[str, Tensor]
"""Modality -> (N, D_m)."""


class Robot(Protocol):
    """One robot under one rule, for N objects at once.

    Attributes:
        title: of the rule, for people.
    """

    title: ClassVar[str]

    def look(self, new: Codes, stamp: int) -> float:
        """Take in readings of its own; an empty `new` is a look at nothing.

        Returns:
            The share of the objects of which they tell something new, which has to be sent.
        """

    def tell(self) -> Any:
        """What it sends after a look, and tells whoever joins."""

    def hear(self, message: Any) -> None:
        """Take in what another robot published."""

    def read(self, weights: Weights) -> Tensor:
        """The probability of each class, (N, classes)."""


@dataclass
class PlainRobot:
    """Eq. 18 as it stands: a robot fuses into the newest embedding, whoever made it."""

    model: M2VAE
    title: ClassVar[str] = "plain Eq. 18"
    mean: Tensor | None = None
    held: frozenset[str] = frozenset()

    def look(self, new: Codes, stamp: int) -> float:
        """See `Robot.look`."""
        self.mean = fuse_in_place(self.model, self.mean, sorted(self.held), new).mean
        self.held |= new.keys()
        return 1.0

    def tell(self) -> tuple[Tensor, frozenset[str]]:
        """See `Robot.tell`."""
        assert self.mean is not None  # after a look
        return self.mean, self.held

    def hear(self, message: tuple[Tensor, frozenset[str]]) -> None:
        """See `Robot.hear`."""
        self.mean, self.held = message

    def read(self, weights: Weights) -> Tensor:
        """See `Robot.read`."""
        probabilities: Tensor = weights.classifiers["embedding"](self.mean)
        return probabilities


class Message(NamedTuple):
    """An embedding as it is sent, of N objects.

    Attributes:
        posterior: mean and log-variance (N, D_z).
        held: modality -> time of the observation.
        reencodings: modality -> how often it was re-encoded.
    """

    posterior: Gaussian
    held: Mapping[str, int]
    reencodings: Mapping[str, int]

    def replaced_by(self, other: Message) -> bool:
        """Whether the other one is as good a source of everything."""
        return all(
            m in other.held
            and (other.held[m], -other.reencodings[m]) >= (stamp, -self.reencodings[m])
            for m, stamp in self.held.items()
        )


@dataclass
class LastingRobot:
    """The rule of `m2vae_ros.fusion`: observations are taken from where they were re-encoded least.

    Attributes:
        min_gain: nats, see `ObjectMemory`.
    """

    model: M2VAE
    min_gain: float
    title: ClassVar[str] = "counted re-encodings (this package)"
    message: Message | None = None
    sources: dict[str, Source] = field(default_factory=dict)
    _heard: list[Message] = field(default_factory=list)

    def look(self, new: Codes, stamp: int) -> float:
        """See `Robot.look`."""
        if not new:
            return 0.0
        looked = {m: Source(code, stamp) for m, code in new.items()}
        known = set() if self.message is None else set(self.message.held)
        if self.message is None or not looked.keys() <= known:
            self._take_in(looked)  # what is replaced at once need not be unfolded
            self._say(fold(self.model, self.sources))
            return 1.0
        self._take_in({})
        after = fold(self.model, self.sources | looked)
        changed = after.kl(fold(self.model, self.sources)) > self.min_gain
        if not changed.any():
            return 0.0

        def updated(now: Tensor, before: Tensor) -> Tensor:
            return now.where(changed[:, None], before)

        before = self.message.posterior
        self.sources |= {
            m: replace(source, code=updated(source.code, self.sources[m].code))
            for m, source in looked.items()
        }
        self._say(
            Gaussian(
                updated(after.mean, before.mean), updated(after.log_variance, before.log_variance)
            )
        )
        return float(changed.float().mean())

    def tell(self) -> Message:
        """See `Robot.tell`."""
        assert self.message is not None  # after a look
        return self.message

    def hear(self, message: Message) -> None:
        """See `Robot.hear`."""
        self.message = message
        self._heard = [old for old in self._heard if not old.replaced_by(message)] + [message]

    def read(self, weights: Weights) -> Tensor:
        """See `Robot.read`."""
        assert self.message is not None
        probabilities: Tensor = weights.classifiers["embedding"](self.message.posterior.mean)
        return probabilities

    def _say(self, posterior: Gaussian) -> None:
        held = {m: source.stamp for m, source in self.sources.items()}
        counts = {m: source.reencodings for m, source in self.sources.items()}
        self.message = Message(posterior, held, counts)

    def _take_in(self, looked: Mapping[str, Source]) -> None:
        """Unfold what was heard; the newest first, so that what is superseded is left alone."""
        known = self.sources | dict(looked)
        for message in reversed(self._heard):
            mean = message.posterior.mean
            known = received(self.model, mean, message.held, message.reencodings, known)
        self.sources = known
        self._heard.clear()


@dataclass
class _KeepingRobot:
    """Keeps one thing of every modality, the newest, and sends all."""

    model: M2VAE
    kept: dict[str, Any] = field(default_factory=dict)

    def look(self, new: Codes, stamp: int) -> float:
        """See `Robot.look`."""
        self.kept |= new
        return 1.0

    def tell(self) -> dict[str, Any]:
        """See `Robot.tell`."""
        return dict(self.kept)

    def hear(self, message: dict[str, Any]) -> None:
        """See `Robot.hear`."""
        self.kept |= message


@dataclass
class ExpertsRobot(_KeepingRobot):
    """No fusion encoder: every robot keeps every single posterior, and multiplies them."""

    title: ClassVar[str] = "product of single posteriors"

    def look(self, new: Codes, stamp: int) -> float:
        """See `Robot.look`."""
        self.kept |= {m: self.model.encode({m: code}) for m, code in new.items()}
        return 1.0

    def read(self, weights: Weights) -> Tensor:
        """See `Robot.read`."""
        mean = product_of_experts([*self.kept.values()]).mean
        probabilities: Tensor = weights.classifiers["embedding"](mean)
        return probabilities


@dataclass
class CodesRobot(_KeepingRobot):
    """No embedding: every robot keeps the newest code of every modality."""

    title: ClassVar[str] = "raw codes, all kept"

    def read(self, weights: Weights) -> Tensor:
        """See `Robot.read`."""
        ordered = [self.kept[m] for m in self.model.modalities]
        probabilities: Tensor = weights.classifiers["raw"](torch.cat(ordered, 1))
        return probabilities


@dataclass(frozen=True)
class Schedule:
    """Who looks when, and at what.

    Attributes:
        title: for people.
        team: robot -> the modality of its sensor; the first robots sense first, one per modality.
        turns: yields the robot that looks next, for ever; drawn from the generator.
        reading: "same": what it read at first; "fresh": a reading of another object of the class;
            "none": it takes what is published, adds nothing, and publishes it.
        relay: whether each look is that of a newcomer, who knows the embedding of the one before
            and nothing else, and is gone after it.
    """

    title: str
    team: Mapping[str, str]
    turns: Callable[[torch.Generator], Iterator[str]]
    reading: str = "fresh"
    relay: bool = False


def schedules(modalities: Sequence[str]) -> dict[str, Schedule]:
    """Every schedule for a suite of modalities, by name."""
    one_each = {f"robot {m}": m for m in modalities}

    def alone(robot: str) -> Callable[[torch.Generator], Iterator[str]]:
        return lambda generator: (robot for _ in count())

    def of(m: str) -> Iterator[tuple[str, Schedule]]:
        robot, second = f"robot {m}", f"second robot {m}"
        yield f"same {m}", Schedule(f"{m} again, the same reading", one_each, alone(robot), "same")
        yield f"fresh {m}", Schedule(f"{m} again, fresh readings", one_each, alone(robot))
        yield (
            f"alternating {m}",
            Schedule(
                f"two robots with {m} in turn",
                {**one_each, second: m},
                lambda generator: ((robot, second)[n % 2] for n in count()),
            ),
        )

    each = sorted((pair for m in modalities for pair in of(m)), key=lambda pair: pair[0].split()[0])
    first = f"robot {modalities[0]}"
    return {
        **dict(each),
        "handed on": Schedule(
            "handed on without a look", one_each, alone(first), reading="none", relay=True
        ),
        "random turns": Schedule(
            "one robot per sensor, in random turn", one_each, lambda g: _turns(list(one_each), 1, g)
        ),
        "long turns": Schedule(
            "one robot per sensor, long turns",
            one_each,
            lambda g: _turns(list(one_each), 300, g),
        ),
        "relay": Schedule(
            f"relay: each look a newcomer's, {modalities[0]}",
            one_each,
            alone(first),
            relay=True,
        ),
    }


def _turns(robots: Sequence[str], longest: int, generator: torch.Generator) -> Iterator[str]:
    """Robots in random turn; the lengths of turns are drawn evenly in their logarithms."""
    while True:
        who = robots[int(torch.randint(len(robots), (), generator=generator))]
        length = longest ** float(torch.rand((), generator=generator))
        yield from [who] * round(length)


@dataclass(frozen=True)
class Objects:
    """What is looked at.

    Attributes:
        codes: modality -> (N, D_m), one reading of each object by each sensor.
        labels: (N,), their classes.
    """

    codes: Codes
    labels: Tensor

    def fresh(self, modality: str, generator: torch.Generator) -> Tensor:
        """For each object the reading of a random one of its class, (N, D_m)."""
        drawn = torch.empty_like(self.labels)
        for label in torch.unique(self.labels):
            (members,) = torch.nonzero(self.labels == label, as_tuple=True)
            drawn[members] = members[
                torch.randint(len(members), (len(members),), generator=generator)
            ]
        return self.codes[modality][drawn]


@dataclass(frozen=True)
class Course:
    """How one mission went.

    Attributes:
        right: looks after the first sensings -> right objects of each class.
        lowest: the lowest accuracy at any time (looked at every tenth look).
        sent: the share of looks that were sent.
        log_variance: looks -> mean of the log-variance, where there is a variance.
    """

    right: Mapping[int, list[int]]
    lowest: float
    sent: float
    log_variance: Mapping[int, float]


@torch.no_grad()
def fly(
    make: Callable[[], Robot],
    weights: Weights,
    schedule: Schedule,
    objects: Objects,
    steps: int,
    seed: int = 0,
    progress: Callable[[int], object] | None = None,
) -> Course:
    """One mission of all objects under one rule.

    Args:
        make: a robot that knows nothing.
        weights: whose classifiers read what is known.
        schedule: of the looks.
        objects: that are looked at.
        steps: looks after the first sensings.
        seed: of readings and turns.
        progress: called with the number of looks since its last call.
    """
    generator = torch.Generator().manual_seed(seed)
    team = {robot: make() for robot in schedule.team}
    clock = count(1)
    for robot in list(team)[: len(objects.codes)]:
        modality = schedule.team[robot]
        team[robot].look({modality: objects.codes[modality]}, next(clock))
        _tell(team, robot)
    for robot in list(team)[len(objects.codes) :]:  # late ones hear what each has to say
        for other in list(team)[: len(objects.codes)]:
            team[robot].hear(team[other].tell())
    # every robot knows by now what the last one to sense has published
    who = list(team)[len(objects.codes) - 1]
    right, variances, lowest, sent = {}, {}, 1.0, 0.0
    turns = schedule.turns(generator)
    for step in range(steps + 1):
        if step:
            before, who = who, next(turns)
            if schedule.relay:
                newcomer = make()
                newcomer.hear(team[before].tell())
                team = {who: newcomer}
            sent += team[who].look(_reading(schedule, who, objects, generator), next(clock))
            _tell(team, who)
        counted = step in CHECKPOINTS or step == steps
        if counted or step % 10 == 0:
            reader = team[who]
            hit = reader.read(weights).argmax(-1) == objects.labels
            lowest = min(lowest, float(hit.float().mean()))
            if counted:
                right[step] = [
                    int(hit[objects.labels == label].sum())
                    for label in torch.unique(objects.labels)
                ]
                if isinstance(reader, LastingRobot):
                    variances[step] = float(reader.tell().posterior.log_variance.mean())
        if progress is not None and (step % 10 == 0 or step == steps):
            progress(min(step, 10) if step % 10 == 0 else step % 10)
    return Course(right, lowest, sent / steps, variances)


def _reading(
    schedule: Schedule, robot: str, objects: Objects, generator: torch.Generator
) -> dict[str, Tensor]:
    modality = schedule.team[robot]
    if schedule.reading == "none":
        return {}
    if schedule.reading == "same":
        return {modality: objects.codes[modality]}
    return {modality: objects.fresh(modality, generator)}


def _tell(team: Mapping[str, Robot], robot: str) -> None:
    message = team[robot].tell()
    for other, listener in team.items():
        if other != robot:
            listener.hear(message)


@dataclass(frozen=True)
class Rule:
    """One way to go on: weights, and what robots do with them.

    Attributes:
        title: for people.
        weights: the twin without re-encoding loss, or not.
        make: a robot that knows nothing.
        per_look, to_newcomer: bytes of numbers that a robot has to send of one object.
    """

    title: str
    weights: Weights
    make: Callable[[], Robot]
    per_look: int
    to_newcomer: int


def rules(weights: Weights, twin: Weights, min_gain: float) -> dict[str, Rule]:
    """Every rule, by name.

    The lasting one, the plain one, both without the re-encoding loss, and the two natural
    alternatives.
    """
    dims = weights.m2vae.config.dims
    embedding = 2 * weights.m2vae.config.latent_dim * FLOAT
    largest, code = max(dims.values()) * FLOAT, sum(dims.values()) * FLOAT
    made: dict[str, Rule] = {}
    for suffix, of, words in (
        ("", weights, ""),
        (" without", twin, ", trained without re-encoding loss"),
    ):
        lasting, plain = partial(LastingRobot, of.m2vae, min_gain), partial(PlainRobot, of.m2vae)
        made["lasting" + suffix] = Rule(
            LastingRobot.title + words, of, lasting, embedding, embedding
        )
        made["plain" + suffix] = Rule(PlainRobot.title + words, of, plain, embedding, embedding)
    experts, codes = partial(ExpertsRobot, weights.m2vae), partial(CodesRobot, weights.m2vae)
    return {
        **made,
        "experts": Rule(ExpertsRobot.title, weights, experts, embedding, embedding * len(dims)),
        "codes": Rule(CodesRobot.title, weights, codes, largest, code),
    }


def to_json(course: Course, per_class: Sequence[int]) -> dict[str, Any]:
    """Everything counted, with 95 % intervals by Wilson's score."""

    def cell(right: Sequence[int]) -> dict[str, Any]:
        hits = Count(sum(right), sum(per_class))
        classes = [r / of for r, of in zip(right, per_class, strict=True)]
        return {"accuracy": hits.accuracy, **hits.to_json(), "classes": classes}

    return {
        "steps": {str(step): cell(right) for step, right in course.right.items()},
        "lowest": course.lowest,
        "sent": course.sent,
        "log_variance": {str(step): value for step, value in course.log_variance.items()},
    }
