# SPDX-License-Identifier: Apache-2.0
"""The parameters of a robot's fusion node; config/fusion.yaml shows them with their defaults."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, make_dataclass

from m2vae_ros.fusion.memory import MIN_GAIN
from m2vae_ros.robot.odometry import Standing
from m2vae_ros.robot.perception import Settings, Target
from m2vae_ros.ros.parameters import ParameterError, parameter
from m2vae_ros.sensors import AMIRO
from m2vae_ros.sensors.sensing_range import SensingRange


@dataclass(frozen=True)
class SensorParameters:
    """When a sensor looks at an object, and how often the same one is sensed again."""

    min_distance: float = parameter(0.0, "Metres from robot to object.", minimum=0.0)
    max_distance: float = parameter(1.0, "Metres from robot to object.", minimum=0.0)
    max_bearing: float = parameter(
        0.1, "Radians between straight ahead and the object.", minimum=0.0, maximum=math.pi
    )
    refresh_period: float = parameter(
        2.0, "Seconds until an object sensed by this robot is sensed again.", minimum=0.0
    )

    @property
    def range(self) -> SensingRange:
        """From where the sensor looks at an object."""
        return SensingRange(self.min_distance, self.max_distance, self.max_bearing)


@dataclass(frozen=True)
class KnownObjects:
    """Where objects are known to be; without any, objects are found by LiDAR or by others."""

    names: tuple[str, ...] = parameter((), "Name of each object.")
    x: tuple[float, ...] = parameter((), "Metres, in the frame of the odometry.")
    y: tuple[float, ...] = parameter((), "Metres, in the frame of the odometry.")

    def __post_init__(self) -> None:
        if not len(self.names) == len(self.x) == len(self.y):
            raise ParameterError(
                f"parameter objects: {len(self.names)} names, {len(self.x)} x and "
                f"{len(self.y)} y: must be equally many"
            )
        if len(set(self.names)) < len(self.names) or "" in self.names:
            raise ParameterError("parameter objects.names: each must be there, and once")


@dataclass(frozen=True)
class _Common:
    """See the descriptions; `ros2 param describe` shows them too."""

    robot: str = parameter(
        "", "Name of the robot, which signs its embeddings; empty: the node's namespace."
    )
    weights: str = parameter(
        "amiro", "Folder of the weights; a bare name is looked up in the package's models."
    )
    modalities: tuple[str, ...] = parameter(
        tuple(AMIRO), f"Sensors of this robot, of {', '.join(AMIRO)}; [''] for none."
    )
    frame: str = parameter("map", "Frame of the odometry and of all positions, one for the team.")
    gate: float = parameter(
        0.3, "Metres between two places that are one object.", minimum=0.01, maximum=100.0
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
        "Reconstruction error, in units of what 99.9 % of the training data stay below, up to "
        "which an observation is believed.",
        minimum=0.0,
    )
    min_gain: float = parameter(
        MIN_GAIN,
        "Nats by which a further look must change the posterior to be fused and sent; one that "
        "tells less changes nothing.",
        minimum=0.0,
    )
    period: float = parameter(
        0.1, "Seconds; what arrives within one is fused together.", minimum=0.001, maximum=10.0
    )
    stamp_tolerance: float = parameter(
        0.5, "Seconds a stamp may lie in the future.", minimum=0.0, maximum=3600.0
    )
    objects: KnownObjects = KnownObjects()

    def __post_init__(self) -> None:
        object.__setattr__(self, "modalities", tuple(m for m in self.modalities if m))
        for modality in self.modalities:
            if modality not in AMIRO:
                raise ParameterError(
                    f"parameter modalities: {modality!r} is not one of {', '.join(AMIRO)}"
                )
        if not self.frame:
            raise ParameterError("parameter frame: is empty")

    def sensor(self, modality: str) -> SensorParameters:
        """Those of a modality's sensor."""
        sensor: SensorParameters = getattr(self, modality)
        return sensor

    @property
    def perception(self) -> Settings:
        """The rules of perception that the parameters say."""
        objects = self.objects
        sensors = {modality: self.sensor(modality) for modality in self.modalities}
        return Settings(
            ranges={modality: sensor.range for modality, sensor in sensors.items()},
            finders=[m for m in self.modalities if AMIRO[m].finds_objects],
            refresh_periods={m: sensor.refresh_period for m, sensor in sensors.items()},
            places=[
                Target(name, (x, y, 0.0))
                for name, x, y in zip(objects.names, objects.x, objects.y, strict=True)
            ],
            frame=self.frame,
            gate=self.gate,
            standing=Standing(
                self.odometry_tolerance,
                self.max_speed,
                self.max_turn,
                self.position_noise,
                self.heading_noise,
            ),
            max_surprise=self.max_surprise,
            min_gain=self.min_gain,
            stamp_tolerance=self.stamp_tolerance,
        )


FusionParameters: type[_Common] = make_dataclass(
    "FusionParameters",
    [  # the limits within which the weights were trained
        (modality.name, SensorParameters, SensorParameters(**asdict(modality.range)))
        for modality in AMIRO.values()
    ],
    bases=(_Common,),
    frozen=True,
)
"""The parameters of the node: those common to all, and a group for each modality."""
