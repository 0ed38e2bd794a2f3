# SPDX-License-Identifier: Apache-2.0
"""A sensor suite of what is in a bag, for people to go on from."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from m2vae_ros.bags.context import robot_of
from m2vae_ros.bags.namespaces import below, robots_among
from m2vae_ros.bags.topics import MOST_LABELS, FoundTopic
from m2vae_ros.datasets.errors import DataError
from m2vae_ros.sensors import ObservationError
from m2vae_ros.sensors.images import COMPRESSED, GREY_ENCODINGS, RAW, picture
from m2vae_ros.sensors.messages import ODOMETRY
from m2vae_ros.sensors.suite import STRING
from m2vae_ros.sensors.views.scan import LASER_SCAN

DEPTHS = ("16UC1", "32FC1")
"""Encodings of pictures that are distances (REP 118), and no brightness as that of mono16 is."""

LARGEST_PICTURE = (64, 48)
"""Columns and rows of a picture that is drafted; a smaller one keeps its own."""

NOT_SENSORS = ("/clock", "/rosout", "/parameter_events", "/tf", "/tf_static", "/diagnostics")

OF_FEW = {"epochs": 40, "batch_size": 64}
"""A bag to begin with has hundreds of samples, not thousands: enough steps take small batches."""

FLOORS = {"linear_acceleration": 0.1, "angular_velocity": 0.01}
"""Power of an IMU's readings that counts as silence, (m/s²)² and (rad/s)², as of the motions."""

MOST_NUMBERS = 4096
"""Of an array that is drafted; what is longer is hardly one."""

NO_READING = re.compile(r"(.*\.)?\w*variance(_type)?")
"""Paths of fields that say how sure a reading is, as sensor_msgs/Temperature and NavSatFix do."""

LONGEST_CODE = 10
"""Dimensions of the code of a dense β-VAE that is drafted; of fewer numbers as many as these."""

MOST_FIELDS = 32
"""Of a message of a type that no view is made for."""


def draft(name: str, topics: Sequence[FoundTopic]) -> dict[str, Any]:
    """A suite of what is in a bag, as plain data, to be read and changed.

    Every topic that a view can read becomes a modality. A topic of texts whose name says so, or the
    only one, has the classes. With odometry, observations are of objects, else of the robot.

    Raises:
        DataError: nothing in the bag is a sensor that a view can read.
    """
    sensors = _sensors(topics)
    if not sensors:
        raise DataError("no topic that a view can read; `m2vae suite new` without --bags asks")
    robots = robots_of(topics)
    modalities: dict[str, Any] = {}
    taken: set[tuple[str, str]] = set()
    for topic in sensors:
        source = (below(topic.name, robots), topic.type)
        if source in taken:  # another robot's
            continue
        taken.add(source)
        for suffix, fields in _modalities(topic):
            modality = _unused(f"{_identifier(source[0])}{suffix}", modalities)
            modalities[modality] = {"topic": source[0], "type": topic.type, **fields}
    placed = any(topic.type == ODOMETRY.type for topic in topics)
    labels = _labels(topics)
    if placed:
        for fields in modalities.values():
            fields["range"] = {"min_distance": 0.1, "max_distance": 1.0, "max_bearing": 0.2}
    plain: dict[str, Any] = {"name": name, "about": "objects" if placed else "robot"}
    sampling: dict[str, Any] = {
        "pairing": "object" if placed else "time",
        "labels": "name" if placed else "",
        "split": "bag" if placed else "episode",
    }
    if labels is not None:
        plain["classes"] = sorted(text for text in labels.texts if text)
        sampling["labels"] = below(labels.name, robots)
    return {
        **plain,
        "modalities": modalities,
        "fusion": {"latent_dim": 20, "hidden": [128, 64], "beta_norm": 1e-2, **OF_FEW},
        "sampling": sampling,
    }


