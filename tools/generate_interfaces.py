# SPDX-License-Identifier: Apache-2.0
"""Writes ROS packages of messages that come with every ROS 2, but as no wheel.

Usage: generate_interfaces.py FOLDER. Each package gets a subfolder, which colcon can build.
"""

import sys
from pathlib import Path

from rosbags.typesys import Stores, get_typestore

PACKAGES = {"tf2_msgs": (["TFMessage"], ["geometry_msgs"])}
"""Package -> the messages that are needed here, and the packages that they are made of."""

MANIFEST = """\
<?xml version="1.0"?>
<package format="3">
  <name>{package}</name>
  <version>0.0.0</version>
  <description>The messages of {package} that are used here</description>
  <maintainer email="nobody@example.org">generated</maintainer>
  <license>BSD-3-Clause</license>
  <buildtool_depend>ament_cmake</buildtool_depend>
  <buildtool_depend>rosidl_default_generators</buildtool_depend>
{depends}
  <member_of_group>rosidl_interface_packages</member_of_group>
  <export><build_type>ament_cmake</build_type></export>
</package>
"""

CMAKE = """\
cmake_minimum_required(VERSION 3.16)
project({package})
find_package(ament_cmake REQUIRED)
find_package(rosidl_default_generators REQUIRED)
{finds}
rosidl_generate_interfaces({package} {files} DEPENDENCIES {depends})
ament_package()
"""


def write_package(folder: Path, package: str, messages: list[str], depends: list[str]) -> None:
    """Write a package of messages, whose definitions rosbags knows, into ``folder``."""
    known = get_typestore(Stores.ROS2_JAZZY)
    (folder / "msg").mkdir(parents=True)
    for message in messages:
        definition, _ = known.generate_msgdef(f"{package}/msg/{message}", ros_version=2)
        own, *_ = definition.partition("=" * 80)  # those it is made of follow
        (folder / "msg" / f"{message}.msg").write_text(own)
    elements = [f"  <depend>{depend}</depend>" for depend in depends]
    (folder / "package.xml").write_text(
        MANIFEST.format(package=package, depends="\n".join(elements))
    )
    (folder / "CMakeLists.txt").write_text(
        CMAKE.format(
            package=package,
            finds="\n".join(f"find_package({depend} REQUIRED)" for depend in depends),
            files=" ".join(f"msg/{message}.msg" for message in messages),
            depends=" ".join(depends),
        )
    )


def main() -> None:
    """Write all of them."""
    for package, (messages, depends) in PACKAGES.items():
        write_package(Path(sys.argv[1], package), package, messages, depends)


if __name__ == "__main__":
    main()
