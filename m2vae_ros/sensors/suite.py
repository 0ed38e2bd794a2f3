# SPDX-License-Identifier: Apache-2.0
"""Sensor suites: all that a system is made of, as plain data. `docs/own-sensors.md` explains it."""

from __future__ import annotations

import itertools
import keyword
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

import numpy as np

from m2vae_ros.sensors.plain import PlainError, build
from m2vae_ros.sensors.sensing_range import SensingRange
from m2vae_ros.sensors.sizes import (
    LARGEST_LAYER,
    MOST_WEIGHTS,
    check_layers,
    weights_of_beta_vae,
    weights_of_fusion,
)
from m2vae_ros.sensors.view import View
from m2vae_ros.sensors.viewpoint import Viewpoint
from m2vae_ros.sensors.views import view_of

MOST_MODALITIES = 8
"""There are 2^|M| - 1 encoders."""

MOST_CLASSES = 1024

MOST_VALUES = 2**22
"""Of one view."""

LONGEST_CLASS = 64
"""Characters of the name of a class, or of one attribute's value."""

PARAMETERS = (
    "robot",
    "weights",
    "modalities",
    "device",
    "global_frame",
    "base_frame",
    "gate",
    "place_noise",
    "max_speed",
    "max_turn",
    "odometry_tolerance",
    "position_noise",
    "heading_noise",
    "max_surprise",
    "min_gain",
    "join_time",
    "period",
    "stamp_tolerance",
    "forget_after",
    "keep_when_time_jumps_back",
    "objects",
    "outputs",
)
"""Parameters of the fusion node, beside which it has a group for each modality, by its name."""

_NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")
_TOPIC = re.compile(r"/?[A-Za-z_][A-Za-z0-9_]*(/[A-Za-z_][A-Za-z0-9_]*)*", re.ASCII)
_TYPE = re.compile(r"[a-z][a-z0-9_]*/msg/[A-Z][A-Za-z0-9]*")


@dataclass(frozen=True)
class BetaVAESpec:
    """The preprocessing of a modality, as plain data: nothing here needs torch.

    Attributes:
        latent_dim: D_m, of the code.
        hidden: sizes of the encoder's dense layers; the decoder's are the same in reverse.
        channels: of convolutions before them, each of stride 2; then there is one dense layer.
        beta_norm: β_norm; β = β_norm · D_x / D_m.
        normalised: whether each dimension of the code is brought to mean 0 and variance 1.
        epochs: of the training.
        batch_size: samples a step; few samples need small batches, to have steps enough.
    """

    latent_dim: int = 10
    hidden: tuple[int, ...] = (128,)
    channels: tuple[int, ...] = ()
    beta_norm: float = 1e-3
    normalised: bool = False
    epochs: int = 20
    batch_size: int = 256


@dataclass(frozen=True)
class FusionSpec:
    """The M2VAE, as plain data.

    Attributes:
        latent_dim: D_z.
        hidden: sizes of each modality's trunk.
        joint: size of the layer behind the trunks of two or more modalities.
        beta_norm: β_norm, the same for all subsets.
        alpha: weight of the re-encoding loss (Eq. 19).
        epochs: of the training.
        batch_size: samples a step.
        min_gain: nats; a further look has to tell that much to be fused and sent.
        cross: how much each subset has to tell of the modalities it lacks while it is trained; 0 is
            Eq. 17 alone, see `m2vae_ros.vae.objectives.cross_bound`.
    """

    latent_dim: int = 10
    hidden: tuple[int, ...] = (128, 64)
    joint: int = 64
    beta_norm: float = 1e-3
    alpha: float = 0.1
    epochs: int = 40
    batch_size: int = 256
    min_gain: float = 10.0
    cross: float = 0.0

    def __post_init__(self) -> None:
        for name in ("alpha", "min_gain", "cross"):
            if not 0.0 <= getattr(self, name) < math.inf:
                raise ValueError(f"{name}: must not be negative, it is {getattr(self, name)}")


