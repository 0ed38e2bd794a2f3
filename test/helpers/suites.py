# SPDX-License-Identifier: Apache-2.0
"""Suites as plain data: one that is small and right, and any that hypothesis draws."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from m2vae_ros.sensors.suite import ABOUT_TYPES, STRING
from m2vae_ros.sensors.views import OWN

TYPES = {
    "image": "sensor_msgs/msg/Image",
    "image_band": "sensor_msgs/msg/CompressedImage",
    "depth": "sensor_msgs/msg/Image",
    "scan": "sensor_msgs/msg/LaserScan",
    "intensities": "sensor_msgs/msg/LaserScan",
    "point_cloud": "sensor_msgs/msg/PointCloud2",
    "range": "sensor_msgs/msg/Range",
    "vector": "sensor_msgs/msg/Imu",
    "window": "geometry_msgs/msg/WrenchStamped",
}
"""Kind of view -> a type of messages that it reads."""


def modality(kind: str = "vector", **fields: Any) -> dict[str, Any]:
    """One modality as a file has it."""
    view: dict[str, Any] = {"kind": kind}
    if kind in ("vector", "window"):
        view["fields"] = ["x.y", "z"]
    beta_vae = {"latent_dim": 2, "hidden": [4]}
    whole = {"topic": kind, "type": TYPES[kind], "view": view, "beta_vae": beta_vae}
    return {**whole, **fields}


def plain(**fields: Any) -> dict[str, Any]:
    """A suite of two modalities of a robot itself, as a file has it."""
    return {
        "name": "motions",
        "about": "robot",
        "classes": ["still", "moving"],
        "modalities": {
            "imu": modality("window"),
            "distance": modality("range"),
        },
        "fusion": {"latent_dim": 3, "hidden": [8, 4], "joint": 4},
        "sampling": {"labels": "state", "pairing": "time", "split": "episode"},
        **fields,
    }


names = st.from_regex(r"[a-z][a-z0-9]{3,12}x", fullmatch=True)
topics = st.from_regex(r"/?[a-z]{1,8}(/[a-z_]{1,8}){0,2}", fullmatch=True)
sizes = st.integers(1, 64)
positive = st.floats(0.01, 100.0)


@st.composite
def views(draw: st.DrawFn, kind: str) -> dict[str, Any]:
    """A view of a kind, some of its fields left out."""
    shape = {"width": sizes, "height": sizes}
    edges = st.tuples(st.floats(-20.0, 0.0), st.floats(1.0, 20.0)).map(list)
    paths = st.lists(names, min_size=1, max_size=4, unique=True)
    fields: dict[str, dict[str, Any]] = {
        "image": {**shape, "colour": st.booleans()},
        "image_band": {**shape, "elevation": edges, "horizontal_fov": st.floats(10.0, 120.0)},
        "depth": {**shape, "max_depth": positive},
        "scan": {"beams": st.integers(2, 100), "max_range": positive, "depth": positive},
        "intensities": {"rays": sizes, "max_intensity": positive},
        "point_cloud": {**shape, "azimuth": edges, "elevation": edges, "max_range": positive},
        "range": {"max_range": positive},
        "vector": {"size": sizes, "offset": st.floats(-5, 5), "scale": positive},
        "window": {
            "seconds": st.floats(1.0, 5.0),
            "rate": st.floats(2.0, 20.0),
            "hop": positive,
            "max_gap": positive,
            "spectrum": st.booleans(),
            "floor": positive,
        },
    }
    drawn = draw(st.fixed_dictionaries({}, optional=fields[kind]))
    if kind in ("vector", "window"):
        drawn["fields"] = draw(paths)
    return {"kind": kind, **drawn}


@st.composite
def suites(draw: st.DrawFn) -> dict[str, Any]:
    """A suite that is right, as a file has it."""
    kind = draw(st.sampled_from(["objects", "robot", "topic"]))
    about: Any = kind
    if kind == "topic":
        about = {"kind": kind, "topic": draw(topics), "type": draw(st.sampled_from(ABOUT_TYPES))}
    spec = st.fixed_dictionaries(
        {},
        optional={
            "latent_dim": sizes,
            "hidden": st.lists(sizes, min_size=1, max_size=3),
            "beta_norm": st.floats(0.0, 1.0),
            "epochs": sizes,
        },
    )
    ranges = st.builds(
        lambda near, more, bearing: {
            "min_distance": near,
            "max_distance": near + more,
            "max_bearing": bearing,
        },
        st.floats(0.0, 5.0),
        st.floats(0.0, 5.0),
        st.floats(0.0, 3.0),
    )
    modalities = {}
    for name in draw(st.lists(names, min_size=1, max_size=4, unique=True)):
        of = draw(st.sampled_from(sorted(OWN)))
        made = {"topic": draw(topics), "type": TYPES[of], "view": draw(views(of))}
        if kind == "objects" or kind == "topic" and about["type"] != STRING and draw(st.booleans()):
            made["range"] = draw(ranges)
        optional = {
            "title": st.text(max_size=9),
            "beta_vae": spec,
            "viewpoint": st.fixed_dictionaries({"distance": positive, "distance_error": positive}),
            "reading_bytes": st.integers(0, 2**40),
            "finds_objects": st.booleans(),
        }
        modalities[name] = made | draw(st.fixed_dictionaries({}, optional=optional))
    values = st.lists(names, min_size=2, max_size=4, unique=True)
    classes = draw(st.none() | values | st.dictionaries(names, values, min_size=1, max_size=3))
    pairing = draw(st.sampled_from(["object", "time"]))
    splits = ["bag", "object", *(["episode"] if pairing == "time" else [])]
    sampling = {"pairing": pairing, "split": draw(st.sampled_from(splits))}
    sampling["labels"] = draw(st.just("name") | topics)
    fields = {"name": draw(names), "about": about, "modalities": modalities, "sampling": sampling}
    return fields | ({} if classes is None else {"classes": classes}) | {"fusion": draw(spec)}
