# SPDX-License-Identifier: Apache-2.0
"""The world file: what it holds, and that whatever cannot be honoured is named."""

import itertools
import math
import xml.etree.ElementTree as ElementTree

import pytest
from at_once import at_once

from m2vae_ros.host.resources import resource
from m2vae_ros.world.objects import ObjectVariety, objects_of
from m2vae_ros.world.sdf import (
    LARGEST_WORLD,
    Box,
    CameraSensor,
    Pose,
    RaySensor,
    WorldError,
    read_world,
)
from m2vae_ros.world.suite import AMIRO

AMIRO_WORLD = resource("worlds/amiro.world")
ROBOTS = ("amiro1", "amiro2", "amiro3")


@pytest.fixture(scope="module")
def world():
    return read_world(AMIRO_WORLD)


@pytest.fixture(scope="module")
def xml():
    return ElementTree.parse(AMIRO_WORLD)


def robots_in(world):
    return {model.name: model for model in world.models if not model.static}


def test_the_eight_objects_stand_on_a_circle_45_degrees_apart(world):
    objects = objects_of(world)
    assert sorted(item.class_name for item in objects) == sorted(AMIRO.classes)
    assert all(math.hypot(item.x, item.y) == pytest.approx(1.5, abs=1e-3) for item in objects)
    angles = sorted(math.degrees(math.atan2(item.y, item.x)) % 360 for item in objects)
    assert angles == pytest.approx([45 * k for k in range(8)], abs=0.1)


def test_objects_of_one_class_may_be_numbered(world_with):
    world = read_world(
        world_with(lambda root: rename(root, "model[@name='red_box_mat']", "red_box_mat_2"))
    )
    (item,) = (item for item in objects_of(world) if item.name == "red_box_mat_2")
    assert item.class_name == "red box mat"


def test_the_objects_of_the_world_could_have_been_drawn_for_training(world):
    variety = ObjectVariety.of(world)
    widest = float(variety.edge.high) * math.sqrt(2)
    for model in world.models:
        if model.name in {item.name for item in objects_of(world)}:
            geometry = model.links[0].visuals[0].geometry
            width = geometry.size[0] if isinstance(geometry, Box) else 2 * geometry.radius
            assert variety.edge.low <= width <= widest
    mat, shiny = variety.retros
    assert mat.high + 0.3 < shiny.low


def test_three_robots_carry_every_sensor(world):
    robots = robots_in(world)
    assert tuple(robots) == ROBOTS
    for model in robots.values():
        sensors = {sensor.name: sensor for sensor in model.links[0].sensors}
        assert set(sensors) == set(AMIRO)
        camera, lidar, ring = (sensors[name] for name in AMIRO)
        assert isinstance(camera, CameraSensor)
        assert (camera.width, camera.height) == (640, 480)
        assert math.degrees(camera.horizontal_fov) == pytest.approx(80.0, abs=1e-4)
        assert camera.horizontal_fov == pytest.approx(
            math.radians(AMIRO["camera"].view.horizontal_fov), abs=1e-6
        )
        assert isinstance(lidar, RaySensor)
        assert (lidar.rays, lidar.range_max) == (683, 5.0)
        assert math.degrees(lidar.angle_max) == pytest.approx(120.0, abs=1e-4)
        assert math.degrees(lidar.angle_min) == pytest.approx(-120.0, abs=1e-4)
        assert isinstance(ring, RaySensor)
        assert ring.rays == AMIRO["reflectance"].view.rays
        assert ring.angle_min == 0.0
        assert math.degrees(ring.angle_increment) == pytest.approx(45.0, abs=1e-4)


def test_robots_are_lower_than_each_others_sensors(world):
    for model in robots_in(world).values():
        (link,) = model.links
        top = max(part.pose.position[2] + part.geometry.length / 2 for part in link.collisions)
        assert all(sensor.pose.position[2] > top + 0.01 for sensor in link.sensors)


def test_the_camera_sees_neither_top_nor_bottom_of_an_object_it_looks_at(world):
    view, viewpoint = AMIRO["camera"].view, AMIRO["camera"].viewpoint
    variety = ObjectVariety.of(world)
    (camera,) = (s for s in robots_in(world)["amiro1"].links[0].sensors if s.name == "camera")
    height = camera.pose.position[2]
    low, high = view.elevation
    farthest = viewpoint.distance + viewpoint.distance_error + float(variety.edge.high)
    assert math.degrees(math.atan((variety.height - height) / farthest)) > high
    assert math.degrees(math.atan(-height / farthest)) < low


