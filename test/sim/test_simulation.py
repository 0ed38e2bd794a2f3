# SPDX-License-Identifier: Apache-2.0
"""The running world: robots drive as they are told and no further, sensors read what is there."""

import importlib
import math
import sys

import numpy as np
import pytest

from m2vae_ros.host.resources import resource
from m2vae_ros.sim.picture import world_picture
from m2vae_ros.sim.simulation import Simulation, SimulationError
from m2vae_ros.world.commands import COMMAND_TIMEOUT, MAX_ANGULAR, MAX_LINEAR
from m2vae_ros.world.noise import NOISELESS, SensorNoise
from m2vae_ros.world.objects import class_of
from m2vae_ros.world.sdf import Box, Cylinder, WorldError, read_world
from m2vae_ros.world.suite import AMIRO

AMIRO_WORLD = resource("worlds/amiro.world")
RADIUS = 0.05  # of a robot


@pytest.fixture
def simulation():
    world = Simulation(AMIRO_WORLD, noise=NOISELESS)
    yield world
    world.close()


@pytest.fixture(scope="module")
def pillars():
    """Geometry, yaw, colour and intensity of each object."""
    found = {}
    for model in read_world(AMIRO_WORLD).models:
        link = model.links[0]
        if class_of(model) is not None:
            visual, collision = link.visuals[0], link.collisions[0]
            yaw = model.pose.roll_pitch_yaw[2]
            found[model.name] = (visual.geometry, yaw, visual.colour, collision.laser_retro)
    return found


def drive(simulation, seconds, **commands):
    """Let robots drive: linear and angular velocity for each."""
    for _ in range(round(seconds / 0.1)):
        for robot, (linear, angular) in commands.items():
            simulation.command(robot, linear, angular)
        simulation.step(0.1)


def distance(simulation, first, second):
    (x1, y1, _), (x2, y2, _) = simulation.pose(first), simulation.pose(second)
    return math.hypot(x2 - x1, y2 - y1)


# Which world


def test_robots_begin_where_the_world_file_has_them(simulation):
    for model in read_world(AMIRO_WORLD).models:
        if not model.static:
            x, y, _ = model.pose.position
            assert simulation.pose(model.name) == pytest.approx(
                (x, y, model.pose.roll_pitch_yaw[2]), abs=1e-6
            )
            assert simulation.twist(model.name) == (0.0, 0.0, 0.0)


def test_all_robots_carry_all_sensors_unless_told_otherwise(simulation):
    assert simulation.robots == {f"amiro{n}": tuple(AMIRO) for n in (1, 2, 3)}
    some = Simulation(AMIRO_WORLD, {"amiro2": ("lidar",), "amiro1": ()})
    assert some.robots == {"amiro1": (), "amiro2": ("lidar",)}
    assert len(some.objects) == 8


@pytest.mark.parametrize(
    ("robots", "reason"),
    [
        ({"amiro9": ("camera",)}, "no robot amiro9, there are: amiro1, amiro2, amiro3"),
        ({"amiro1": ("sonar",)}, "amiro1 has no sensor sonar, its sensors: camera, lidar, refl"),
        ({"red_box_mat": ()}, "no robot red_box_mat"),
    ],
)
def test_robots_and_sensors_that_are_not_there_are_named(robots, reason):
    with pytest.raises(SimulationError, match=reason):
        Simulation(AMIRO_WORLD, robots)


def test_asking_for_what_is_not_there_names_it():
    simulation = Simulation(AMIRO_WORLD, {"amiro1": ("lidar",)})
    with pytest.raises(SimulationError, match="amiro1 has no sensor camera, its sensors: lidar"):
        simulation.image("amiro1")
    with pytest.raises(SimulationError, match="amiro1/lidar is no camera"):
        simulation.image("amiro1", "lidar")
    with pytest.raises(SimulationError, match="no robot amiro2, there are: amiro1"):
        simulation.ranges("amiro2")
    for ask in (simulation.pose, simulation.twist, simulation.image, simulation.intensities):
        with pytest.raises(SimulationError, match="no robot amiro2"):
            ask("amiro2")
    with pytest.raises(SimulationError, match="no robot amiro2"):
        simulation.command("amiro2", 0.0, 0.0)


