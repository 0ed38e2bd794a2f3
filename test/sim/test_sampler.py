# SPDX-License-Identifier: Apache-2.0
"""The samples for training: reproducible, balanced, and true to the premise of the paper."""

import math
from dataclasses import replace

import numpy as np
import pytest
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier

from m2vae_ros.host.resources import resource
from m2vae_ros.sim import sampler
from m2vae_ros.sim.mujoco_world import compile_world
from m2vae_ros.sim.sampler import SampleRenderer, sample
from m2vae_ros.sim.sensors import Rays, mujoco
from m2vae_ros.world.noise import NOISELESS
from m2vae_ros.world.objects import ObjectVariety, attributes_of, class_of
from m2vae_ros.world.sdf import Box, Cylinder, Pose, WorldError, read_world
from m2vae_ros.world.suite import AMIRO

AMIRO_WORLD = resource("worlds/amiro.world")


@pytest.fixture(scope="module")
def few():
    return sample(24, seed=5)


def test_the_same_seed_gives_the_same_samples(few):
    assert sample(24, seed=5).digest() == few.digest()
    assert sample(24, seed=6).digest() != few.digest()


def test_fewer_samples_are_the_first_of_more(few):
    assert sample(10, seed=5).digest() == few[:10].digest()


def test_each_block_of_eight_has_each_class_once(few):
    for block in few.labels.reshape(-1, 8):
        assert sorted(block) == list(range(8))
    assert len({tuple(block) for block in few.labels.reshape(-1, 8)}) > 1


def test_progress_adds_up_to_the_number_of_samples(monkeypatch):
    monkeypatch.setattr(sampler, "_BLOCK", 20)
    steps = []
    sample(61, seed=0, progress=steps.append)
    assert steps == [20, 20, 20, 1]


def test_no_samples_are_samples_too():
    assert len(sample(0, seed=0)) == 0


@pytest.mark.parametrize(("count", "seed"), [(-1, 0), (1, -1)])
def test_negative_numbers_are_refused(count, seed):
    with pytest.raises(ValueError, match="must not be negative"):
        sample(count, seed)


def test_a_world_without_a_robot_that_carries_everything_is_refused(tmp_path):
    path = tmp_path / "blind.world"
    path.write_text(AMIRO_WORLD.read_text().replace('sensor name="camera"', 'sensor name="eye"'))
    with pytest.raises(WorldError, match="no robot has the sensors camera, lidar, reflectance"):
        sample(1, 0, world_path=path)


def test_colours_and_intensities_are_those_of_the_worlds_objects(few):
    colours = few.packed["camera"][:, :, 8, 30:34].mean(axis=2)
    red, green = few.attributes[:, 0] == 0, few.attributes[:, 0] == 1
    assert np.all(colours[red, 0] > 2 * colours[red, 1])
    assert np.all(colours[green, 1] > 2 * colours[green, 0])
    mat = few.attributes[:, 2] == 0
    assert few.packed["reflectance"][mat, 0].max() < 0.5 < few.packed["reflectance"][~mat, 0].min()


def test_a_drawn_object_is_sensed_as_if_the_world_had_been_built_with_it():
    """Sizes are set in the compiled model; compiling it anew must give the same ranges."""
    world = read_world(AMIRO_WORLD)
    variety = ObjectVariety.of(world)
    renderer = SampleRenderer(world, variety.height, NOISELESS)
    rng = np.random.default_rng(0)
    for index in range(40):
        item = variety.draw(attributes_of(index % 8), rng)
        renderer.show(item)
        viewpoint = AMIRO["lidar"].viewpoint.draw(item.x, item.y, rng)
        ranges, intensities = renderer.cast("lidar", viewpoint)
        expected = _built_anew(world, item, viewpoint)
        assert np.allclose(ranges, expected[0], atol=1e-9)
        assert np.allclose(intensities, expected[1])
    renderer.close()


def _built_anew(world, item, pose):
    name = "box" if item.attributes[1] else "cylinder"
    arena = [m for m in world.models if m.static and class_of(m) is None]
    rig = next(m for m in world.models if not m.static)
    pattern = next(m for m in world.models if name in m.name and m.static)
    collision = pattern.links[0].collisions[0]
    height = 0.7
    geometry = (
        Box((item.width, item.width, height))
        if item.attributes[1]
        else Cylinder(item.width / 2, height)
    )
    collision = replace(collision, geometry=geometry, laser_retro=item.laser_retro)
    link = replace(pattern.links[0], collisions=(collision,))
    where = Pose((item.x, item.y, height / 2), (0.0, 0.0, item.yaw))
    built = replace(pattern, pose=where, links=(link,))
    compiled = compile_world(replace(world, models=(*arena, built, rig)))
    data = mujoco.MjData(compiled.model)
    for axis, value in zip(("x", "y", "yaw"), pose, strict=True):
        data.joint(f"{rig.name}/{axis}").qpos = value
    mujoco.mj_forward(compiled.model, data)
    lidar = next(s for s in rig.links[0].sensors if s.name == "lidar")
    return Rays(compiled, rig, lidar).read(data)


def test_cylinders_look_as_wide_as_boxes():
    variety = ObjectVariety.of(read_world(AMIRO_WORLD))
    rng = np.random.default_rng(0)
    cylinders = [variety.draw((0, 0, 0), rng).width for _ in range(4000)]
    boxes = [
        item.width * (math.cos(item.yaw) + math.sin(item.yaw))
        for item in (variety.draw((0, 1, 0), rng) for _ in range(4000))
    ]
    for share in (5, 25, 50, 75, 95):
        assert np.percentile(cylinders, share) == pytest.approx(
            np.percentile(boxes, share), rel=0.02
        )


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_each_raw_sensor_tells_its_own_attribute_and_little_of_the_others():
    """The premise of the paper's Sec. IV, measured on the views before any model."""
    train, test = sample(2000, seed=901), sample(1000, seed=902)
    own = {"camera": ("colour", 0.99), "lidar": ("shape", 0.98), "reflectance": ("material", 0.99)}
    for modality, (attribute, at_least) in own.items():
        x, y = (
            samples.observations(modality).reshape(len(samples), -1) for samples in (train, test)
        )
        if modality == "camera":  # flat colours: little is lost
            reduction = PCA(60).fit(x)
            x, y = reduction.transform(x), reduction.transform(y)
        x, y = (x - x.mean(0)) / x.std(), (y - x.mean(0)) / x.std()
        for column, name in enumerate(AMIRO.attributes):
            accuracy = max(
                model.fit(x, train.attributes[:, column]).score(y, test.attributes[:, column])
                for model in (
                    LogisticRegression(max_iter=500),
                    MLPClassifier((128, 64), max_iter=80, alpha=1e-3, random_state=0),
                )
            )
            if name == attribute:
                assert accuracy >= at_least, (modality, name)
            else:
                assert accuracy <= 0.65, (modality, name)