def test_the_front_proximity_sensor_reaches_the_object_and_its_neighbours_miss_it(world):
    variety, viewpoint = ObjectVariety.of(world), AMIRO["reflectance"].viewpoint
    (ring,) = (s for s in robots_in(world)["amiro1"].links[0].sensors if s.name == "reflectance")
    farthest = viewpoint.distance + viewpoint.distance_error
    nearest = viewpoint.distance - viewpoint.distance_error
    assert farthest - float(variety.edge.low) / 2 < ring.range_max
    corner = float(variety.edge.high) / math.sqrt(2)
    assert nearest * math.sin(ring.angle_increment - viewpoint.bearing_error) > corner
    assert farthest * math.sin(viewpoint.bearing_error) < float(variety.edge.low) / 2


def test_the_topics_of_the_world_are_those_of_the_running_system(xml):
    for robot in ROBOTS:
        model = xml.find(f".//model[@name='{robot}']")
        topics = set()
        for plugin in model.iter("plugin"):
            assert plugin.findtext("ros/namespace") == f"/{robot}"
            camera = plugin.findtext("camera_name")
            if camera:
                topics |= {f"{camera}/image_raw", f"{camera}/camera_info"}
            for remapping in plugin.findall("ros/remapping"):
                topics.add(remapping.text.split(":=")[1])
        assert topics == {
            "front_camera/image_raw",
            "front_camera/camera_info",
            "laser_scan",
            "reflectance",
            "odom",
            "cmd_vel",
        }


def test_each_sensor_has_the_gazebo_plugin_for_its_kind(xml):
    plugins = {"camera": "libgazebo_ros_camera.so", "ray": "libgazebo_ros_ray_sensor.so"}
    sensors = list(xml.iter("sensor"))
    assert len(sensors) == len(ROBOTS) * len(AMIRO)
    for sensor in sensors:
        (plugin,) = sensor.findall("plugin")
        assert plugin.get("filename") == plugins[sensor.get("type")]
        if sensor.get("type") == "ray":
            assert plugin.findtext("output_type") == "sensor_msgs/LaserScan"


# Whatever cannot be honoured


@pytest.fixture
def world_with(tmp_path):
    """Writes the world with a change and gives the path."""

    def write(change):
        tree = ElementTree.parse(AMIRO_WORLD)
        change(tree.getroot())
        path = tmp_path / "changed.world"
        tree.write(path)
        return path

    return write


def at(root, path):
    found = root.find(f"world/{path}")
    assert found is not None, path
    return found


def rename(root, path, name):
    at(root, path).set("name", name)


def add(path, tag, text=None, **attributes):
    def change(root):
        ElementTree.SubElement(at(root, path), tag, attributes).text = text

    return change


def put(path, text):
    def change(root):
        at(root, path).text = text

    return change


def attribute(path, name, value):
    def change(root):
        at(root, path).set(name, value)

    return change


def remove(parent, tag):
    def change(root):
        element = at(root, parent)
        element.remove(element.find(tag))

    return change


def several(*changes):
    def change(root):
        for one in changes:
            one(root)

    return change


BOX = "model[@name='red_box_mat']/link/"
ROBOT = "model[@name='amiro1']/link/"
CAMERA = ROBOT + "sensor[@name='camera']/"
LIDAR = ROBOT + "sensor[@name='lidar']/"

