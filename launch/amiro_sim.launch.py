# SPDX-License-Identifier: Apache-2.0
"""The simulated AMiRo world with a team of robots that patrol, fuse and exchange embeddings.

ros2 launch m2vae_ros amiro_sim.launch.py
ros2 launch m2vae_ros amiro_sim.launch.py robots:=amiro1/camera,amiro1/lidar,amiro2/reflectance
"""

from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument, OpaqueFunction

from m2vae_ros.bringup import robots_of, simulated_team
from m2vae_ros.launching import actions, one_machine

ARGUMENTS = (
    DeclareLaunchArgument(
        "robots",
        default_value="amiro1/camera,amiro2/lidar,amiro3/reflectance",
        description="Which robots there are and what each senses: robot/sensor, with commas.",
    ),
    DeclareLaunchArgument(
        "world", default_value="", description="World file (SDF); empty: that of the package."
    ),
    DeclareLaunchArgument(
        "weights",
        default_value="amiro",
        description="Folder of the weights, or a name in the package's models.",
    ),
    DeclareLaunchArgument(
        "real_time_factor",
        default_value="1.0",
        description="Simulated seconds for each second, at most.",
    ),
    DeclareLaunchArgument("seed", default_value="0", description="Of the sensors' noise."),
)


def generate_launch_description() -> LaunchDescription:
    """What `ros2 launch` asks for."""
    return LaunchDescription([*ARGUMENTS, OpaqueFunction(function=_team)])


def _team(context):
    given = context.launch_configurations
    nodes = simulated_team(
        robots_of(given["robots"].split(",")),
        world=given["world"],
        weights=given["weights"],
        real_time_factor=float(given["real_time_factor"]),
        seed=int(given["seed"]),
    )
    return [*one_machine(), *actions(nodes)]
