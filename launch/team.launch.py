# SPDX-License-Identifier: Apache-2.0
"""The fusion nodes of several robots, each in the namespace of its robot, and nothing else.

The robots' sensors and odometry come from elsewhere: Gazebo, a bag, drivers.

ros2 launch m2vae_ros team.launch.py robots:=amiro1/camera,amiro2/lidar
"""

from launch import LaunchDescription
from launch.actions import OpaqueFunction

from m2vae_ros.bringup.arguments import LaunchArguments, team_of
from m2vae_ros.bringup.launching import (
    CONFIG,
    RESPAWN,
    ROBOTS,
    RVIZ,
    USE_SIM_TIME,
    WEIGHTS,
    actions,
    rviz,
)
from m2vae_ros.bringup.specs import FUSION_CONFIG, team

ARGUMENTS = (ROBOTS, WEIGHTS, CONFIG, USE_SIM_TIME, RESPAWN, RVIZ)


def generate_launch_description() -> LaunchDescription:
    """What `ros2 launch` asks for."""
    return LaunchDescription([*ARGUMENTS, OpaqueFunction(function=_team)])


def _team(context):
    given = LaunchArguments(context.launch_configurations)
    nodes = team(
        team_of(given.words("robots"), given.suite("weights")),
        weights=given.text("weights"),
        config=given.packaged("config", FUSION_CONFIG),
        use_sim_time=given.flag("use_sim_time"),
    )
    return [*rviz(given.flag("rviz")), *actions(nodes, respawn=given.flag("respawn"))]
