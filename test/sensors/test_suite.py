# SPDX-License-Identifier: Apache-2.0
"""Suites: plain data and back, and what makes no sense is named before any work starts."""

from __future__ import annotations

import json
import math
import tracemalloc
from typing import Any

import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from suites import modality, plain, suites

from m2vae_ros.sensors import PlainError, SensorSuite
from m2vae_ros.sensors.sizes import MOST_WEIGHTS, weights_of_beta_vae, weights_of_fusion
from m2vae_ros.sensors.suite import MOST_CLASSES, MOST_MODALITIES, STRING
from m2vae_ros.sensors.suite_file import load
from m2vae_ros.world.suite import AMIRO


@given(suites())
def test_a_suite_survives_plain_data_json_and_yaml(fields) -> None:
    suite = SensorSuite.from_plain(fields)
    written = suite.to_plain()
    assert SensorSuite.from_plain(written) == suite
    assert SensorSuite.from_plain(json.loads(json.dumps(written))) == suite
    assert SensorSuite.from_plain(load(yaml.safe_dump(written, sort_keys=False))) == suite
    assert json.dumps(SensorSuite.from_plain(written).to_plain()) == json.dumps(written)
    assert hash(SensorSuite.from_plain(written)) == hash(suite)
    assert list(suite) == list(fields["modalities"])
    assert all(suite[name].view.shape == view.shape for name, view in suite.views.items())


@given(suites(), st.data())
def test_suites_that_differ_are_not_equal(fields, data) -> None:
    name = data.draw(st.sampled_from(sorted(fields["modalities"])))
    other = json.loads(json.dumps(fields))
    other["modalities"][name]["topic"] += "x"
    assert SensorSuite.from_plain(other) != SensorSuite.from_plain(fields)
    assert SensorSuite.from_plain(fields) != fields


def test_the_suite_of_the_amiro_is_the_papers() -> None:
    assert AMIRO.name == "amiro"
    assert list(AMIRO) == ["camera", "lidar", "reflectance"]
    assert AMIRO["lidar"].title == "LiDAR"
    assert AMIRO["camera"].title == "camera"
    assert len(AMIRO.classes) == 8
    assert AMIRO.classes[0] == "red cylinder mat"
    assert AMIRO.classes[-1] == "green box shiny"
    assert AMIRO.about.by_place
    labels = np.arange(8)
    np.testing.assert_array_equal(AMIRO.attributes_of(labels), labels[:, None] >> [2, 1, 0] & 1)


def test_classes_that_are_listed_are_the_values_of_one_attribute() -> None:
    suite = SensorSuite.from_plain(plain())
    assert suite.classes == ("still", "moving")
    assert suite.attributes == {"class": ("still", "moving")}
    np.testing.assert_array_equal(suite.attributes_of([1, 0]), [[1], [0]])


def test_a_suite_may_have_no_classes() -> None:
    fields = plain()
    del fields["classes"]
    assert SensorSuite.from_plain(fields).classes == ()
    assert SensorSuite.from_plain(fields).class_named("still") is None


@pytest.mark.parametrize(
    ("classes", "name", "found"),
    [
        (["red box", "ball"], "red_box", "red box"),
        (["red box", "ball"], "red_box_12", "red box"),
        (["red_box", "ball"], "red box", "red_box"),
        (["level 1", "level 2"], "level_1", "level 1"),
        (["level 1", "level 2"], "level_2_3", "level 2"),
        (["level 1", "level 2"], "level", None),
        (["1", "2"], "2", "2"),
        (["1", "2"], "2_1", "2"),
        (["ball", "box"], "", None),
        (["ball", "box"], "box_x", None),
    ],
)
def test_the_name_of_an_object_says_its_class(classes, name, found) -> None:
    assert SensorSuite.from_plain(plain(classes=classes)).class_named(name) == found