CHANGES = {
    "light": (add(".", "light", name="sun"), "/sdf/world[amiro]/light[sun]: cannot be honoured"),
    "include": (add(".", "include"), "/sdf/world[amiro]/include: cannot be honoured"),
    "shadows": (put("scene/shadows", "true"), "/scene/shadows: cannot be honoured"),
    "no scene": (remove(".", "scene"), "/sdf/world[amiro]: <scene> is missing"),
    "mesh": (
        several(
            remove(BOX + "visual/geometry", "box"), add(BOX + "visual/geometry", "mesh", "a.dae")
        ),
        "/sdf/world[amiro]/model[red_box_mat]/link[pillar]/visual[pillar]/geometry/mesh: "
        "cannot be honoured",
    ),
    "two shapes": (add(BOX + "visual/geometry", "sphere"), "geometry: must be one of"),
    "no shape": (remove(BOX + "visual/geometry", "box"), "geometry: must be one of"),
    "texture": (
        add(BOX + "visual/material", "script"),
        "visual[pillar]/material/script: cannot be honoured",
    ),
    "transparency": (add(BOX + "visual", "transparency", "0.5"), "transparency: cannot be"),
    "alpha": (put(BOX + "visual/material/emissive", "1 0 0 0.5"), "emissive: cannot be honoured"),
    "bright": (put(BOX + "visual/material/emissive", "2 0 0 1"), "emissive: a colour's parts"),
    "negative": (put(BOX + "collision/geometry/box/size", "1 -1 1"), "size: 1 -1 1: must be"),
    "words": (put(BOX + "collision/laser_retro", "shiny"), "laser_retro: 'shiny' are not numbers"),
    "nan": (put(BOX + "collision/laser_retro", "nan"), "laser_retro: 'nan', expected 1 finite"),
    "retro": (put(BOX + "collision/laser_retro", "-1"), "laser_retro: -1 is below 0"),
    "short pose": (put("model[@name='red_box_mat']/pose", "1 2 3"), "pose: '1 2 3', expected 6"),
    "relative pose": (
        attribute("model[@name='red_box_mat']/pose", "relative_to", "walls"),
        "model[red_box_mat]/pose: attribute relative_to cannot be honoured",
    ),
    "joint": (add("model[@name='amiro1']", "joint", name="wheel"), "model[amiro1]/joint[wheel]: c"),
    "two links": (
        several(add("model[@name='amiro1']", "link", name="arm")),
        "model[amiro1]: has 2 links",
    ),
    "leaning": (put("model[@name='amiro1']/pose", "0 0 0 1 0 0"), "model[amiro1]: what is not st"),
    "no mass": (remove(ROBOT[:-1], "inertial"), "model[amiro1]: .* must have an <inertial>"),
    "same name": (
        lambda root: rename(root, "model[@name='red_box_mat']", "floor"),
        "model[floor]: another element has this name",
    ),
    "no name": (attribute("model[@name='red_box_mat']", "name", ""), "attribute name is missing"),
    "static": (put("model[@name='red_box_mat']/static", "maybe"), "'maybe' is neither true nor"),
    "sensor": (
        attribute(CAMERA[:-1], "type", "depth"),
        "sensor[camera]: a sensor of type depth cannot be honoured",
    ),
    "noise": (add(LIDAR + "ray", "noise"), "sensor[lidar]/ray/noise: cannot be honoured"),
    "vertical": (add(LIDAR + "ray/scan", "vertical"), "ray/scan/vertical: cannot be honoured"),
    "samples": (put(LIDAR + "ray/scan/horizontal/samples", "1.5"), "1.5 is not a whole number"),
    "resolution": (put(LIDAR + "ray/scan/horizontal/resolution", "2"), "resolution: cannot be"),
    "angles": (put(LIDAR + "ray/scan/horizontal/min_angle", "3"), "min_angle 3 is above"),
    "range": (put(LIDAR + "ray/range/min", "6"), "range: min 6 is not below max 5"),
    "format": (put(CAMERA + "camera/image/format", "L8"), "format: cannot be honoured"),
    "fov": (put(CAMERA + "camera/horizontal_fov", "4"), "horizontal_fov: 4 is not below pi"),
    "clip": (put(CAMERA + "camera/clip/near", "50"), "clip: near 50 is not below far 20"),
    "distortion": (add(CAMERA + "camera", "distortion"), "camera/distortion: cannot be honoured"),
    "plane": (
        put("model[@name='floor']/link/visual/geometry/plane/normal", "0 1 0"),
        "plane/normal: cannot be honoured",
    ),
    "second size": (add(BOX + "visual/geometry/box", "size", "1 1 1"), "size: stands here more"),
}


@pytest.mark.parametrize("name", CHANGES)
def test_what_cannot_be_honoured_is_named_with_file_and_element(world_with, name):
    change, expected = CHANGES[name]
    path = world_with(change)
    with pytest.raises(WorldError) as error:
        read_world(path)
    message = str(error.value)
    assert message.startswith(f"{path}: /sdf/world[amiro]")
    position = 0
    for part in expected.split(" .* "):
        position = message.find(part, position)
        assert position >= 0, message


