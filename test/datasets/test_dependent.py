# SPDX-License-Identifier: Apache-2.0
"""Worlds of related sensors: what each sensor tells alone, and what only several tell together."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.neighbors import NearestCentroid

from m2vae_ros.datasets.dependent import DIMENSIONS, DISTANCE, World, catalogue, wet_objects

WORLDS = {"wet": wet_objects(), "catalogue": catalogue()}
every_world = pytest.mark.parametrize("world", WORLDS.values(), ids=WORLDS)


def told(world: World, attribute: str, by: tuple[str, ...]) -> float:
    """The share of kinds of which the best classifier of these attributes tells another one."""
    seen, meant = world.numbered(by), world.attributes[attribute]
    right = [np.bincount(meant[seen == value]).max() for value in np.unique(seen)]
    return sum(right) / len(seen)


def test_the_material_of_a_wet_object_is_told_by_camera_and_reflectance_together_alone():
    world = wet_objects()
    for sees in world.sees.values():
        assert told(world, "material", sees) == 0.5
    camera, lidar, reflectance = world.sees.values()
    assert told(world, "material", camera + lidar) == 0.5
    assert told(world, "material", lidar + reflectance) == 0.5
    assert told(world, "material", camera + reflectance) == 1.0


def test_a_wet_mat_object_reflects_like_a_dry_shiny_one():
    of = wet_objects().attributes
    mat_wet = (of["material"] == 0) & (of["wet"] == 1)
    shiny_dry = (of["material"] == 1) & (of["wet"] == 0)
    assert set(of["gloss"][mat_wet]) == set(of["gloss"][shiny_dry]) == {1}


def test_whether_an_object_is_wet_is_no_part_of_its_class():
    world = wet_objects()
    classes = world.numbered(world.classes)
    assert len(np.unique(classes)) == 18
    assert len(classes) == 36
    assert np.array_equal(np.bincount(classes), np.full(18, 2))


@given(st.integers(2, 6))
def test_in_the_catalogue_one_attribute_tells_nothing_of_another_and_two_tell_the_third(size):
    world = catalogue(size)
    names = ("colour", "shape", "material")
    for name in names:
        one, two = (other for other in names if other != name)
        assert told(world, name, (one,)) == pytest.approx(1 / size)
        assert told(world, name, (one, two)) == 1.0
    assert len(np.unique(world.numbered(world.classes))) == size**2


@every_world
def test_raw_readings_tell_what_their_sensor_sees_in_98_of_100_cases(world):
    train, test = world.draw((5000, 5000), 3)
    for m, sees in world.sees.items():
        seen = world.numbered(sees)
        nearest = NearestCentroid().fit(train.x[m], seen[train.labels])
        assert 0.98 < nearest.score(test.x[m], seen[test.labels]) < 1.0


@every_world
def test_readings_scatter_by_one_about_points_of_which_the_nearest_are_so_far_apart(world):
    (data,) = world.draw((50_000,), 5)
    for m, sees in world.sees.items():
        seen = world.numbered(sees)[data.labels]
        groups = [data.x[m][seen == value] for value in np.unique(seen)]
        assert np.mean([group.std(0) for group in groups]) == pytest.approx(1.0, rel=0.01)
        points = [group.mean(0) for group in groups]
        apart = [np.linalg.norm(p - q) for i, p in enumerate(points) for q in points[:i]]
        assert min(apart) == pytest.approx(DISTANCE, rel=0.03)


@given(counts=st.lists(st.integers(0, 50), min_size=1, max_size=3), seed=st.integers(0, 2**32 - 1))
def test_equal_seeds_draw_equal_sensors_and_objects(counts, seed):
    for world in WORLDS.values():
        drawn, again = world.draw(counts, seed), world.draw(counts, seed)
        assert [len(data) for data in drawn] == counts
        for data, other in zip(drawn, again, strict=True):
            assert data.dims == dict.fromkeys(world.sees, DIMENSIONS)
            assert np.array_equal(data.labels, other.labels)
            for m, x in data.x.items():
                assert x.dtype == np.float32
                assert np.array_equal(x, other.x[m])


def test_sets_of_one_draw_share_sensors_and_no_object():
    first, second = catalogue().draw((100, 100), 0)
    assert not np.array_equal(first.x["camera"], second.x["camera"])
    (other,) = catalogue().draw((100,), 1)
    assert not np.array_equal(first.x["camera"], other.x["camera"])