def test_what_drawing_takes_is_named_when_it_is_missing(monkeypatch):
    monkeypatch.setitem(sys.modules, "mujoco", None)
    monkeypatch.delitem(sys.modules, "m2vae_ros.sim.backend")
    with pytest.raises(ImportError, match="apt-get install libosmesa6"):
        importlib.import_module("m2vae_ros.sim.backend")


def test_a_world_that_is_missing_is_named():
    with pytest.raises(WorldError, match="nowhere.world: No such file"):
        Simulation("nowhere.world")


# Driving


def test_time_passes_by_what_is_asked_for(simulation):
    for _ in range(1000):
        simulation.step(0.0033)
    assert simulation.time == pytest.approx(3.3, abs=0.005)
    for wrong in (-0.1, math.nan, math.inf):
        with pytest.raises(ValueError, match="dt must be finite"):
            simulation.step(wrong)


def test_a_robot_drives_straight_ahead_in_its_own_frame(simulation):
    simulation.place("amiro1", 0.3, -0.6, math.radians(30))
    drive(simulation, 2.0, amiro1=(0.3, 0.0))
    x, y, yaw = simulation.pose("amiro1")
    travelled = math.hypot(x - 0.3, y + 0.6)
    assert travelled == pytest.approx(0.6, abs=0.02)
    assert math.atan2(y + 0.6, x - 0.3) == pytest.approx(math.radians(30), abs=1e-3)
    assert yaw == pytest.approx(math.radians(30), abs=1e-3)
    assert simulation.twist("amiro1") == pytest.approx((0.3, 0.0, 0.0), abs=1e-3)


def test_a_positive_turn_is_counter_clockwise(simulation):
    simulation.place("amiro1", 0.0, 0.8, 0.0)
    drive(simulation, 1.0, amiro1=(0.0, 1.0))
    x, y, yaw = simulation.pose("amiro1")
    assert yaw == pytest.approx(1.0, abs=0.05)
    assert (x, y) == pytest.approx((0.0, 0.8), abs=1e-3)
    assert simulation.twist("amiro1")[2] == pytest.approx(1.0, abs=1e-2)


def test_a_robot_that_drives_and_turns_goes_round_a_circle(simulation):
    simulation.place("amiro1", 0.6, 0.0, math.pi / 2)
    drive(simulation, 2 * math.pi, amiro1=(0.3, 1.0))
    x, y, _ = simulation.pose("amiro1")
    assert math.hypot(x - 0.3, y) == pytest.approx(0.3, abs=0.03)


def test_the_yaw_of_a_pose_stays_within_a_half_turn(simulation):
    drive(simulation, 5.0, amiro1=(0.0, 2.0))
    assert -math.pi <= simulation.pose("amiro1")[2] <= math.pi


def test_commands_beyond_the_limits_are_carried_out_at_the_limits(simulation):
    simulation.place("amiro1", -0.8, 0.0, 0.0)
    drive(simulation, 1.0, amiro1=(99.0, 0.0))
    assert simulation.twist("amiro1")[0] == pytest.approx(MAX_LINEAR, abs=1e-3)
    drive(simulation, 1.0, amiro1=(0.0, -99.0))
    assert simulation.twist("amiro1")[2] == pytest.approx(-MAX_ANGULAR, abs=1e-2)


def test_a_robot_stops_when_no_more_commands_come(simulation):
    simulation.command("amiro1", 0.2, 0.5)
    simulation.step(COMMAND_TIMEOUT - 0.05)
    assert simulation.twist("amiro1")[0] == pytest.approx(0.2, abs=1e-3)
    simulation.step(0.5)
    assert simulation.twist("amiro1") == pytest.approx((0.0, 0.0, 0.0), abs=1e-3)


