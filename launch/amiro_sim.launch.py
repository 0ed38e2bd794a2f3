# SPDX-License-Identifier: Apache-2.0
"""The simulated AMiRo world with a team of robots that patrol, fuse and exchange embeddings.

ros2 launch m2vae_ros amiro_sim.launch.py
ros2 launch m2vae_ros amiro_sim.launch.py robots:=amiro1/camera,amiro1/lidar,amiro2/reflectance
"""

from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument, OpaqueFunction

from m2vae_ros.bringup.arguments import LaunchArguments, team_of
from m2vae_ros.bringup.launching import (
    OWN_ODOMETRY,
    PLANNER,
    RESPAWN,
    ROBOTS,
    WEIGHTS,
    actions,
    one_machine,
)
from m2vae_ros.bringup.specs import simulated_team

ARGUMENTS = (
    ROBOTS,
    DeclareLaunchArgument(
        "world", default_value="", description="World file (SDF); empty: that of the package."
    ),
    WEIGHTS,
    DeclareLaunchArgument(
        "real_time_factor",
        default_value="1.0",
        description="Simulated seconds for each second, at most.",
    ),
    DeclareLaunchArgument(
        "seed", default_value="0", description="Of the sensors' noise, a whole number from 0 up."
    ),
    OWN_ODOMETRY,
    PLANNER,
    RESPAWN,
)


def generate_launch_description() -> LaunchDescription:
    """What `ros2 launch` asks for."""
    return LaunchDescription([*ARGUMENTS, OpaqueFunction(function=_world_and_team)])


def _world_and_team(context):
    given = LaunchArguments(context.launch_configurations)
    nodes = simulated_team(
        team_of(given.words("robots")),
        world=given.path("world"),
        weights=given.text("weights"),
        real_time_factor=given.positive("real_time_factor"),
        seed=given.whole("seed", 0),
        own_odometry=given.flag("own_odometry"),
        planned=given.flag("planner"),
    )
    return [*one_machine(), *actions(nodes, respawn=given.flag("respawn"))]