def with_modality(**fields: Any) -> dict[str, Any]:
    """A suite with one modality, some of its fields replaced."""
    return plain(modalities={"imu": modality("window", **fields)})


def with_view(kind: str, /, **fields: Any) -> dict[str, Any]:
    made = modality(kind)
    return plain(modalities={"imu": made | {"view": {**made["view"], **fields}}})


def called(name: Any) -> dict[str, Any]:
    return plain(modalities={name: modality()})


def pointed(kind: str, **fields: Any) -> dict[str, Any]:
    about = {"kind": "topic", "topic": "target", "type": kind}
    return with_modality(**fields) | {"about": about}


RANGE = {"min_distance": 0.0, "max_distance": 1.0}


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        (None, "not a table of fields"),
        ([], "not a table of fields"),
        (plain(sensors={}), "sensors: no such field; there are name, about, classes"),
        (plain() | {3: 4}, "3: no such field"),
        # names
        (plain(name=None), "name: None must be a name such as my_suite"),
        (plain(name="My suite"), "name: 'My suite' must be"),
        (plain(name="../../etc"), "name: '../../etc' must be"),
        (plain(name="a" * 65), "name: "),
        (called("Camera"), "modalities: 'Camera' must be a name such as front_camera"),
        (called("a.b"), "modalities: 'a.b' must be"),
        (called("a\n"), "modalities: "),
        (called(""), "modalities: '' must be"),
        (called(7), "modalities: 7 must be"),
        (called("class"), "modalities: 'class' must be a name"),
        (called("gate"), "modalities: 'gate' is the name of a parameter of the fusion node"),
        (called("objects"), "modalities: 'objects' is the name of a parameter"),
        # about
        (plain(about="everything"), "about.kind: invalid enum value 'everything'"),
        (plain(about=["robot"]), "about: not a table of fields"),
        (
            plain(about={"kind": "robot", "topic": "x"}),
            "about: topic, type: only of the kind topic",
        ),
        (plain(about={"kind": "topic"}), "about.topic: '' is no topic"),
        (plain(about={"kind": "topic", "topic": "a b", "type": STRING}), "about.topic: 'a b'"),
        (plain(about={"kind": "topic", "topic": "a", "type": "x"}), "about.type: 'x' is not one"),
        (plain(about={"kind": "robot", "seconds": math.nan}), "about.seconds: must be positive"),
        (plain(about={"kind": "robot", "colour": 1}), "about.colour: no such field"),
        (plain(about="objects"), r"modalities.imu.range: is missing: from where does it look"),
        (pointed(STRING, range=RANGE), r"modalities.imu.range: what is of a std_msgs/msg/String"),
        # modalities
        (plain(modalities={}), "modalities: must be a table with at least one"),
        (plain(modalities=[modality()]), "modalities: must be a table"),
        (plain(modalities={"imu": None}), "modalities.imu: not a table of fields"),
        (
            plain(modalities={f"m{i}": modality() for i in range(MOST_MODALITIES + 1)}),
            "modalities: 9, at most 8 are possible",
        ),
        (with_modality(colour=1), "modalities.imu.colour: no such field; there are topic, type"),
        (plain(modalities={"imu": {"topic": "x", "type": STRING}}), "imu.view: is missing"),
        (
            plain(modalities={"imu": {k: v for k, v in modality().items() if k != "topic"}}),
            "modalities.imu: is missing: .*topic",
        ),
        (with_modality(topic=""), "modalities.imu.topic: '' is no topic"),
        (with_modality(topic="a//b"), "modalities.imu.topic: 'a//b'"),
        (with_modality(topic="a b"), "modalities.imu.topic: 'a b'"),
        (with_modality(topic="a/"), "modalities.imu.topic: 'a/'"),
        (with_modality(topic=3), "modalities.imu.topic: expected str, got int"),
        (with_modality(type="Imu"), "modalities.imu.type: 'Imu' is no type of messages"),
        (with_modality(type="sensor_msgs/Imu"), "modalities.imu.type: 'sensor_msgs/Imu'"),
        (with_modality(finds_objects="yes"), "modalities.imu.finds_objects: expected bool"),
        (with_modality(reading_bytes=-1), "modalities.imu.reading_bytes: -1 must not"),
        (with_modality(range={"min_distance": 1.0}), "modalities.imu.range: is missing: "),
        (with_modality(range={**RANGE, "max": 1}), "modalities.imu.range.max: no such field"),
        (with_modality(range={**RANGE, "min_distance": 2.0}), "imu.range: min_distance, max_dist"),
        (with_modality(range={**RANGE, "max_distance": math.inf}), "imu.range: min_distance"),
        (with_modality(range={**RANGE, "max_bearing": 4.0}), "imu.range.max_bearing: must be"),
        (
            with_modality(viewpoint={"distance": -1.0, "distance_error": 0.0}),
            "modalities.imu.viewpoint.distance: must not be negative",
        ),
        # views
        (with_view("range", kind="sonar"), "modalities.imu.view.kind: 'sonar' is not one of"),
        (with_view("range", width=3), "modalities.imu.view.width: no such field"),
        (with_view("range", max_range="far"), "modalities.imu.view.max_range: expected float"),
        (with_view("range", max_range=-1.0), "modalities.imu.view.max_range: must be positive"),
        (
            plain(modalities={"imu": modality("range", type="sensor_msgs/msg/Image")}),
            "modalities.imu.type: is sensor_msgs/msg/Image, but the view range reads sensor_msgs/",
        ),
        # networks
        (with_modality(beta_vae={"latent_dim": 0}), "imu.beta_vae.latent_dim: 0 must be from 1"),
        (with_modality(beta_vae={"latent_dim": 10**9}), "imu.beta_vae.latent_dim: 1000000000"),
        (with_modality(beta_vae={"hidden": []}), "imu.beta_vae.hidden: 0 layers, from 1"),
        (with_modality(beta_vae={"hidden": [1] * 17}), "imu.beta_vae.hidden: 17 layers"),
        (with_modality(beta_vae={"hidden": [0]}), "imu.beta_vae.hidden: 0 must be"),
        (with_modality(beta_vae={"hidden": [2**17]}), "imu.beta_vae.hidden: 131072 must be"),
        (with_modality(beta_vae={"hidden": [1.5]}), "imu.beta_vae.hidden.0.: expected int"),
        (with_modality(beta_vae={"hidden": "wide"}), "imu.beta_vae.hidden: "),
        (with_modality(beta_vae={"channels": [4], "hidden": [4, 4]}), "beta_vae.channels: need"),
        (with_modality(beta_vae={"channels": [0]}), "imu.beta_vae.channels: 0 must be"),
        (with_modality(beta_vae={"channels": [1] * 17}), "imu.beta_vae.channels: 17 layers"),
        (with_modality(beta_vae={"beta_norm": -1.0}), "imu.beta_vae.beta_norm: -1.0 must not"),
        (with_modality(beta_vae={"beta_norm": math.nan}), "imu.beta_vae.beta_norm: nan"),
        (with_modality(beta_vae={"epochs": 0}), "imu.beta_vae.epochs: 0 must be from 1"),
        (with_modality(beta_vae={"depth": 1}), "imu.beta_vae.depth: no such field"),
        (plain(fusion={"latent_dim": "ten"}), "fusion.latent_dim: expected int, got str"),
        (plain(fusion={"joint": 0}), "fusion.joint: must be from 1"),
        (plain(fusion={"joint": 2**20}), "fusion.joint: must be from 1"),
        (plain(fusion={"hidden": [2**16] * 2}), "fusion: .* weights in all, at most"),
        (plain(fusion={"alpha": math.nan}), "fusion.alpha: "),
        (plain(fusion={"cross": -0.5}), "fusion.cross: "),
        (plain(fusion=3), "fusion: not a table"),
        # classes
        (plain(classes=["one"]), "classes: 1 names, must be at least two"),
        (plain(classes=[]), "classes: 0 names"),
        (plain(classes={}), "classes: must be from 2"),
        (plain(classes="abc"), "classes: not a list of names"),
        (plain(classes=["a", "a"]), "classes: 2 names, must be at least two, each once"),
        (plain(classes=["a", 1]), "classes: 1 must be a name"),
        (plain(classes=["a", " b"]), "classes: ' b' must be a name"),
        (plain(classes=["a", ""]), "classes: '' must be a name"),
        (plain(classes=["a", "_"]), "classes: '_' must be a name"),
        (plain(classes=["a", "b\nc"]), "classes: .* must be a name"),
        (plain(classes=["a", "b" * 65]), "classes: .* at most 64 characters"),
        (plain(classes=["a b", "a_b"]), "classes: two of them have the same name"),
        (plain(classes={"x": ["a", "a b"], "y": ["b c", "c"]}), "classes: two of them have the"),
        (plain(classes={"a.b": ["a", "b"]}), "classes: 'a.b' must be a name such as colour"),
        (plain(classes={"x": "ab"}), "classes.x: not a list of names"),
        (plain(classes=[f"c{i}" for i in range(MOST_CLASSES + 1)]), "classes: must be from 2 to"),
        (plain(classes={f"a{i}": ["x", "y"] for i in range(40)}), "classes: must be from 2 to"),
        # sampling
        (plain(sampling={"labels": ""}), "sampling.labels: is empty, but there are classes"),
        (plain(sampling={"labels": "a b"}), "sampling.labels: 'a b' is no topic"),
        (plain(sampling={"pairing": "luck"}), "sampling.pairing: invalid enum value 'luck'"),
        (plain(sampling={"split": "episode"}), "sampling.split: readings of one object"),
        (plain(sampling={"tolerance": -0.1}), "sampling.tolerance: must not be negative"),
        (plain(sampling={"pause": 0.0}), "sampling.pause: must be positive"),
        (plain(sampling={"validation": 1.0}), "sampling.validation: must be in"),
        (plain(sampling={"share": 1.0}), "sampling.share: no such field"),
    ],
)
def test_a_suite_that_makes_no_sense_is_refused_by_the_name_of_the_field(fields, reason) -> None:
    with pytest.raises(PlainError, match=reason) as error:
        SensorSuite.from_plain(fields)
    assert len(str(error.value)) < 400