def robots_of(topics: Sequence[FoundTopic]) -> list[str]:
    """The namespaces that a draft takes for those of robots; "" is that of one without."""
    own = [*_sensors(topics), *(topic for topic in topics if topic.type == ODOMETRY.type)]
    return robots_among(own, _labels(topics))


def left_out(topics: Sequence[FoundTopic], plain: Mapping[str, Any]) -> list[FoundTopic]:
    """The topics of which a draft has nothing, and whose messages are none of the usual others."""
    taken = {m["topic"] for m in plain["modalities"].values()} | {plain["sampling"]["labels"]}
    return [
        topic
        for topic in topics
        if topic.name not in NOT_SENSORS
        and topic.type != ODOMETRY.type
        and not any(robot_of(topic.name, each) is not None for each in taken)
    ]


def fields_left_out(topics: Sequence[FoundTopic], plain: Mapping[str, Any]) -> dict[str, list[str]]:
    """Topic of a draft -> its fields that say how sure a reading is, and are none.

    Those of a type that a view is made for are not told: the view reads what it needs.
    """
    vectors = {m["topic"] for m in plain["modalities"].values() if m["view"]["kind"] == "vector"}
    found = {
        topic.name: [p for p, _ in _candidates(topic.example) if NO_READING.fullmatch(p)]
        for topic in topics
        if any(robot_of(topic.name, each) is not None for each in vectors)
    }
    return {name: fields for name, fields in found.items() if fields}


def _sensors(topics: Sequence[FoundTopic]) -> list[FoundTopic]:
    """Those that views can read."""
    return [t for t in topics if t.name not in NOT_SENSORS and t.count and _modalities(t)]


def _labels(topics: Sequence[FoundTopic]) -> FoundTopic | None:
    texts = [topic for topic in topics if 2 <= len([t for t in topic.texts if t]) <= MOST_LABELS]
    named = [topic for topic in texts if "label" in topic.name or "class" in topic.name]
    return next(iter(named or texts), None)


def _modalities(topic: FoundTopic) -> list[tuple[str, dict[str, Any]]]:
    """Of a topic: suffix of the name -> view and β-VAE of each modality it may carry."""
    message, rate = topic.example, topic.rate
    if message is None:
        return []
    plain = {"beta_norm": 3e-4, "normalised": True, **OF_FEW}
    if topic.type in (RAW, COMPRESSED):
        pictures = {"latent_dim": 10, "channels": [16, 32, 64], "hidden": [128], **plain}
        return [("", {"view": _picture(message), "beta_vae": pictures})]

    def dense(view: dict[str, Any], size: int = LONGEST_CODE) -> dict[str, Any]:
        latent_dim = min(size, LONGEST_CODE)
        return {"view": view, "beta_vae": {"latent_dim": latent_dim, "hidden": [128, 64], **plain}}

    if topic.type == LASER_SCAN:
        return [
            (suffix, dense(view, int(view["beams" if view["kind"] == "scan" else "rays"])))
            for suffix, view in _scans(message)
        ]
    if topic.type == "sensor_msgs/msg/PointCloud2":
        pictures = {"latent_dim": 10, "channels": [16, 32], "hidden": [128], **plain}
        return [("", {"view": {"kind": "point_cloud"}, "beta_vae": pictures})]
    if topic.type == "sensor_msgs/msg/Range":
        far = float(message.max_range) if 0 < message.max_range < math.inf else 4.0
        return [("", dense({"kind": "range", "max_range": round(far, 3)}, 1))]
    if topic.type == "sensor_msgs/msg/Imu":
        hz = max(2.0, float(round(rate)))
        window = {"kind": "window", "seconds": 5.0, "rate": hz, "spectrum": True}
        window["max_gap"] = round(max(0.5, 5.0 / hz), 3)
        groups = {"_acceleration": "linear_acceleration", "_rotation": "angular_velocity"}
        return [
            (suffix, dense({**window, "floor": FLOORS[group], "fields": _axes(group)}))
            for suffix, group in groups.items()
        ]
    if topic.type in (STRING, ODOMETRY.type):
        return []
    sizes = {path: size for path, size in _candidates(message) if not NO_READING.fullmatch(path)}
    if fields := [path for path, size in sizes.items() if not size][:MOST_FIELDS]:
        return [("", dense({"kind": "vector", "fields": fields}, len(fields)))]
    arrays = {path: size for path, size in sizes.items() if size <= MOST_NUMBERS}
    return [
        (
            f"_{_identifier(path)}" if len(arrays) > 1 else "",
            dense({"kind": "vector", "fields": [path], "size": size}, size),
        )
        for path, size in arrays.items()
    ]