@dataclass(frozen=True)
class About:
    """What an observation is about.

    Attributes:
        kind: "objects": what stands before the robot, by its pose and place; "robot": the robot
            itself, what it drives on or does; "topic": what a topic says.
        topic: of the last, below the robot's namespace unless it begins with "/".
        type: of its messages: std_msgs/String (a name), geometry_msgs/PointStamped (a place) or
            vision_msgs/Detection3DArray (both).
        seconds: how long what it says holds.
    """

    kind: Literal["objects", "robot", "topic"] = "objects"
    topic: str = ""
    type: str = ""
    seconds: float = 1.0

    def __post_init__(self) -> None:
        if self.kind != "topic":
            if self.topic or self.type:
                raise ValueError(f"topic, type: only of the kind topic, not {self.kind}")
        elif not _TOPIC.fullmatch(self.topic):
            raise ValueError(f"topic: {self.topic!r} is no topic")
        elif self.type not in ABOUT_TYPES:
            raise ValueError(f"type: {self.type!r} is not one of {', '.join(ABOUT_TYPES)}")
        if not 0.0 < self.seconds < math.inf:
            raise ValueError(f"seconds: must be positive, not {self.seconds}")

    @property
    def by_place(self) -> bool:
        """Whether a place tells which object it is; else only its name does."""
        return self.kind == "objects" or self.type not in ("", STRING)

    @property
    def placed(self) -> bool:
        """Whether what it is about stands somewhere; else its position says nothing."""
        return self.by_place or self.kind == "robot"


STRING = "std_msgs/msg/String"

ABOUT_TYPES = (
    STRING,
    "geometry_msgs/msg/PointStamped",
    "vision_msgs/msg/Detection3DArray",
)


@dataclass(frozen=True)
class Sampling:
    """How readings of bags become samples.

    Attributes:
        pairing: which readings go together: those of one "object", or of one "time".
        tolerance: seconds between readings of one time, at most.
        labels: topic of std_msgs/String with the class from then on, below each robot's namespace
            unless it begins with "/"; "name": the name of what is sensed says it, as that of an
            object in a world; "": nobody says it, and there is no classifier.
        split: what lies wholly in one part, so that test data are unseen: a "bag", an "object" or
            an "episode", which ends where nothing came for `pause` seconds.
        pause: see `split`.
        validation: share of them that the training is stopped by.
    """

    pairing: Literal["object", "time"] = "object"
    tolerance: float = 0.1
    labels: str = "name"
    split: Literal["bag", "object", "episode"] = "bag"
    pause: float = 1.0
    validation: float = 0.0

    def __post_init__(self) -> None:
        if self.pairing == "object" and self.split == "episode":
            raise ValueError("split: readings of one object may be of several episodes")
        if self.labels and not _TOPIC.fullmatch(self.labels):
            raise ValueError(f"labels: {self.labels!r} is no topic, nor 'name'")
        if not 0.0 <= self.tolerance < math.inf:
            raise ValueError(f"tolerance: must not be negative, it is {self.tolerance}")
        if not 0.0 < self.pause < math.inf:
            raise ValueError(f"pause: must be positive, not {self.pause}")
        if not 0.0 <= self.validation < 1.0:
            raise ValueError(f"validation: must be in [0, 1), not {self.validation}")


@dataclass(frozen=True)
class Modality:
    """One kind of sensor.

    Attributes:
        name: of the modality, and of the sensor in a world file.
        topic: below a robot's namespace, unless it begins with "/".
        type: of the messages, such as "sensor_msgs/msg/Image".
        view: from a message to what the model takes.
        beta_vae: its preprocessing.
        title: for people.
        range: from where the sensor looks at an object; None if observations are not of objects.
        viewpoint: where robots go to look, and around which simulated samples are taken.
        reading_bytes: of one raw reading, to compare with what an embedding takes; 0: not known.
        finds_objects: whether a reading shows where something stands ahead: a planar laser scan.
    """

    name: str
    topic: str
    type: str
    view: View
    beta_vae: BetaVAESpec = BetaVAESpec()
    title: str = ""
    range: SensingRange | None = None
    viewpoint: Viewpoint | None = None
    reading_bytes: int = 0
    finds_objects: bool = False

    @property
    def weights(self) -> int:
        """How many its β-VAE has, but for some biases.

        Raises:
            ValueError: names the field of the β-VAE that does not fit the view.
        """
        spec = self.beta_vae
        return weights_of_beta_vae(self.view.shape, spec.latent_dim, spec.hidden, spec.channels)


