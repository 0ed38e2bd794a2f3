# SPDX-License-Identifier: Apache-2.0
"""The AMiRo world in gz-sim, the modern Gazebo, with a team that patrols, fuses and exchanges.

For ROS 2 Jazzy and later, with ros_gz.

ros2 launch m2vae_ros amiro_gz.launch.py
ros2 launch m2vae_ros amiro_gz.launch.py gui:=false robots:=amiro1/camera,amiro2/reflectance
"""

from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument, OpaqueFunction

from m2vae_ros.bringup.arguments import LaunchArguments, team_of
from m2vae_ros.bringup.gz_sim import gz_sim
from m2vae_ros.bringup.launching import PLANNER, RESPAWN, ROBOTS, WEIGHTS, actions, one_machine
from m2vae_ros.bringup.specs import gazebo_team

ARGUMENTS = (
    ROBOTS,
    DeclareLaunchArgument(
        "world",
        default_value="",
        description="World file (SDF of Gazebo classic, made into one for gz-sim); empty: that "
        "of the package.",
    ),
    DeclareLaunchArgument(
        "gui",
        default_value="true",
        description="Whether Gazebo has a window, if there is a display.",
    ),
    WEIGHTS,
    PLANNER,
    RESPAWN,
)


def generate_launch_description() -> LaunchDescription:
    """What `ros2 launch` asks for."""
    return LaunchDescription([*ARGUMENTS, OpaqueFunction(function=_gz_and_team)])


def _gz_and_team(context):
    given = LaunchArguments(context.launch_configurations)
    robots, world = team_of(given.words("robots")), given.path("world")
    respawn = given.flag("respawn")
    nodes = gazebo_team(
        robots,
        world=world,
        weights=given.text("weights"),
        bridge=False,
        planned=given.flag("planner"),
    )
    simulator = gz_sim(robots, world, given.flag("gui"), respawn)
    return [*one_machine(), *simulator, *actions(nodes, respawn=respawn)]
