# SPDX-License-Identifier: Apache-2.0
"""Runs a launch file as `ros2 launch` does without a terminal: FILE NAME:=VALUE..."""

from __future__ import annotations

import sys

from launch import LaunchDescription, LaunchService
from launch.actions import IncludeLaunchDescription
from launch.launch_description_sources import PythonLaunchDescriptionSource


def main() -> int:
    """Returns what the launch service does."""
    file, *arguments = sys.argv[1:]
    service = LaunchService(argv=arguments, noninteractive=True)
    given = [tuple(argument.split(":=", 1)) for argument in arguments]
    source = PythonLaunchDescriptionSource(file)
    included = IncludeLaunchDescription(source, launch_arguments=given)
    service.include_launch_description(LaunchDescription([included]))
    return service.run()


if __name__ == "__main__":
    sys.exit(main())
