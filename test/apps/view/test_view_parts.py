# SPDX-License-Identifier: Apache-2.0
"""What is drawn, as numbers, colours and words."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import ClassVar

import numpy as np
import pytest
import rerun.blueprint as rrb

from m2vae_ros.apps.view import arena, beliefs, colours, latent, layout, sensors, traffic
from m2vae_ros.apps.view.listener import TEAM, Listener
from m2vae_ros.apps.view.scene import Reading, Robot, Scene, Sensor
from m2vae_ros.fusion.attributes import marginals
from m2vae_ros.fusion.belief import Belief
from m2vae_ros.fusion.embedding import Embedding
from m2vae_ros.sensors import Modality
from m2vae_ros.sensors.messages import NANOSECONDS
from m2vae_ros.sensors.sensing_range import SensingRange
from m2vae_ros.sensors.view import View
from m2vae_ros.sensors.views.image_band import ImageBandView
from m2vae_ros.sensors.views.scan import ScanView
from m2vae_ros.sensors.views.vector import VectorView
from m2vae_ros.sensors.views.window import WindowView

ATTRIBUTES = {"colour": ("red", "green"), "shape": ("cylinder", "box")}


def belief(*probabilities: float) -> Belief:
    embedding = Embedding(
        object_id="can_1",
        position=(0.0, 0.0, 0.0),
        frame="map",
        held={"camera": 1},
        mean=np.zeros(2),
        log_variance=np.zeros(2),
        sender="one",
        fingerprint="f",
    )
    return Belief(embedding, np.array(probabilities))


def found(one: Belief):
    return marginals(one.probabilities, ATTRIBUTES)


@dataclass(frozen=True)
class Volume(View):
    """A view of an installed package: nobody here knows its kind."""

    kind: ClassVar[str] = "volume"

    @property
    def shape(self) -> tuple[int, ...]:
        return (2, 3, 4)

    def read(self, message):
        return message


def test_what_is_not_known_of_an_object_is_a_question_mark() -> None:
    def label(*probabilities: float) -> str:
        one = belief(*probabilities)
        return colours.label(one, found(one))

    assert label(0.5, 0.5, 0.0, 0.0) == "red · ?"
    assert label(0.97, 0.01, 0.01, 0.01) == "red · cylinder"
    assert label(0.25, 0.25, 0.25, 0.25) == "? · ?"


def test_what_is_none_of_the_classes_is_drawn_and_named_as_unknown() -> None:
    known = belief(1.0, 0, 0, 0)
    one = replace(known, embedding=replace(known.embedding, strange=frozenset({"camera"})))
    assert colours.belief_colour(one, found(one)) == colours.STRANGE
    assert colours.label(one, found(one)) == "unknown"
    assert "red" not in beliefs.table([one], ATTRIBUTES, {"camera": "cam"}).splitlines()[-1]


def test_an_object_has_the_colour_that_is_known_and_is_greyer_when_less_is() -> None:
    sure, half, none = belief(1.0, 0, 0, 0), belief(0.5, 0.5, 0, 0), belief(0.25, 0.25, 0.25, 0.25)
    red = colours.belief_colour(sure, found(sure))
    dull = colours.belief_colour(half, found(half))
    assert colours.belief_colour(none, found(none)) == colours.UNKNOWN
    assert red[0] > dull[0] > colours.UNKNOWN[0]
    assert red == colours.named_colour("red")


def test_classes_without_names_of_colours_have_those_of_the_palette() -> None:
    one = belief(0.0, 1.0)
    drawn = colours.belief_colour(one, marginals(one.probabilities, {"class": ("cup", "book")}))
    assert drawn == colours.palette_colour(1)


def test_the_table_says_each_attribute_and_what_it_was_sensed_by() -> None:
    beliefs_of = [belief(0.5, 0.5, 0, 0), belief(0.49, 0.48, 0.02, 0.01)]
    head, _, sure, less = beliefs.table(beliefs_of, ATTRIBUTES, {"camera": "cam"}).splitlines()
    assert head == "| object | colour | shape | by |"
    assert sure == "| can_1 | red | ? | cam |"
    assert less == "| can_1 | red .97 | ? | cam |"


@pytest.mark.parametrize(
    ("names", "short"),
    [
        (["camera", "LiDAR", "reflect."], ["cam", "LiD", "ref"]),
        (["front left", "front right"], ["front l", "front r"]),
        (["imu", "imu"], ["imu", "imu"]),
        ([], []),
    ],
)
def test_sensors_are_abbreviated_as_far_as_they_can_be_told_apart(names, short) -> None:
    numbered = {str(number): name for number, name in enumerate(names)}
    assert [*beliefs.abbreviated(numbered).values()] == short


@pytest.mark.parametrize(
    ("probabilities", "attributes", "solid"),
    [
        ((0.5, 0.0, 0.5, 0.0), ATTRIBUTES, "cylinder"),
        ((0.0, 0.5, 0.0, 0.5), ATTRIBUTES, "box"),
        ((0.5, 0.5, 0.0, 0.0), ATTRIBUTES, "ball"),  # the colour alone is known
        ((1.0, 0.0), {"shape": ("cone", "box")}, "ball"),
        ((0.0, 1.0), {"class": ("cylinder", "box")}, "ball"),
        ((), ATTRIBUTES, "ball"),
    ],
)
def test_an_object_is_drawn_in_the_shape_it_is_taken_for(probabilities, attributes, solid) -> None:
    assert arena.solid(marginals(np.array(probabilities), attributes)) == solid


def test_a_sensing_range_is_a_sector_of_a_ring() -> None:
    outline = arena.field_of_view(SensingRange(0.5, 1.0, 0.3))
    distances = np.linalg.norm(outline, axis=1)
    bearings = np.arctan2(outline[:, 1], outline[:, 0])
    assert set(np.round(distances, 9)) == {0.5, 1.0}
    assert (bearings.min(), bearings.max()) == pytest.approx((-0.3, 0.3))


def test_of_a_scan_what_the_model_looks_at_is_told_from_the_rest() -> None:
    scan = SimpleNamespace(
        ranges=[1.0, math.inf, 2.0, 0.0, 3.0], angle_min=-1.0, angle_increment=0.5
    )
    points, inside = arena.scan_points(scan, ScanView(half_angle=0.2).sector)
    assert np.linalg.norm(points, axis=1) == pytest.approx([1.0, 2.0, 3.0])
    assert inside.tolist() == [False, True, False]


def test_of_a_picture_the_band_is_what_the_model_looks_at() -> None:
    view = ImageBandView()
    assert view.band(480, 640) == view.rows(480, 640)


def test_a_view_of_an_unknown_kind_is_shown_as_a_picture() -> None:
    shown = Volume().display(np.arange(24.0).reshape(2, 3, 4))
    assert (shown.dtype, shown.shape) == (np.uint8, (6, 4))
    assert (shown.min(), shown.max()) == (0, 255)
    assert Volume().band(10, 10) is Volume().sector is None


def test_curves_share_one_scale_that_holds_both() -> None:
    lines = sensors.curve_lines(
        {"sensed": np.array([[0.0, 1.0]]), "decoded": np.array([[-1.0, 2.0]])}
    )
    width, height = sensors.CANVAS
    assert lines["decoded"][0].tolist() == [[0.0, height], [width, 0.0]]
    assert lines["sensed"][0][:, 1] == pytest.approx([2 / 3 * height, height / 3])


def test_one_number_is_a_level_line() -> None:
    (line,) = sensors.curve_lines({"sensed": np.array([[0.25]])})["sensed"]
    assert line.tolist() == [[0.0, 75.0], [200.0, 75.0]]


def test_pictures_stand_one_above_the_other_with_a_gap() -> None:
    sensed, decoded, spread = (np.full((12, 4), level, np.uint8) for level in (200, 90, 7))
    three = sensors.stacked(sensed, decoded, spread)
    assert three[:, 0].tolist() == [200] * 12 + [0] + [90] * 12 + [0] + [7] * 12
    assert not sensors.stacked(None, decoded, spread)[:12].any()


def said(*modalities: str, stamp: int) -> SimpleNamespace:
    """What a listener takes of a classification."""
    time = SimpleNamespace(sec=stamp, nanosec=0)
    header = SimpleNamespace(stamp=time)
    return SimpleNamespace(object_id="it", header=header, sensed=modalities)


def test_of_bytes_sensed_those_count_that_were_fused_and_of_one_message_once() -> None:
    imu = {"topic": "imu", "type": "sensor_msgs/msg/Imu"}
    of = {name: Sensor(Modality(name, view=WindowView(fields=("x",)), **imu)) for name in "ab"}
    scene = Scene(SimpleNamespace(get=lambda name: None))
    listener = Listener.__new__(Listener)
    listener._scene = scene
    robot = Robot("one", sensors=of)
    for second in range(20):
        for sensor in of.values():
            stamp = second * NANOSECONDS
            size = sensor.heard(stamp, 300)
            sensor.readings.append(Reading(stamp, None, lambda: None, lambda: None, size))
    listener._on_classification(robot, said(stamp=19))  # others told of it
    assert scene.fused_bytes == 0
    listener._on_classification(robot, said("a", "b", stamp=19))
    assert scene.fused_bytes == 5 * 300  # of 4.9 seconds
    scene.sent, scene.sent_bytes = 1, 259
    assert "1 embeddings, 259 bytes sent" in traffic.volume(scene)
    assert "fused were 1.5 kB" in traffic.volume(scene)


def test_a_look_by_a_sensor_of_all_counts_as_one_of_the_robot_that_fused_it() -> None:
    topic = {"topic": "/sonar", "type": "std_msgs/msg/Float32"}
    sonar = Sensor(Modality("sonar", view=VectorView(fields=("data",)), **topic))
    sonar.readings.append(Reading(3 * NANOSECONDS, None, lambda: None, lambda: np.ones(1), 12))
    scene = Scene(SimpleNamespace(get=lambda name: None))
    scene.robots[TEAM] = Robot(TEAM, sensors={"sonar": sonar})
    listener = Listener.__new__(Listener)
    listener._scene = scene
    listener._on_classification(Robot("one"), said("sonar", stamp=3))
    assert scene.looks["it"]["sonar"].robot == "one"
    assert scene.fused_bytes == 12


def test_of_diagnostics_drops_are_noted_whatever_else_there_is() -> None:
    pairs = [("frames", "9" * 5000), ("dropped scan: stamp", "2"), ("dropped tf: x", "many")]
    values = [SimpleNamespace(key=key, value=value) for key, value in pairs]
    listener = Listener.__new__(Listener)
    listener._scene = Scene(SimpleNamespace())
    status = SimpleNamespace(name="amiro1/fusion", values=values)
    listener._on_diagnostics(SimpleNamespace(status=[status]))
    assert listener._scene.drops == {"amiro1/fusion": {"scan: stamp": 2}}


def test_of_the_latent_space_all_is_seen_that_is_held_now_with_room_for_names() -> None:
    far = np.array([[-3.0, 4.0], [5.0, 4.0], [1.0, 8.0]])
    near = np.array([[0.0, 0.0], [0.5, 0.25]])
    for parts in ([far], [near], [far, near]):
        *middle, size = latent.window(parts)
        every = np.concatenate(parts)
        reach = np.abs(every - middle).max(axis=0) / np.exp(size)
        assert (reach <= latent.FILLED * latent.CANVAS / 2.0 + 1e-9).all()
        assert np.isclose(reach, latent.FILLED * latent.CANVAS / 2.0).any()  # and no larger


def test_in_the_latent_space_values_are_named_as_briefly_as_they_can_be_told_apart() -> None:
    one = belief(0.97, 0.01, 0.01, 0.01)
    assert colours.label(one, [*map(latent.short, found(one))]) == "red · cyl"


@pytest.mark.parametrize("classes", [("cup", "book"), ()])
def test_every_part_has_its_place_curves_of_classes_where_there_are_any(classes) -> None:
    modality = SimpleNamespace(title="")
    suite = type("Suite", (dict,), {"classes": classes})(sonar=modality)
    sensor = SimpleNamespace(modality=SimpleNamespace(name="sonar"))
    scene = SimpleNamespace(
        memory=SimpleNamespace(engine=SimpleNamespace(suite=suite)),
        sensors=lambda: [(Robot("rover"), sensor)],
        first="",
    )
    shown = [view.origin for view in views_in(layout.blueprint(scene).root_container)]
    of_classes = [beliefs.CLASSES, beliefs.LIKELIEST] if classes else []
    others = [arena.ORIGIN, latent.ORIGIN, beliefs.TABLE, traffic.ORIGIN, traffic.WORDS]
    others += [f"{sensors.ORIGIN}/rover/sonar"]
    others += [f"{sensors.CHOSEN}/{what}" for what in ("sonar", "about")]
    assert sorted(shown) == sorted(f"/{origin}" for origin in of_classes + others)


def views_in(part):
    """All views of a layout."""
    if isinstance(part, rrb.View):
        return [part]
    return [view for inside in part.contents for view in views_in(inside)]


def test_drops_are_listed_by_node_and_reason() -> None:
    assert traffic.drop_table({}) == "No messages dropped."
    rows = traffic.drop_table({"b": {"odom: stamp": 2}, "a": {"x: y": 1}}).splitlines()[2:]
    assert rows == ["| 1 | x: y | a |", "| 2 | odom: stamp | b |"]
