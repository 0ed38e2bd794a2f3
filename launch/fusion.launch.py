# SPDX-License-Identifier: Apache-2.0
"""The fusion node of one robot, configured and active: one of these on each robot of a team.

ros2 launch m2vae_ros fusion.launch.py robot:=amiro1 modalities:=camera,lidar
"""

from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument, OpaqueFunction

from m2vae_ros.bringup import fusion
from m2vae_ros.launching import actions

ARGUMENTS = (
    DeclareLaunchArgument("robot", description="Name of the robot, which is its namespace."),
    DeclareLaunchArgument(
        "modalities",
        default_value="camera,lidar,reflectance",
        description="Its sensors, with commas; empty: it only listens to the others.",
    ),
    DeclareLaunchArgument(
        "weights",
        default_value="amiro",
        description="Folder of the weights, or a name in the package's models.",
    ),
    DeclareLaunchArgument(
        "config",
        default_value="config/fusion.yaml",
        description="Parameter file, e.g. with the places of known objects.",
    ),
    DeclareLaunchArgument(
        "use_sim_time", default_value="false", description="Whether the time is that of /clock."
    ),
)


def generate_launch_description() -> LaunchDescription:
    """What `ros2 launch` asks for."""
    return LaunchDescription([*ARGUMENTS, OpaqueFunction(function=_robot)])


def _robot(context):
    given = context.launch_configurations
    node = fusion(
        given["robot"],
        [modality for modality in given["modalities"].split(",") if modality],
        weights=given["weights"],
        config=given["config"],
        use_sim_time=given["use_sim_time"].lower() == "true",
    )
    return actions([node])
