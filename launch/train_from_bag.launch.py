# SPDX-License-Identifier: Apache-2.0
"""Trains weights from rosbag2 bags, as `m2vae train SUITE --bags` does, and ends.

ros2 launch m2vae_ros train_from_bag.launch.py bags:=my_bags out:=models/mine
ros2 launch m2vae_ros train_from_bag.launch.py bags:=run_1,run_2 out:=models/mine minutes:=5
ros2 launch m2vae_ros train_from_bag.launch.py suite:=mine.yaml bags:=runs out:=models/mine
ros2 launch m2vae_ros train_from_bag.launch.py bags:=runs held_out:=other_runs out:=models/mine
"""

from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument, OpaqueFunction

from m2vae_ros.bringup.arguments import LaunchArguments
from m2vae_ros.bringup.launching import command
from m2vae_ros.bringup.specs import training

ARGUMENTS = (
    DeclareLaunchArgument(
        "bags", description="The bags, or folders of bags, with commas: mcap or sqlite3."
    ),
    DeclareLaunchArgument("out", description="Folder of the weights to write."),
    DeclareLaunchArgument(
        "held_out",
        default_value="",
        description="Bags, or folders of bags, with commas, that nothing is trained on: they say "
        "when to end the training, how surprising a known reading can be, and what the weights are "
        "worth; empty: what the suite holds out of `bags`.",
    ),
    DeclareLaunchArgument(
        "suite",
        default_value="amiro",
        description="The sensor suite: a YAML file, or a name in the package's config/suites.",
    ),
    DeclareLaunchArgument(
        "world",
        default_value="",
        description="World file that says which objects stood where; empty: the one in a bag's "
        "folder, or that of the package.",
    ),
    DeclareLaunchArgument(
        "label_topic",
        default_value="",
        description="Topic (std_msgs/String) that says which object was sensed, instead of a "
        "world.",
    ),
    DeclareLaunchArgument(
        "global_frame",
        default_value="",
        description="Frame in which the world has its objects, to which the bag's transforms lead; "
        "empty: map.",
    ),
    DeclareLaunchArgument(
        "from",
        default_value="",
        description="Folder of the weights to start from, or a name in the package's models; "
        "empty: from nothing.",
    ),
    DeclareLaunchArgument(
        "classifiers_only",
        default_value="false",
        description="With `from`: keep the networks, so that the robots of a team go on "
        "understanding each other, and fit the classifiers and what tells the unknown alone.",
    ),
    DeclareLaunchArgument(
        "minutes",
        default_value="",
        description="How long to train the networks at most; empty: the whole recipe.",
    ),
    DeclareLaunchArgument(
        "enough",
        default_value="",
        description="Readings of each class by each sensor that there must be; empty: 10.",
    ),
    DeclareLaunchArgument(
        "most",
        default_value="",
        description="Readings of one object by one sensor that count, for robots that were left "
        "standing; empty: all.",
    ),
)


def generate_launch_description() -> LaunchDescription:
    """What `ros2 launch` asks for."""
    return LaunchDescription([*ARGUMENTS, OpaqueFunction(function=_training)])


def _training(context):
    given = LaunchArguments(context.launch_configurations)
    arguments = training(
        given.paths("bags"),
        given.path("out", there=False),
        suite=given.text("suite"),
        held_out=given.paths("held_out"),
        world=given.path("world"),
        label_topic=given.text("label_topic"),
        start=given.weights("from"),
        classifiers_only=given.flag("classifiers_only"),
        global_frame=given.text("global_frame"),
        minutes=given.positive("minutes") if given.text("minutes") else None,
        enough=given.whole("enough", 0) if given.text("enough") else None,
        most=given.whole("most", 1) if given.text("most") else None,
    )
    return command(arguments)
