# SPDX-License-Identifier: Apache-2.0
"""The world for gz-sim: that it is the one world, and that simulator and bridge agree on it.

What the simulator makes of it cannot be tested here; SDF's own parsers and the message types can.
"""

from __future__ import annotations

import ctypes
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest
import yaml
from rosbags.typesys import Stores, get_typestore

from m2vae_ros.cli import main
from m2vae_ros.gazebo.errors import GazeboError
from m2vae_ros.gazebo.installation import installation
from m2vae_ros.host.resources import resource
from m2vae_ros.world.drawn import draw_world
from m2vae_ros.world.gz import bridge_config, gz_world, mounts
from m2vae_ros.world.sdf import WorldError, read_world

AMIRO_WORLD = resource("worlds/amiro.world")

# Those of ros_gz_bridge that can occur here: ros_gz_bridge/ros_gz_bridge/mappings.py in ros_gz.
CONVERTED = {
    ("rosgraph_msgs/msg/Clock", "gz.msgs.Clock"),
    ("tf2_msgs/msg/TFMessage", "gz.msgs.Pose_V"),
    ("nav_msgs/msg/Odometry", "gz.msgs.Odometry"),
    ("nav_msgs/msg/Odometry", "gz.msgs.OdometryWithCovariance"),
    ("geometry_msgs/msg/Twist", "gz.msgs.Twist"),
    ("geometry_msgs/msg/TwistStamped", "gz.msgs.Twist"),
    ("sensor_msgs/msg/Image", "gz.msgs.Image"),
    ("sensor_msgs/msg/CameraInfo", "gz.msgs.CameraInfo"),
    ("sensor_msgs/msg/LaserScan", "gz.msgs.LaserScan"),
    ("sensor_msgs/msg/PointCloud2", "gz.msgs.PointCloudPacked"),
}


@pytest.fixture(scope="module")
def sdf() -> ElementTree.Element:
    return ElementTree.parse(resource("worlds/amiro_gz.sdf")).getroot()


@pytest.fixture(scope="module")
def bridge() -> list[dict]:
    return yaml.safe_load(resource("config/ros_gz_bridge.yaml").read_text())


def test_the_files_of_the_package_are_made_of_its_world(tmp_path: Path) -> None:
    made = tmp_path / "world.sdf", tmp_path / "bridge.yaml"
    assert main(["gz-world", str(AMIRO_WORLD), *map(str, made)]) == 0
    for file, name in zip(made, ("worlds/amiro_gz.sdf", "config/ros_gz_bridge.yaml"), strict=True):
        assert file.read_text() == resource(name).read_text(), (
            "./run m2vae gz-world worlds/amiro.world worlds/amiro_gz.sdf config/ros_gz_bridge.yaml"
        )


# --- the world ------------------------------------------------------------------------------------


def sdformat12(file: Path) -> str:
    """What `ign sdf -k` says, without its Ruby."""
    try:
        ctypes.CDLL("libsdformat12.so.12")
    except OSError:
        pytest.skip("sdformat 12 is not installed: apt-get install libsdformat12-12")
    check = "import ctypes, sys; ctypes.CDLL(sys.argv[1]).cmdCheck(sys.argv[2].encode())"
    command = [sys.executable, "-c", check, "libsdformat12.so.12", str(file)]
    return subprocess.run(command, text=True, stdout=-1, stderr=subprocess.STDOUT).stdout


def gazebo11(file: Path) -> str:
    """What `gz sdf -k` of Gazebo classic says."""
    try:
        gazebo = installation()
    except GazeboError as error:
        pytest.skip(str(error))
    seen = gazebo.temporary / f"{file.parent.name}-{file.name}"
    shutil.copy(file, seen)
    try:
        command = gazebo.command("gz", "sdf", "-k", f"/tmp/{seen.name}")
        return subprocess.run(command, text=True, stdout=-1, stderr=subprocess.STDOUT).stdout
    finally:
        seen.unlink()