def test_what_means_nothing_here_is_left_out(world_with, world):
    same = world_with(
        several(add(".", "gravity", "0 0 -9.8"), add(BOX + "visual", "cast_shadows", "false"))
    )
    assert read_world(same) == world


BOMBS = {
    "entities": "<!DOCTYPE sdf [<!ENTITY a0 'ha'>"
    + "".join(f"<!ENTITY a{n} '{f'&a{n - 1};' * 10}'>" for n in range(1, 12))
    + "]><sdf version='1.6'><world name='&a11;'/></sdf>",
    "depth": "<sdf version='1.6'>" + "<world>" * (LARGEST_WORLD // 8),
    "breadth": "<sdf>" + "<a/>" * (LARGEST_WORLD // 4 - 3) + "</sdf>",
    "size": " " * (LARGEST_WORLD + 1),
}


@pytest.mark.parametrize("name", BOMBS)
def test_a_file_that_would_grow_is_refused_at_once(tmp_path, name):
    path = tmp_path / "bomb.world"
    path.write_text(BOMBS[name])
    with at_once(), pytest.raises(WorldError, match=r"bomb\.world: "):
        read_world(path)


def test_a_file_without_end_is_refused_at_once(tmp_path):
    path = tmp_path / "endless.world"
    path.symlink_to("/dev/zero")
    with at_once(), pytest.raises(WorldError, match=r"endless\.world: larger than"):
        read_world(path)


def test_files_that_are_no_worlds_are_refused_with_path_and_reason(tmp_path):
    cases = {
        "missing.world": (None, "No such file"),
        "text.world": ("a world", "not XML"),
        "urdf.world": ("<robot/>", "the outermost element must be <sdf>"),
        "bare.world": ("<sdf/>", "attribute version is missing"),
        "old.world": ("<sdf version='1.2'/>", "version 1.2 is none of"),
        "empty.world": ("<sdf version='1.6'/>", "<world> is missing"),
    }
    for name, (text, reason) in cases.items():
        path = tmp_path / name
        if text is not None:
            path.write_text(text)
        with pytest.raises(WorldError, match=reason) as error:
            read_world(path)
        assert str(path) in str(error.value)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda root: at(root, ".").remove(at(root, BOX + "..")), "there is no red box mat"),
        (lambda root: rename(root, BOX + "..", "red_cylinder_mat_2"), "is no cylinder"),
        (
            several(
                put(BOX + "visual/geometry/box/size", "0.1 0.2 0.7"),
                put(BOX + "collision/geometry/box/size", "0.1 0.2 0.7"),
            ),
            "is not square",
        ),
        (put(BOX + "visual/geometry/box/size", "0.2 0.2 0.7"), "looks other than"),
        (add("model[@name='red_box_mat']", "link", name="hat"), "one link with one visual"),
        (
            several(
                put(BOX + "visual/geometry/box/size", "0.2 0.2 0.6"),
                put(BOX + "collision/geometry/box/size", "0.2 0.2 0.6"),
            ),
            "heights differ",
        ),
    ],
)
def test_objects_that_are_not_as_their_class_says_are_named(world_with, change, reason):
    world = read_world(world_with(change))
    with pytest.raises(WorldError, match=reason):
        ObjectVariety.of(world)


def test_viewpoints_face_the_object_from_inside_the_circle(world):
    viewpoints = [modality.viewpoint for modality in AMIRO.values()]
    for item, viewpoint in itertools.product(objects_of(world), viewpoints):
        x, y, yaw = viewpoint.pose(item.x, item.y)
        assert math.hypot(x, y) < 1.5
        assert math.hypot(item.x - x, item.y - y) == pytest.approx(viewpoint.distance)
        bearing = math.atan2(item.y - y, item.x - x) - yaw
        assert math.remainder(bearing, 2 * math.pi) == pytest.approx(0.0, abs=1e-9)
        x, y, yaw = viewpoint.pose(item.x, item.y, 0.02, 0.05, 0.1)
        assert math.hypot(item.x - x, item.y - y) == pytest.approx(viewpoint.distance + 0.02)
        bearing = math.atan2(item.y - y, item.x - x) - yaw
        assert math.remainder(bearing, 2 * math.pi) == pytest.approx(0.05)


def test_poses_without_an_element_are_no_poses(world):
    floor = next(model for model in world.models if model.name == "floor")
    assert floor.pose == floor.links[0].pose == Pose()
