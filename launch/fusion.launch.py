# SPDX-License-Identifier: Apache-2.0
"""The fusion node of one robot: bring your own sensors. One of these runs on each robot of a team.

ros2 launch m2vae_ros fusion.launch.py robot:=amiro1 modalities:=camera,lidar
ros2 launch m2vae_ros fusion.launch.py robot:=tiago modalities:=lidar lidar:=/scan odom:=/odom
ros2 launch m2vae_ros fusion.launch.py robot:=mine weights:=models/mine thermal:=/thermal/image

Each modality that the weights know is the name of an argument, which gives its topic.
"""

from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument, OpaqueFunction

from m2vae_ros.bringup.arguments import LaunchArguments, check_robot
from m2vae_ros.bringup.launching import CONFIG, RESPAWN, TOPICS, USE_SIM_TIME, WEIGHTS, actions
from m2vae_ros.bringup.specs import FUSION_CONFIG, fusion, inputs, reading_from

ARGUMENTS = (
    DeclareLaunchArgument(
        "robot",
        description="Name of the robot: its namespace, and it signs its embeddings with it.",
    ),
    DeclareLaunchArgument(
        "modalities",
        default_value="all",
        description="Its sensors, with commas; all: those that the weights know; empty: it only "
        "listens to the others.",
    ),
    *TOPICS,
    DeclareLaunchArgument(
        "odom",
        default_value="",
        description="Topic of its odometry (nav_msgs/Odometry); empty: odom.",
    ),
    DeclareLaunchArgument(
        "global_frame",
        default_value="",
        description="Frame of all positions, one for the team, to which transforms lead; empty: "
        "that of the parameter file, map.",
    ),
    DeclareLaunchArgument(
        "base_frame",
        default_value="",
        description="The robot's own frame; empty: that of the parameter file, or else the child "
        "frame of its odometry.",
    ),
    WEIGHTS,
    CONFIG,
    USE_SIM_TIME,
    RESPAWN,
)


def generate_launch_description() -> LaunchDescription:
    """What `ros2 launch` asks for."""
    return LaunchDescription([*ARGUMENTS, OpaqueFunction(function=_robot)])


def _robot(context):
    given = LaunchArguments(context.launch_configurations)
    suite = given.suite("weights")
    sensors = given.words("modalities", among=(*suite, "all"))
    node = fusion(
        check_robot(given.text("robot")),
        None if "all" in sensors else sensors,
        weights=given.text("weights"),
        config=given.packaged("config", FUSION_CONFIG),
        global_frame=given.text("global_frame"),
        base_frame=given.text("base_frame"),
        use_sim_time=given.flag("use_sim_time"),
        remappings=reading_from({name: given.text(name) for name in inputs(suite)}, suite),
    )
    return actions([node], respawn=given.flag("respawn"))