@pytest.mark.parametrize("check", [sdformat12, gazebo11])
def test_it_is_valid_sdf_as_are_drawn_worlds(check, tmp_path: Path) -> None:
    file = tmp_path / "world.sdf"
    file.write_text("<sdf version='1.7'><world name='w'><model/></world></sdf>")
    assert "Error" in check(file)
    shutil.copy(resource("worlds/amiro_gz.sdf"), file)
    assert check(file).strip() in ("Valid.", "Check complete")
    (tmp_path / "drawn.world").write_text(draw_world(AMIRO_WORLD, 1))
    file.write_text(gz_world(tmp_path / "drawn.world"))
    assert check(file).strip() in ("Valid.", "Check complete")


def test_a_camera_sees_the_colours_of_the_world(sdf) -> None:
    """The renderer encodes linear light as sRGB."""
    found = [
        (model.name, visual.colour)
        for model in read_world(AMIRO_WORLD).models
        for link in model.links
        for visual in link.visuals
    ]
    materials = list(sdf.iter("material"))
    assert len(materials) == len(found)
    for material, (name, colour) in zip(materials, found, strict=True):
        light = [float(word) for word in material.findtext("emissive").split()[:3]]
        seen = [12.92 * c if c <= 0.0031308 else 1.055 * c ** (1 / 2.4) - 0.055 for c in light]
        assert seen == pytest.approx(colour, abs=0.5 / 255), name
        # Nothing else lights up.
        others = [material.findtext(tag) for tag in ("ambient", "diffuse", "specular")]
        assert others == ["0 0 0 1"] * 3


def test_a_rendered_ray_finds_the_intensity_on_what_is_seen(sdf) -> None:
    retros = {
        model.name: model.links[0].collisions[0].laser_retro
        for model in read_world(AMIRO_WORLD).models
    }
    for model in sdf.iter("model"):
        expected = retros[model.get("name")]
        for visual in model.iter("visual"):
            assert float(visual.findtext("laser_retro", "0")) == expected
    assert len({retro for retro in retros.values() if retro}) == 8


def test_sensors_and_physics_are_those_of_the_world(sdf) -> None:
    """Everything is where it was; but rays are rendered and frames are named."""
    original = ElementTree.parse(AMIRO_WORLD).getroot()

    def texts(root: ElementTree.Element, path: str) -> list[str | None]:
        return [element.text for element in root.iterfind(f".//{path}")]

    bodies = "pose size radius length mass ixx izz mu max_step_size"
    sensors = "update_rate horizontal_fov width height near far samples min_angle max_angle min max"
    same = [*bodies.split(), *(f"sensor//{tag}" for tag in sensors.split())]
    for path in ("world//model//pose", *(f"world//{path}" for path in same if path != "pose")):
        assert texts(sdf, path) == texts(original, path) != [], path
    kinds = {(sensor.get("name"), sensor.get("type")) for sensor in sdf.iter("sensor")}
    assert kinds == {("camera", "camera"), ("lidar", "gpu_lidar"), ("reflectance", "gpu_lidar")}
    frames = texts(original, "sensor//frame_name")
    assert texts(sdf, "sensor/gz_frame_id") == frames
    assert len(set(frames)) == 9


def test_nothing_of_classic_is_left_and_every_system_is_of_gz_sim(sdf) -> None:
    plugins = [(each.get("filename"), each.get("name")) for each in sdf.iter("plugin")]
    assert len(plugins) == 4 + 3 * 2
    for library, name in plugins:
        assert library.startswith("gz-sim-")
        assert library.endswith("-system")
        words = library[len("gz-sim-") : -len("-system")].split("-")
        assert name == "gz::sim::systems::" + "".join(map(str.capitalize, words))


# --- the bridge -----------------------------------------------------------------------------------


def spoken(sdf: ElementTree.Element) -> dict[str, tuple[str, str]]:
    """What gz-sim tells and hears by this world: topic -> direction and type."""
    topics = {"/clock": ("GZ_TO_ROS", "gz.msgs.Clock")}
    for sensor in sdf.iter("sensor"):
        topic = sensor.findtext("topic")
        kind = {"camera": "gz.msgs.Image", "gpu_lidar": "gz.msgs.LaserScan"}[sensor.get("type")]
        topics[topic] = ("GZ_TO_ROS", kind)
        if kind == "gz.msgs.Image":
            topics[f"{Path(topic).parent}/camera_info"] = ("GZ_TO_ROS", "gz.msgs.CameraInfo")
    for plugin in sdf.iter("plugin"):
        for tag, kind in {
            "topic": ("ROS_TO_GZ", "gz.msgs.Twist"),
            "odom_topic": ("GZ_TO_ROS", "gz.msgs.Odometry"),
            "tf_topic": ("GZ_TO_ROS", "gz.msgs.Pose_V"),
        }.items():
            if plugin.findtext(tag):
                topics[plugin.findtext(tag)] = kind
    return topics


