# SPDX-License-Identifier: Apache-2.0
"""The AMiRo world in Gazebo classic 11, with a team of robots that patrol, fuse and exchange.

With gazebo_ros (ROS 2 Humble) Gazebo speaks ROS itself. Elsewhere this package's own bridge stands
beside a Gazebo server.

ros2 launch m2vae_ros amiro_gazebo.launch.py
ros2 launch m2vae_ros amiro_gazebo.launch.py gui:=false robots:=amiro1/camera,amiro2/reflectance
"""

from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument, OpaqueFunction

from m2vae_ros.bringup.arguments import LaunchArguments, bridges, team_of
from m2vae_ros.bringup.launching import (
    OWN_ODOMETRY,
    PLANNER,
    RESPAWN,
    ROBOTS,
    WEIGHTS,
    actions,
    gazebo_alone,
    gazebo_with_ros,
    has_gazebo_ros,
    one_machine,
)
from m2vae_ros.bringup.specs import gazebo_team
from m2vae_ros.host.children import free_port

ARGUMENTS = (
    ROBOTS,
    DeclareLaunchArgument(
        "world", default_value="", description="World file (SDF); empty: that of the package."
    ),
    DeclareLaunchArgument(
        "gui",
        default_value="true",
        description="Whether Gazebo has a window, if there is a display.",
    ),
    DeclareLaunchArgument(
        "bridge",
        default_value="auto",
        choices=["auto", "true", "false"],
        description="Whether this package's bridge stands in for gazebo_ros; auto: where that is "
        "not installed.",
    ),
    DeclareLaunchArgument(
        "master",
        default_value="",
        description="A Gazebo that runs already, http://HOST:PORT, for the bridge; empty: one is "
        "started.",
    ),
    WEIGHTS,
    DeclareLaunchArgument(
        "seed", default_value="0", description="Of the sensors' noise, a whole number from 0 up."
    ),
    OWN_ODOMETRY,
    PLANNER,
    RESPAWN,
)


def generate_launch_description() -> LaunchDescription:
    """What `ros2 launch` asks for."""
    return LaunchDescription([*ARGUMENTS, OpaqueFunction(function=_gazebo_and_team)])


def _gazebo_and_team(context):
    given = LaunchArguments(context.launch_configurations)
    world, gui, master = given.path("world"), given.flag("gui"), given.text("master")
    bridge = bridges(given.text("bridge"), master, has_gazebo_ros())
    if master:
        gazebo = []
    elif bridge:
        port = free_port()
        master = f"http://127.0.0.1:{port}"
        gazebo = gazebo_alone(world, gui, port)
    else:
        gazebo = gazebo_with_ros(world, gui, given.whole("seed", 0))
    nodes = gazebo_team(
        team_of(given.words("robots")),
        world=world,
        weights=given.text("weights"),
        master=master,
        seed=given.whole("seed", 0),
        bridge=bridge,
        own_odometry=given.flag("own_odometry"),
        planned=given.flag("planner"),
    )
    return [*one_machine(), *gazebo, *actions(nodes, respawn=given.flag("respawn"))]
