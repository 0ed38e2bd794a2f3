# SPDX-License-Identifier: Apache-2.0
"""A rover with four sensors that the package knows nothing of, in a world of sixteen classes.

Each of four attributes is told by one sensor: how bright it is by a compressed image, whether there
is a corner by a point cloud, how much room there is by a sonar, how rough the ground is by an IMU.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from bag_making import STORE, Made, header, new, write

from m2vae_ros.sensors import SensorSuite

ROVER = "/rover"

SMALL = {"latent_dim": 4, "hidden": [32], "beta_norm": 1e-4, "normalised": True}

SUITE = SensorSuite.from_plain(
    {
        "name": "rover",
        "about": "robot",
        "classes": {
            "light": ["dark", "bright"],
            "wall": ["flat", "corner"],
            "room": ["near", "far"],
            "ground": ["smooth", "rough"],
        },
        "modalities": {
            "sky": {
                "topic": "sky/compressed",
                "type": "sensor_msgs/msg/CompressedImage",
                "view": {"kind": "image", "width": 8, "height": 8, "colour": False},
                "beta_vae": {
                    "latent_dim": 4,
                    "hidden": [32],
                    "beta_norm": 1e-4,
                    "normalised": True,
                },
            },
            "cloud": {
                "topic": "points",
                "type": "sensor_msgs/msg/PointCloud2",
                "view": {
                    "kind": "point_cloud",
                    "width": 16,
                    "height": 4,
                    "azimuth": [-45, 45],
                    "elevation": [-10, 10],
                    "max_range": 4.0,
                },
                "beta_vae": {
                    "latent_dim": 4,
                    "hidden": [32],
                    "beta_norm": 1e-4,
                    "normalised": True,
                },
            },
            "sonar": {
                "topic": "sonar",
                "type": "sensor_msgs/msg/Range",
                "view": {"kind": "range", "max_range": 4.0},
                "beta_vae": {
                    "latent_dim": 2,
                    "hidden": [16],
                    "beta_norm": 1e-4,
                    "normalised": True,
                },
            },
            "shaking": {
                "topic": "imu",
                "type": "sensor_msgs/msg/Imu",
                "view": {
                    "kind": "window",
                    "fields": ["linear_acceleration.z", "angular_velocity.x"],
                    "seconds": 1.0,
                    "rate": 20.0,
                    "hop": 0.25,
                    "spectrum": True,
                },
                "beta_vae": {
                    "latent_dim": 4,
                    "hidden": [32],
                    "beta_norm": 1e-4,
                    "normalised": True,
                },
            },
        },
        "fusion": {"latent_dim": 12, "hidden": [64, 32], "epochs": 60},
        "sampling": {
            "pairing": "time",
            "tolerance": 0.2,
            "labels": "label",
            "split": "episode",
            "pause": 1.0,
        },
    }
)

SECONDS = 3.0
"""Of an episode; as long a pause lies between two."""


def sky(now: float, bright: bool, rng: np.random.Generator) -> Any:
    grey = np.clip(rng.normal(170 if bright else 70, 25, (24, 32)), 0, 255).astype(np.uint8)
    data = cv2.imencode(".png", grey)[1].ravel()
    return new(SUITE["sky"].type, header=header(now), format="png", data=data)


def cloud(now: float, corner: bool, rng: np.random.Generator) -> Any:
    y, z = (part.ravel() for part in np.meshgrid(np.linspace(-2, 2, 40), np.linspace(-0.4, 0.4, 9)))
    x = 2.5 + rng.normal(0, 0.05) - (0.5 * np.abs(y) if corner else 0.0)
    points = np.stack([x + rng.normal(0, 0.02, y.shape), y, z], axis=1).astype("<f4")
    field = "sensor_msgs/msg/PointField"
    return new(
        SUITE["cloud"].type,
        header=header(now),
        height=1,
        width=len(points),
        fields=[new(field, name=n, offset=4 * i, datatype=7, count=1) for i, n in enumerate("xyz")],
        is_bigendian=False,
        point_step=12,
        row_step=12 * len(points),
        data=points.view(np.uint8).ravel(),
        is_dense=True,
    )


def sonar(now: float, far: bool, rng: np.random.Generator) -> Any:
    distance = rng.uniform(2.2, 3.5) if far else rng.uniform(0.5, 1.8)
    return new(
        SUITE["sonar"].type,
        header=header(now),
        radiation_type=0,
        field_of_view=0.3,
        min_range=0.1,
        max_range=4.0,
        range=distance,
        variance=0.0,
    )


def shaking(now: float, rough: bool, rng: np.random.Generator) -> Any:
    def vector(x: float, y: float, z: float) -> Any:
        return new("geometry_msgs/msg/Vector3", x=float(x), y=float(y), z=float(z))

    size, hertz = (2.0, 6.0) if rough else (0.5, 2.0)
    swing = size * math.sin(math.tau * hertz * now)
    nothing = np.zeros(9)
    return new(
        SUITE["shaking"].type,
        header=header(now),
        orientation=new("geometry_msgs/msg/Quaternion", x=0.0, y=0.0, z=0.0, w=1.0),
        orientation_covariance=nothing,
        angular_velocity=vector(0.3 * swing + rng.normal(0, 0.1), 0.0, 0.0),
        angular_velocity_covariance=nothing,
        linear_acceleration=vector(0.0, 0.0, 9.81 + swing + rng.normal(0, 0.1)),
        linear_acceleration_covariance=nothing,
    )


READINGS = {"sky": (sky, 5), "cloud": (cloud, 5), "sonar": (sonar, 10), "shaking": (shaking, 40)}
"""Modality -> what makes a message, and how many come in a second."""


def episode(label: int, begin: float, rng: np.random.Generator) -> Iterator[Made]:
    """What is recorded while the world is of one class."""
    attributes = SUITE.attributes_of(label)
    text = new("std_msgs/msg/String", data=SUITE.classes[label])
    yield Made(f"{ROVER}/label", "std_msgs/msg/String", round((begin - 0.1) * 1e9), text)
    for (modality, (make, rate)), value in zip(READINGS.items(), attributes, strict=True):
        source = SUITE[modality]
        for index in range(round(SECONDS * rate)):
            now = begin + index / rate
            message = make(now, bool(value), rng)
            yield Made(f"{ROVER}/{source.topic}", source.type, round(now * 1e9), message)


def bag(folder: Path, episodes: int, seed: int) -> Path:
    """A bag of so many episodes of each class, in random order."""
    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.repeat(np.arange(len(SUITE.classes)), episodes))
    made = [
        one
        for number, label in enumerate(labels)
        # not at a full second each: what shakes is at any point of its swing then
        for one in episode(int(label), 10.0 + 2 * SECONDS * number + rng.uniform(), rng)
    ]
    return write(folder, sorted(made, key=lambda one: one.stamp))


def serialised(message: Any, kind: str) -> bytes:
    """The bytes in which a message travels."""
    return bytes(STORE.serialize_cdr(message, kind))
