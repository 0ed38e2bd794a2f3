# SPDX-License-Identifier: Apache-2.0
"""Modalities, and suites of them: all that belongs to one kind of sensor is in one place."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from m2vae_ros.sensors.sensing_range import SensingRange
from m2vae_ros.sensors.view import View
from m2vae_ros.sensors.viewpoint import Viewpoint


@dataclass(frozen=True)
class BetaVAESpec:
    """The preprocessing of a modality, as plain data: nothing here needs torch.

    Attributes:
        latent_dim: D_m, of the code.
        hidden: sizes of the encoder's dense layers; the decoder's are the same in reverse.
        channels: of convolutions before them, each of stride 2.
        beta_norm: β_norm; β = β_norm · D_m / D_z.
        epochs: of the training.
        shape: of what the network takes, if other than the view's.
    """

    latent_dim: int
    hidden: tuple[int, ...]
    channels: tuple[int, ...]
    beta_norm: float
    epochs: int
    shape: tuple[int, ...] = ()


@dataclass(frozen=True)
class Modality:
    """One kind of sensor.

    Attributes:
        name: of the modality, and of the sensor in a world file.
        title: for people.
        topic: below a robot's namespace.
        type: of the messages, such as "sensor_msgs/msg/Image".
        view: from a message to what the model takes.
        range: from where the sensor looks at an object.
        viewpoint: where robots go to look, and around which samples for training are taken.
        beta_vae: its preprocessing.
        reading_bytes: of one raw reading, to compare with what an embedding takes.
        finds_objects: whether a reading shows where something stands ahead: a planar laser scan.
    """

    name: str
    title: str
    topic: str
    type: str
    view: View
    range: SensingRange
    viewpoint: Viewpoint
    beta_vae: BetaVAESpec
    reading_bytes: int
    finds_objects: bool = False


class SensorSuite(Mapping[str, Modality]):
    """All modalities of a system, by name and in order, and the classes of what is sensed.

    Args:
        name: of the suite.
        modalities: in the order of the model.
        attributes: name -> its two values; the classes are all their combinations.
    """

    def __init__(
        self,
        name: str,
        modalities: Sequence[Modality],
        attributes: Mapping[str, tuple[str, str]],
    ) -> None:
        self.name = name
        self.attributes = dict(attributes)
        self.classes = tuple(map(" ".join, itertools.product(*attributes.values())))
        self._modalities = {modality.name: modality for modality in modalities}

    @property
    def views(self) -> dict[str, View]:
        """The view of each modality."""
        return {name: modality.view for name, modality in self.items()}

    def __getitem__(self, name: str) -> Modality:
        return self._modalities[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._modalities)

    def __len__(self) -> int:
        return len(self._modalities)
