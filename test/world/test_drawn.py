# SPDX-License-Identifier: Apache-2.0
"""Drawn worlds: other objects of the same kind, everything else as it was."""

import xml.etree.ElementTree as ElementTree
from copy import deepcopy

import numpy as np
import pytest

from m2vae_ros.host.resources import resource
from m2vae_ros.world.drawn import draw_world
from m2vae_ros.world.objects import ObjectVariety, class_of, objects_of
from m2vae_ros.world.sdf import WorldError, read_world
from m2vae_ros.world.suite import AMIRO

AMIRO_WORLD = resource("worlds/amiro.world")


@pytest.fixture
def drawn(tmp_path):
    def draw(seed):
        path = tmp_path / f"{seed}.world"
        path.write_text(draw_world(AMIRO_WORLD, seed))
        return read_world(path)

    return draw


def test_equal_seeds_draw_equal_worlds():
    assert draw_world(AMIRO_WORLD, 3) == draw_world(AMIRO_WORLD, 3)
    assert draw_world(AMIRO_WORLD, 3) != draw_world(AMIRO_WORLD, 4)


def test_only_the_objects_differ(drawn):
    world, original = drawn(1), read_world(AMIRO_WORLD)
    for ours, theirs in zip(world.models, original.models, strict=True):
        assert ours.name == theirs.name
        if class_of(theirs) is None:
            assert ours == theirs
        else:
            assert ours != theirs


@pytest.mark.parametrize("seed", range(5))
def test_there_is_one_object_of_each_class_on_the_places_of_the_original(drawn, seed):
    original = {(item.x, item.y) for item in objects_of(read_world(AMIRO_WORLD))}
    objects = objects_of(drawn(seed))
    assert sorted(item.class_name for item in objects) == sorted(AMIRO.classes)
    assert {(item.x, item.y) for item in objects} == original


def test_no_place_and_no_look_belongs_to_a_class(drawn):
    worlds = [drawn(seed) for seed in range(12)]
    for name in AMIRO.classes:
        places, colours, retros = set(), set(), set()
        for world in worlds:
            (model,) = (model for model in world.models if class_of(model) == name)
            places.add(model.pose.position[:2])
            colours.add(model.links[0].visuals[0].colour)
            retros.add(model.links[0].collisions[0].laser_retro)
        assert len(places) > 3
        assert len(colours) == len(retros) == len(worlds)


def test_objects_stay_within_the_variety_of_the_original(drawn):
    variety = ObjectVariety.of(read_world(AMIRO_WORLD))
    for seed in range(5):
        again = ObjectVariety.of(drawn(seed))  # reads and checks every object
        assert again.height == variety.height
        for value in (0, 1):
            assert np.all(again.colours[value].low >= variety.colours[value].low - 1e-6)
            assert np.all(again.colours[value].high <= variety.colours[value].high + 1e-6)
            assert again.retros[value].low >= variety.retros[value].low - 1e-6
            assert again.retros[value].high <= variety.retros[value].high + 1e-6


def test_a_second_object_of_a_class_is_drawn_too(tmp_path):
    tree = ElementTree.parse(AMIRO_WORLD)
    second = deepcopy(tree.find(".//model[@name='red_box_mat']"))
    second.set("name", "red_box_mat_2")
    second.find("pose").text = "0 -2.2 0.35 0 0 0"
    tree.find("world").append(second)
    tree.write(tmp_path / "two.world")
    (tmp_path / "drawn.world").write_text(draw_world(tmp_path / "two.world", 0))
    before, after = (
        {item.name: item for item in objects_of(read_world(tmp_path / name))}
        for name in ("two.world", "drawn.world")
    )
    assert set(after) == set(before)
    places = [{(item.x, item.y) for item in items.values()} for items in (before, after)]
    assert places[0] == places[1]


def test_a_world_that_lacks_a_class_is_refused(tmp_path):
    path = tmp_path / "less.world"
    path.write_text(AMIRO_WORLD.read_text().replace("red_cylinder_mat", "pillar"))
    with pytest.raises(WorldError, match="there is no red cylinder mat"):
        draw_world(path, 0)