@pytest.mark.parametrize("command", [(math.nan, 0.0), (0.0, math.inf)])
def test_a_command_that_is_no_number_is_refused_and_the_one_before_holds(simulation, command):
    simulation.command("amiro1", 0.2, 0.0)
    with pytest.raises(ValueError, match="command of amiro1"):
        simulation.command("amiro1", *command)
    simulation.step(0.3)
    assert simulation.twist("amiro1")[0] == pytest.approx(0.2, abs=1e-3)


def test_a_robot_does_not_drive_through_walls(simulation):
    simulation.place("amiro1", 2.5, 0.6, 0.0)
    drive(simulation, 4.0, amiro1=(MAX_LINEAR, 0.0))
    x, y, _ = simulation.pose("amiro1")
    assert x == pytest.approx(3.0 - RADIUS, abs=0.005)
    assert y == pytest.approx(0.6, abs=0.05)
    assert abs(simulation.twist("amiro1")[0]) < 0.02


@pytest.mark.parametrize("name", ["red_cylinder_mat", "green_box_mat"])
def test_a_robot_does_not_drive_through_objects(simulation, pillars, name):
    (item,) = (item for item in simulation.objects if item.name == name)
    geometry = pillars[name][0]
    nearest = geometry.radius if isinstance(geometry, Cylinder) else geometry.size[0] / 2
    viewpoint = AMIRO["reflectance"].viewpoint
    simulation.place("amiro1", *viewpoint.pose(item.x, item.y))
    for _ in range(40):
        drive(simulation, 0.1, amiro1=(MAX_LINEAR, 0.0))
        x, y, _ = simulation.pose("amiro1")
        assert math.hypot(x - item.x, y - item.y) > nearest + RADIUS - 0.005


def test_robots_do_not_drive_through_each_other(simulation):
    simulation.place("amiro1", -0.5, 0.0, 0.0)
    simulation.place("amiro2", 0.5, 0.0, math.pi)
    nearest = math.inf
    for _ in range(40):
        drive(simulation, 0.1, amiro1=(MAX_LINEAR, 0.0), amiro2=(MAX_LINEAR, 0.0))
        nearest = min(nearest, distance(simulation, "amiro1", "amiro2"))
    assert nearest == pytest.approx(2 * RADIUS, abs=0.005)


def test_a_reset_world_begins_again(simulation):
    before = simulation.pose("amiro1")
    drive(simulation, 0.5, amiro1=(0.3, 0.3))
    simulation.reset()
    assert simulation.time == 0.0
    assert simulation.pose("amiro1") == before
    simulation.step(0.2)
    assert simulation.pose("amiro1") == pytest.approx(before, abs=1e-6)


# Sensing


def facing(simulation, robot, name, modality, **errors):
    (item,) = (item for item in simulation.objects if item.name == name)
    simulation.place(robot, *AMIRO[modality].viewpoint.pose(item.x, item.y, **errors))


@pytest.mark.parametrize("bearing", [-10.0, 0.0, 15.0])
def test_the_camera_sees_the_colour_of_an_object_at_its_bearing(simulation, pillars, bearing):
    for name, (_, _, colour, _) in pillars.items():
        facing(simulation, "amiro1", name, "camera", bearing_error=math.radians(bearing))
        image = simulation.image("amiro1")
        assert image.shape == (480, 640, 3)
        assert image.dtype == np.uint8
        # Ahead and a little higher; an object to the left is left of the middle of the image.
        column = 320 - 320 * math.tan(math.radians(bearing)) / math.tan(math.radians(40))
        pixel = image[200, round(column)] / 255
        assert pixel == pytest.approx(np.array(colour), abs=1.5 / 255), name
        seen = np.all(np.abs(image[200] / 255.0 - colour) < 2 / 255, axis=-1)
        assert 40 < seen.sum() < 200


def test_the_cameras_rays_are_those_of_its_field_of_view(simulation):
    simulation.place("amiro1", 0.0, 0.0, math.radians(40.5))
    red = np.array([0.80, 0.12, 0.10]) * 255  # of the object at bearing -40.5°, half in view
    image = simulation.image("amiro1")
    seen = np.all(np.abs(image[200] - red) < 2, axis=-1)
    assert seen[-1]
    assert not seen[:590].any()