def test_the_bridge_carries_what_the_simulator_speaks(sdf, bridge) -> None:
    carried = {e["gz_topic_name"]: (e["direction"], e["gz_type_name"]) for e in bridge}
    assert carried == spoken(sdf)
    assert len(carried) == len(bridge) == 2 + 3 * 6


def test_the_bridge_knows_every_pair_of_types_and_ros_every_type(bridge) -> None:
    types = get_typestore(Stores.ROS2_JAZZY).types
    for entry in bridge:
        pair = entry["ros_type_name"], entry["gz_type_name"]
        assert pair in CONVERTED
        assert pair[0] in types
        assert entry["ros_topic_name"] == entry["gz_topic_name"]
        assert set(entry) - {"lazy"} == {
            "ros_topic_name",
            "gz_topic_name",
            "ros_type_name",
            "gz_type_name",
            "direction",
        }
    lazy = {entry["ros_type_name"] for entry in bridge if entry.get("lazy")}
    assert lazy == {f"sensor_msgs/msg/{name}" for name in ("Image", "CameraInfo", "LaserScan")}


# --- odometry and frames --------------------------------------------------------------------------


def test_odometry_and_transforms_are_in_the_frame_of_the_world(sdf) -> None:
    robots = [m.name for m in read_world(AMIRO_WORLD).models if not m.static]
    told = [plugin for plugin in sdf.iter("plugin") if plugin.get("name").endswith("Publisher")]
    assert [plugin.findtext("odom_frame") for plugin in told] == ["map"] * len(robots)
    bases = [plugin.findtext("robot_base_frame") for plugin in told]
    assert bases == [f"{robot}/base_link" for robot in robots]


def test_sensors_are_mounted_where_the_world_says() -> None:
    robots = {"amiro1": ("camera", "reflectance"), "amiro3": ("lidar",)}
    found = [(each.base, each.frame, each.pose.position) for each in mounts(AMIRO_WORLD, robots)]
    assert found == [
        ("amiro1/base_link", "amiro1/camera", (0.0, 0.0, 0.12)),
        ("amiro1/base_link", "amiro1/reflectance", (0.0, 0.0, 0.10)),
        ("amiro3/base_link", "amiro3/lidar", (0.0, 0.0, 0.11)),
    ]


# --- what cannot be -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("robots", "reason"),
    [
        ({"amiro9": ()}, "has no robot amiro9, only amiro1, amiro2, amiro3"),
        ({"amiro1": ("sonar",)}, "amiro1 has no sensor sonar, only camera, lidar, reflectance"),
    ],
)
def test_a_robot_or_sensor_that_is_not_there_is_named(robots, reason) -> None:
    with pytest.raises(WorldError, match=reason):
        list(mounts(AMIRO_WORLD, robots))


def test_what_gz_sim_cannot_do_is_named(tmp_path: Path) -> None:
    file = tmp_path / "my.world"
    text = AMIRO_WORLD.read_text()
    file.write_text(text.replace('sensor name="lidar"', 'sensor name="sonar"'))
    with pytest.raises(WorldError, match=r"my.world: amiro1: sonar is not one of camera, lidar"):
        gz_world(file)
    with pytest.raises(WorldError, match=r"my.world: amiro1: sonar is not one of camera, lidar"):
        bridge_config(file)
    pillar = text.index("<visual", text.index("<laser_retro>0.30"))
    second = '<collision name="hat"><geometry><sphere><radius>1</radius></sphere></geometry>'
    file.write_text(f"{text[:pillar]}{second}</collision>{text[pillar:]}")
    with pytest.raises(WorldError, match=r"red_cylinder_mat/pillar: its collisions must have one"):
        gz_world(file)
    sdf, bridge = tmp_path / "out.sdf", tmp_path / "out.yaml"
    assert main(["gz-world", str(file), str(sdf), str(bridge)]) == 1
    assert not sdf.exists()
    assert not bridge.exists()