def _candidates(message: Any) -> list[tuple[str, int]]:
    """The numbers of a message that may be readings, and the lengths of arrays, 0 of no array."""
    numbers = _numbers(message).items()
    return [(path, size) for path, size in numbers if not path.startswith(("header.", "layout."))]


def _axes(group: str) -> list[str]:
    return [f"{group}.{axis}" for axis in "xyz"]


def _picture(message: Any) -> dict[str, Any]:
    """The view of a picture, raw or compressed: made small, never large."""
    encoding = getattr(message, "encoding", "")
    try:
        # of a compressed one only the data say how large it is
        size = (message.width, message.height) if encoding else picture(message).shape[1::-1]
    except ObservationError:
        size = (0, 0)
    # the first may be broken, or empty, and the others not
    width, height = (
        min(own, most) or most for own, most in zip(size, LARGEST_PICTURE, strict=True)
    )
    view = {"kind": "depth" if encoding in DEPTHS else "image", "width": width, "height": height}
    grey = view["kind"] == "image" and encoding in GREY_ENCODINGS
    return view | ({"colour": False} if grey else {})


def _scans(message: Any) -> list[tuple[str, dict[str, Any]]]:
    beams = len(message.ranges)
    half = min(abs(message.angle_min), abs(message.angle_max))
    far = float(message.range_max) if 0 < message.range_max < math.inf else 5.0
    scans: list[tuple[str, dict[str, Any]]] = []
    if beams >= 2 and half > 0:
        inside = math.floor(half * 1e3) / 1e3  # rounded outwards, it would not be covered
        ahead = {"beams": min(beams, 256), "half_angle": inside, "max_range": round(far, 3)}
        scans.append(("", {"kind": "scan", **ahead}))
    strong = [value for value in message.intensities if math.isfinite(value)]
    if strong:
        most = max(1.0, float(max(strong)))
        rays = {"rays": len(message.intensities), "max_intensity": most}
        scans.append(("_intensity" if scans else "", {"kind": "intensities", **rays}))
    return scans


def _numbers(message: Any, prefix: str = "", depth: int = 3) -> dict[str, int]:
    """The paths of all plain numbers of a message, with 0, and of arrays, with their lengths."""
    found: dict[str, int] = {}
    for name, value in vars(message).items() if depth and hasattr(message, "__dict__") else ():
        if name.startswith("_"):
            continue
        if isinstance(value, int | float | np.number) and not isinstance(value, bool):
            found[prefix + name] = 0
        elif isinstance(value, np.ndarray) and value.ndim == 1 and value.dtype.kind in "iuf":
            found |= {prefix + name: len(value)} if len(value) else {}
        else:
            found |= _numbers(value, f"{prefix}{name}.", depth - 1)
    return found


def _identifier(topic: str) -> str:
    words = re.sub(r"[^a-z0-9]+", "_", topic.lower()).strip("_") or "sensor"
    return words if words[0].isalpha() else f"s_{words}"


def _unused(name: str, taken: Mapping[str, Any]) -> str:
    number, free = 2, name
    while free in taken:
        free, number = f"{name}_{number}", number + 1
    return free