def test_colours_are_flat(simulation):
    facing(simulation, "amiro1", "red_cylinder_mat", "camera")
    band = simulation.image("amiro1")[slice(*AMIRO["camera"].view.rows(480, 640))]
    red = band[(band[..., 0] > 150) & (band[..., 1] < 80)].astype(int)
    assert len(red) > 5000
    assert np.ptp(red, axis=0).max() <= 1


def test_a_robot_does_not_see_other_robots(simulation):
    facing(simulation, "amiro1", "red_cylinder_mat", "camera")
    x, y, yaw = simulation.pose("amiro1")
    before = AMIRO["camera"].view(simulation.image("amiro1")), simulation.ranges("amiro1")
    simulation.place("amiro2", x + 0.15 * math.cos(yaw), y + 0.15 * math.sin(yaw), yaw)
    simulation.place("amiro3", x + 0.3 * math.cos(yaw), y + 0.3 * math.sin(yaw) + 0.1, yaw)
    after = AMIRO["camera"].view(simulation.image("amiro1")), simulation.ranges("amiro1")
    assert np.array_equal(before[0], after[0])
    assert np.array_equal(before[1], after[1])


def cylinder_range(centre, radius, angles):
    """Distance from the origin to a circle along each angle, inf for a miss."""
    along = np.cos(angles) * centre[0] + np.sin(angles) * centre[1]
    inside = along**2 - (centre @ centre - radius**2)
    hit = (inside >= 0) & (along > 0)
    return np.where(hit, along - np.sqrt(np.maximum(inside, 0)), np.inf)


def box_range(centre, half, yaw, angles):
    """Distance from the origin to a turned square along each angle, inf for a miss (slabs)."""
    turn = np.array([[math.cos(yaw), math.sin(yaw)], [-math.sin(yaw), math.cos(yaw)]])
    origin = turn @ -centre
    directions = (turn @ np.stack([np.cos(angles), np.sin(angles)])).T
    with np.errstate(divide="ignore"):
        first, second = (-half - origin) / directions, (half - origin) / directions
    near = np.minimum(first, second).max(axis=1)
    far = np.maximum(first, second).min(axis=1)
    return np.where((near <= far) & (near > 0), near, np.inf)


@pytest.mark.parametrize("noise", [NOISELESS, SensorNoise()])
def test_the_lidar_measures_the_distance_to_the_surface_of_an_object(pillars, noise):
    simulation = Simulation(AMIRO_WORLD, noise=noise)
    sensor = simulation.sensor("amiro2", "lidar")
    angles = sensor.angle_min + sensor.angle_increment * np.arange(sensor.rays)
    for name, (geometry, yaw, _, _) in pillars.items():
        (item,) = (item for item in simulation.objects if item.name == name)
        x, y, heading = AMIRO["lidar"].viewpoint.pose(item.x, item.y, 0.02, 0.05, 0.1)
        simulation.place("amiro2", x, y, heading)
        ranges = simulation.ranges("amiro2")
        assert ranges.shape == (683,)
        assert ranges.dtype == np.float32
        centre = np.array([item.x - x, item.y - y])
        absolute = angles + heading
        if isinstance(geometry, Box):
            expected = box_range(centre, geometry.size[0] / 2, yaw, absolute)
        else:
            expected = cylinder_range(centre, geometry.radius, absolute)
        hit = np.isfinite(expected)
        assert hit.sum() > 30
        assert np.allclose(ranges[hit], expected[hit], atol=1e-5 + 5 * noise.range), name
        ahead = slice(228, 455)
        assert np.all(ranges[ahead][~hit[ahead]] > AMIRO["lidar"].view.max_range)
        if noise.range:
            errors = (ranges - expected)[hit]
            assert errors.std() == pytest.approx(noise.range, rel=0.5)