class SensorSuite(Mapping[str, Modality]):
    """All modalities of a system, by name and in order, and the classes of what is sensed.

    Attributes:
        name: of the suite.
        about: what an observation is about.
        attributes: name -> its values; the classes are all their combinations. Classes that are
            merely listed are the values of one attribute, "class".
        classes: their names, in order; none, if there are no attributes.
        fusion: the M2VAE.
        sampling: how readings of bags become samples.
    """

    def __init__(
        self,
        name: str,
        modalities: Sequence[Modality],
        attributes: Mapping[str, Sequence[str]] | None = None,
        about: About | None = None,
        fusion: FusionSpec | None = None,
        sampling: Sampling | None = None,
    ) -> None:
        """Raises PlainError: see `from_plain`."""
        self.name = name
        self.about = about or About()
        self.attributes = {key: tuple(values) for key, values in (attributes or {}).items()}
        combinations = itertools.product(*self.attributes.values()) if self.attributes else ()
        self.classes = tuple(map(" ".join, combinations))
        self.fusion = fusion or FusionSpec()
        self.sampling = sampling or Sampling()
        self._modalities = {modality.name: modality for modality in modalities}

    @property
    def views(self) -> dict[str, View]:
        """The view of each modality."""
        return {name: modality.view for name, modality in self.items()}

    @property
    def weights_of_fusion(self) -> int:
        """How many the M2VAE has, but for biases."""
        return _weights_of_fusion(self.values(), self.fusion)

    def attributes_of(self, labels: Any) -> np.ndarray:
        """Of each class, given as its index, the index of each attribute's value: int64 (N, A)."""
        shape = tuple(map(len, self.attributes.values()))
        return np.stack(np.unravel_index(np.asarray(labels, dtype=np.int64), shape), axis=-1)

    def class_named(self, name: str) -> str | None:
        """The class that the name of an object says, or None if it says none.

        Underscores stand for spaces, and a further object of the class ends on a number:
        `red_box_mat`, `red_box_mat_2`.
        """
        if name in self.classes:
            return name
        words = _words(name)
        known = {_words(each): each for each in self.classes}
        if words not in known and words and words[-1].isdigit():
            words = words[:-1]
        return known.get(words)

    @classmethod
    def from_plain(cls, plain: object) -> SensorSuite:
        """The suite that plain data describe, as `to_plain` gives them.

        Raises:
            PlainError: names the field that does not fit.
        """
        if not isinstance(plain, Mapping):
            raise PlainError("not a table of fields")
        known = ("name", "about", "classes", "modalities", "fusion", "sampling")
        for key in plain:
            if key not in known:
                raise PlainError(f"{key}: no such field; there are {', '.join(known)}")
        name = plain.get("name")
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            raise PlainError(f"name: {name!r} must be a name such as my_suite")
        about = plain.get("about", "objects")
        about = build(About, {"kind": about} if isinstance(about, str) else about, "about")
        modalities = plain.get("modalities")
        if not isinstance(modalities, Mapping) or not modalities:
            raise PlainError("modalities: must be a table with at least one modality")
        if len(modalities) > MOST_MODALITIES:
            raise PlainError(
                f"modalities: {len(modalities)}, at most {MOST_MODALITIES} are possible"
            )
        made = [_modality(each, fields, about) for each, fields in modalities.items()]
        fusion = build(FusionSpec, plain.get("fusion", {}), "fusion")
        _check_network("fusion", fusion)
        _check_size(made, fusion)
        sampling = build(Sampling, plain.get("sampling", {}), "sampling")
        suite = cls(name, made, _attributes(plain.get("classes")), about, fusion, sampling)
        known_words = [_words(each) for each in suite.classes]
        if len(set(known_words)) < len(known_words):
            raise PlainError("classes: two of them have the same name")
        if suite.classes and not sampling.labels:
            raise PlainError("sampling.labels: is empty, but there are classes: who says which?")
        return suite

    def to_plain(self) -> dict[str, Any]:
        """The suite as plain data, for files: `from_plain` makes an equal one of it."""
        plain: dict[str, Any] = {"name": self.name, "about": asdict(self.about)}
        if self.attributes:
            plain["classes"] = {key: list(values) for key, values in self.attributes.items()}
        plain["modalities"] = {}
        for name, modality in self.items():
            fields = {k: v for k, v in asdict(modality).items() if v is not None and k != "name"}
            plain["modalities"][name] = {**fields, "view": modality.view.to_card()}
        plain["fusion"] = asdict(self.fusion)
        if not self.fusion.cross:  # so cards and samples of before stay what they are
            del plain["fusion"]["cross"]
        plain["sampling"] = asdict(self.sampling)
        lists: dict[str, Any] = _listed(plain)
        return lists

    def __getitem__(self, name: str) -> Modality:
        return self._modalities[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._modalities)

    def __len__(self) -> int:
        return len(self._modalities)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SensorSuite) and self.to_plain() == other.to_plain()

    def __hash__(self) -> int:
        return hash((self.name, self.classes, tuple(self)))


