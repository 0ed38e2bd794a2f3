# SPDX-License-Identifier: Apache-2.0
"""The parameters of a robot's fusion node; config/fusion.yaml shows them with their defaults."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, make_dataclass
from functools import lru_cache
from typing import Any

from m2vae_ros.fusion.onnx_engine import PROVIDERS
from m2vae_ros.nodes.known_objects import KnownObjects
from m2vae_ros.robot.odometry import Standing
from m2vae_ros.robot.perception import Settings, Target
from m2vae_ros.ros.outputs import OutputParameters
from m2vae_ros.ros.parameters import ParameterError, parameter
from m2vae_ros.sensors import Modality, SensorSuite
from m2vae_ros.sensors.messages import GLOBAL_FRAME
from m2vae_ros.sensors.sensing_range import SensingRange


@dataclass(frozen=True)
class SensorParameters:
    """How often the same thing is sensed again."""

    refresh_period: float = parameter(
        2.0, "Seconds until an object sensed by this robot is sensed again.", minimum=0.0
    )

    @property
    def range(self) -> SensingRange | None:
        """From where the sensor looks at an object, if it looks at objects."""
        return None


@dataclass(frozen=True)
class RangedSensorParameters(SensorParameters):
    """When a sensor looks at an object, and how often the same one is sensed again."""

    min_distance: float = parameter(0.0, "Metres from sensor to object.", minimum=0.0)
    max_distance: float = parameter(1.0, "Metres from sensor to object.", minimum=0.0)
    max_bearing: float = parameter(
        0.1, "Radians between straight ahead and the object.", minimum=0.0, maximum=math.pi
    )

    def __post_init__(self) -> None:
        _ = self.range  # which says what cannot be

    @property
    def range(self) -> SensingRange:
        """From where the sensor looks at an object."""
        return SensingRange(self.min_distance, self.max_distance, self.max_bearing)


@dataclass(frozen=True)
class FusionParameters:
    """Those of every suite; see the descriptions; `ros2 param describe` shows them too."""

    robot: str = parameter(
        "",
        "Name of the robot, which signs its embeddings; empty: the node's namespace.",
        fixed=True,
    )
    weights: str = parameter(
        "amiro",
        "Folder of the weights; a bare name is looked up in the package's models.",
        fixed=True,
    )
    device: str = parameter(
        "cpu",
        f"Where the model runs: {', '.join(PROVIDERS)}, as ONNX Runtime here can.",
        fixed=True,
    )
    modalities: tuple[str, ...] = parameter(
        (), "Sensors of this robot; [] for all that the weights know, [''] for none.", fixed=True
    )
    global_frame: str = parameter(
        GLOBAL_FRAME,
        "Frame of all positions, one for the team; transforms lead to it.",
        fixed=True,
    )
    base_frame: str = parameter(
        "", "The robot's own frame; empty: the child frame of its odometry.", fixed=True
    )
    gate: float = parameter(
        0.3,
        "Metres between two places that are one object, at most; less between two that are known "
        "better.",
        minimum=0.01,
        maximum=100.0,
    )
    place_noise: float = parameter(
        0.03,
        "Metres, the standard deviation of where a reading shows an object; the covariance of the "
        "odometry's pose is added. Where odometry has none the gate alone counts.",
        minimum=0.0,
        maximum=100.0,
    )
    max_speed: float = parameter(
        0.05, "m/s; a robot that drives faster does not sense.", minimum=0.0
    )
    max_turn: float = parameter(
        0.1, "rad/s; a robot that turns faster does not sense.", minimum=0.0
    )
    odometry_tolerance: float = parameter(
        0.2,
        "Seconds between an observation and the odometry before it, and to that after it.",
        minimum=0.001,
        maximum=3600.0,
    )
    position_noise: float = parameter(
        0.01,
        "Metres by which the pose of a robot that stands may wander, from one odometry to the "
        "next, and within 0.2 s where odometry reports no speed.",
        minimum=0.0,
        maximum=100.0,
    )
    heading_noise: float = parameter(
        0.0175, "Radians by which its heading may.", minimum=0.0, maximum=3.2
    )
    max_surprise: float = parameter(
        2.0,
        "How surprising an observation may be that replaces one of something known; 0 is usual, 1 "
        "the limit of what the model knows. Weights that cannot tell the unknown measure it by the "
        "reconstruction error, in units of what 99.9 % of the training data stay below, and no "
        "observation beyond it is believed.",
        minimum=0.0,
    )
    min_gain: float = parameter(
        -1.0,
        "Nats by which a further look must change the posterior to be fused and sent; one that "
        "tells less changes nothing. Negative: what the suite of the weights says.",
        minimum=-1.0,
    )
    join_time: float = parameter(
        0.003,
        "Seconds after a reading in which others may join, to be fused together with it.",
        minimum=0.0001,
        maximum=10.0,
    )
    period: float = parameter(
        0.2,
        "Seconds between looks at what waits for odometry or transforms that may never come.",
        minimum=0.001,
        maximum=10.0,
    )
    stamp_tolerance: float = parameter(
        0.5, "Seconds a stamp may lie in the future.", minimum=0.0, maximum=3600.0
    )
    forget_after: float = parameter(
        0.0,
        "Seconds since any robot has sensed an object until it is retired, by the stamps that the "
        "team tells; the same for all robots. 0: never.",
        minimum=0.0,
        maximum=1e9,
    )
    keep_when_time_jumps_back: bool = parameter(
        True,
        "Whether what is known is kept, as older than all that comes, when /clock jumps back: a "
        "bag is played again, a world was reset.",
    )
    objects: KnownObjects = KnownObjects()
    outputs: OutputParameters = OutputParameters()

    def __post_init__(self) -> None:
        if not self.global_frame:
            raise ParameterError("parameter global_frame: is empty")


@dataclass(frozen=True)
class SuiteParameters:
    """Of the sensors that the weights know: a group of parameters for each.

    Attributes:
        common: those of every suite.
        suite: that of the weights.
        sensors: modality -> its parameters, those of this robot.
    """

    common: FusionParameters
    suite: SensorSuite
    sensors: Mapping[str, SensorParameters]

    @classmethod
    def of(cls, common: FusionParameters, suite: SensorSuite, groups: Any) -> SuiteParameters:
        """Choose the robot's own sensors.

        Args:
            common: those of every suite.
            suite: that of the weights.
            groups: has for each modality its parameters, see `sensor_groups`.

        Raises:
            ParameterError: the weights know no such modality.
        """
        chosen = [modality for modality in common.modalities if modality]
        for modality in chosen:
            if modality not in suite:
                raise ParameterError(
                    f"parameter modalities: the weights know no {modality!r}, but "
                    f"{', '.join(suite)}"
                )
        if not common.modalities:
            chosen = list(suite)
        return cls(common, suite, {modality: getattr(groups, modality) for modality in chosen})

    @property
    def max_distance(self) -> float:
        """Metres from which any of the robot's sensors looks at an object."""
        ranges = [sensor.range for sensor in self.sensors.values()]
        return max((found.max_distance for found in ranges if found), default=0.0)

    @property
    def perception(self) -> Settings:
        """The rules of perception that the parameters say."""
        common, objects = self.common, self.common.objects
        return Settings(
            ranges={modality: sensor.range for modality, sensor in self.sensors.items()},
            about=self.suite.about,
            finders=[m for m in self.sensors if self.suite[m].finds_objects],
            refresh_periods={m: sensor.refresh_period for m, sensor in self.sensors.items()},
            places=[
                Target(name, (x, y, 0.0))
                for name, x, y in zip(objects.names, objects.x, objects.y, strict=True)
            ],
            gate=common.gate,
            place_noise=common.place_noise,
            standing=Standing(
                common.odometry_tolerance,
                common.max_speed,
                common.max_turn,
                common.position_noise,
                common.heading_noise,
            ),
            max_surprise=common.max_surprise,
            min_gain=self.suite.fusion.min_gain if common.min_gain < 0 else common.min_gain,
            stamp_tolerance=common.stamp_tolerance,
            forget_after=common.forget_after,
        )


@lru_cache(maxsize=1)
def sensor_groups(suite: SensorSuite) -> type:
    """The parameters of a suite's sensors: a dataclass with a group for each modality.

    Their defaults are the limits within which the weights were trained.
    """
    return make_dataclass(
        "SensorGroups",
        [(name, type(d), field(default=d)) for name, d in _defaults(suite.values())],
        frozen=True,
    )


def _defaults(modalities: Iterable[Modality]) -> Iterator[tuple[str, SensorParameters]]:
    for modality in modalities:
        if modality.range is None:
            yield modality.name, SensorParameters()
        else:
            yield modality.name, RangedSensorParameters(**asdict(modality.range))