@pytest.mark.parametrize(
    "fields",
    [
        with_view("window", seconds=1e9, rate=1e9),
        with_view("depth", width=2**40, height=2**40),
        with_view("scan", beams=2**31),
        with_view("vector", size=2**62),
        with_view("intensities", rays=10**12),
        with_view("point_cloud", width=2**22, height=2),
        with_view("image", width=2048, height=683),
        plain(fusion={"hidden": [2**16], "joint": 2**16}),
        with_modality(beta_vae={"hidden": [2**16, 2**16]}),
    ],
)
def test_what_does_not_fit_into_memory_is_refused_before_memory_is_taken(fields) -> None:
    tracemalloc.start()
    try:
        with pytest.raises(PlainError, match=r"values, at most|weights"):
            SensorSuite.from_plain(fields)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < 10_000_000


@given(suites())
def test_every_suite_that_is_taken_fits_into_memory(fields) -> None:
    suite = SensorSuite.from_plain(fields)
    codes = [each.beta_vae.latent_dim for each in suite.values()]
    fusion = suite.fusion
    total = weights_of_fusion(codes, fusion.latent_dim, fusion.hidden, fusion.joint)
    for each in suite.values():
        spec, shape = each.beta_vae, each.view.shape
        total += weights_of_beta_vae(shape, spec.latent_dim, spec.hidden, spec.channels)
    assert total <= MOST_WEIGHTS