@dataclass(frozen=True)
class _ModalityFields:
    """Of a modality in a file, but for its view."""

    topic: str
    type: str
    title: str = ""
    range: SensingRange | None = None
    viewpoint: Viewpoint | None = None
    beta_vae: BetaVAESpec = field(default_factory=BetaVAESpec)
    reading_bytes: int = 0
    finds_objects: bool = False


def check_modality_name(name: object) -> str:
    """The name of a modality, if it can be one.

    Raises:
        PlainError: it cannot.
    """
    if not isinstance(name, str) or not _NAME.fullmatch(name) or keyword.iskeyword(name):
        raise PlainError(f"modalities: {name!r} must be a name such as front_camera")
    if name in PARAMETERS:
        raise PlainError(f"modalities: {name!r} is the name of a parameter of the fusion node")
    return name


def _modality(name: object, fields: object, about: About) -> Modality:
    name = check_modality_name(name)
    where = f"modalities.{name}"
    if not isinstance(fields, Mapping):
        raise PlainError(f"{where}: not a table of fields")
    rest = dict(fields)
    if "view" not in rest:
        raise PlainError(f"{where}.view: is missing")
    view = view_of(rest.pop("view"), f"{where}.view")
    for group, kind in (
        ("range", SensingRange),
        ("viewpoint", Viewpoint),
        ("beta_vae", BetaVAESpec),
    ):
        if rest.get(group) is not None:  # each by itself, so that unknown fields are found
            build(kind, rest[group], f"{where}.{group}")
    made = build(_ModalityFields, rest, where)
    if not _TOPIC.fullmatch(made.topic):
        raise PlainError(f"{where}.topic: {made.topic!r} is no topic")
    if not _TYPE.fullmatch(made.type):
        raise PlainError(
            f"{where}.type: {made.type!r} is no type of messages, such as sensor_msgs/msg/Image"
        )
    if view.types and made.type not in view.types:
        raise PlainError(
            f"{where}.type: is {made.type}, but the view {view.kind} reads "
            f"{' or '.join(view.types)}"
        )
    if about.kind == "objects" and made.range is None:
        raise PlainError(f"{where}.range: is missing: from where does it look at an object?")
    if made.range is not None and about.kind == "topic" and not about.by_place:
        raise PlainError(f"{where}.range: what is of a {about.type} has a name, and no place")
    if made.reading_bytes < 0:
        raise PlainError(f"{where}.reading_bytes: {made.reading_bytes} must not be negative")
    size = math.prod(view.shape)
    if size > MOST_VALUES:
        raise PlainError(
            f"{where}.view: {' × '.join(map(str, view.shape))} are {size} values, at most "
            f"{MOST_VALUES} are possible"
        )
    _check_network(f"{where}.beta_vae", made.beta_vae)
    return Modality(name=name, view=view, **{**vars(made), "title": made.title or name})