def test_the_lidar_reaches_five_metres(simulation):
    simulation.place("amiro1", -2.5, 2.6, 0.0)
    ranges = simulation.ranges("amiro1")
    assert np.isinf(ranges[341])  # the wall ahead is 5.5 m away
    simulation.place("amiro1", -1.9, 2.6, 0.0)
    assert simulation.ranges("amiro1")[341] == pytest.approx(4.9, abs=1e-3)


def test_the_retro_of_a_material_comes_back_as_intensity(simulation, pillars):
    for name, (_, _, _, retro) in pillars.items():
        facing(simulation, "amiro3", name, "reflectance")
        intensities = simulation.intensities("amiro3")
        assert intensities.shape == (8,)
        assert intensities.dtype == np.float32
        assert intensities[0] == pytest.approx(retro), name
        assert np.all(intensities[1:] == 0.0)


def test_the_second_proximity_sensor_is_the_one_to_the_left(simulation):
    facing(simulation, "amiro3", "red_cylinder_mat", "reflectance")
    x, y, yaw = simulation.pose("amiro3")
    simulation.place("amiro3", x, y, yaw - math.radians(45))
    intensities = simulation.intensities("amiro3")
    assert intensities[1] == pytest.approx(0.30)
    assert intensities[0] == 0.0


def test_far_from_anything_the_proximity_sensors_read_nothing(simulation):
    assert np.all(simulation.intensities("amiro1") == 0.0)


# Noise


def readings(simulation):
    facing(simulation, "amiro1", "red_cylinder_mat", "reflectance")
    return simulation.image("amiro1"), simulation.ranges("amiro1"), simulation.intensities("amiro1")


def test_the_same_seed_gives_the_same_readings_another_one_others():
    one, same, other = (readings(Simulation(AMIRO_WORLD, seed=seed)) for seed in (3, 3, 4))
    for first, second, third in zip(one, same, other, strict=True):
        assert np.array_equal(first, second)
        assert not np.array_equal(first, third)


def test_the_noise_of_one_sensor_does_not_depend_on_the_others():
    alone = Simulation(AMIRO_WORLD, {"amiro1": ("reflectance",)}, seed=3)
    facing(alone, "amiro1", "red_cylinder_mat", "reflectance")
    together = readings(Simulation(AMIRO_WORLD, seed=3))[2]
    assert np.array_equal(alone.intensities("amiro1"), together)


def test_noise_is_as_strong_as_documented():
    noise, rng = SensorNoise(), np.random.default_rng(0)
    grey = np.full((480, 640, 3), 120, np.uint8)
    assert noise.image(grey, rng).std() == pytest.approx(noise.pixel, rel=0.03)
    factors = np.array([noise.image(grey[:48, :64], rng).mean() for _ in range(200)]) / 120
    assert factors.min() == pytest.approx(1 - noise.exposure, abs=0.02)
    assert factors.max() == pytest.approx(1 + noise.exposure, abs=0.02)
    ranges = noise.ranges(np.full(10_000, 0.5), rng)
    assert (ranges.mean(), ranges.std()) == pytest.approx((0.5, noise.range), rel=0.05)
    assert np.all(np.isinf(noise.ranges(np.full(5, np.inf), rng)))
    intensities = noise.intensities(np.full(10_000, 0.5), rng)
    assert intensities.std() == pytest.approx(noise.intensity, rel=0.05)
    assert noise.intensities(np.zeros(100), rng).min() == 0.0


def test_no_noise_changes_nothing():
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (48, 64, 3)).astype(np.uint8)
    assert np.array_equal(NOISELESS.image(image, rng), image)


def test_a_large_image_gets_noise_everywhere():
    noise = SensorNoise(exposure=0.0)
    image = noise.image(np.full((1080, 1920, 3), 120, np.uint8), np.random.default_rng(0))
    assert image[-100:].std() == pytest.approx(noise.pixel, rel=0.05)


def test_a_picture_of_the_world_shows_its_colours():
    picture = world_picture(AMIRO_WORLD, width=320, height=240)
    assert picture.shape == (240, 320, 3)
    red, green, _ = picture.reshape(-1, 3).astype(int).T
    assert np.sum(red > green + 60) > 100
    assert np.sum(green > red + 60) > 100