def _check_network(where: str, spec: BetaVAESpec | FusionSpec) -> None:
    """Make sure that a network can be built and trained."""
    try:
        check_layers(spec.latent_dim, spec.hidden, getattr(spec, "channels", ()))
    except ValueError as error:
        raise PlainError(f"{where}.{error}") from error
    for name in ("beta_norm", "alpha", "cross"):
        if not 0.0 <= getattr(spec, name, 0.0) < math.inf:
            raise PlainError(f"{where}.{name}: {getattr(spec, name)} must not be negative")
    if not 1 <= getattr(spec, "joint", 1) <= LARGEST_LAYER:
        raise PlainError(f"{where}.joint: must be from 1 to {LARGEST_LAYER}")
    if not 2 <= spec.batch_size <= 2**20:
        raise PlainError(f"{where}.batch_size: {spec.batch_size} must be from 2 to a million")
    if not 1 <= spec.epochs <= 10**6:
        raise PlainError(f"{where}.epochs: {spec.epochs} must be from 1 to a million")


def _check_size(modalities: Sequence[Modality], fusion: FusionSpec) -> None:
    """Make sure that all networks together fit into memory, before any is taken."""
    total = 0
    for modality in modalities:
        where = f"modalities.{modality.name}.beta_vae"
        try:
            total += modality.weights
        except ValueError as error:
            raise PlainError(f"{where}.{error}") from error
        if total > MOST_WEIGHTS:
            raise PlainError(f"{where}: {total} weights so far, at most {MOST_WEIGHTS} can be")
    total += _weights_of_fusion(modalities, fusion)
    if total > MOST_WEIGHTS:
        raise PlainError(f"fusion: {total} weights in all, at most {MOST_WEIGHTS} can be")


def _weights_of_fusion(modalities: Iterable[Modality], fusion: FusionSpec) -> int:
    codes = [modality.beta_vae.latent_dim for modality in modalities]
    return weights_of_fusion(codes, fusion.latent_dim, fusion.hidden, fusion.joint)


def _attributes(classes: object) -> dict[str, Sequence[str]]:
    if classes is None:
        return {}
    table = classes if isinstance(classes, Mapping) else {"class": classes}
    for key, values in table.items():
        where = f"classes.{key}" if table is classes else "classes"
        # the name of an attribute is part of that of the classifier that reads it
        if not isinstance(key, str) or not _NAME.fullmatch(key):
            raise PlainError(f"classes: {key!r} must be a name such as colour")
        if not isinstance(values, Sequence) or isinstance(values, str):
            raise PlainError(f"{where}: not a list of names")
        for value in values:
            if not _is_class(value):
                raise PlainError(
                    f"{where}: {value!r} must be a name of at most {LONGEST_CLASS} characters"
                )
        if len(values) < 2 or len(set(values)) < len(values):
            raise PlainError(f"{where}: {len(values)} names, must be at least two, each once")
    if not table or math.prod(map(len, table.values())) > MOST_CLASSES:
        raise PlainError(f"classes: must be from 2 to {MOST_CLASSES}")
    return dict(table)


def _is_class(value: object) -> bool:
    if not isinstance(value, str) or not _words(value):
        return False
    return value.strip() == value and value.isprintable() and len(value) <= LONGEST_CLASS


def _words(name: str) -> tuple[str, ...]:
    """A name as people say it."""
    return tuple(name.replace("_", " ").split())


def _listed(value: Any) -> Any:
    """Tuples as lists, as files hold them."""
    if isinstance(value, Mapping):
        return {key: _listed(entry) for key, entry in value.items()}
    return [_listed(entry) for entry in value] if isinstance(value, tuple | list) else value
