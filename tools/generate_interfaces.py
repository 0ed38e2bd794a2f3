# SPDX-License-Identifier: Apache-2.0
"""Writes ROS packages of messages that come with ROS 2, but as no wheel.

Usage: generate_interfaces.py FOLDER. Each package gets a subfolder, which colcon can build:
tf2_msgs, whose definition rosbags has, and those of test/data/interfaces.
"""

import sys
from pathlib import Path

from rosbags.typesys import Stores, get_typestore

ROOT = Path(__file__).resolve().parents[1]
INTERFACES = ROOT / "test/data/interfaces"
OPTIONS = ROOT / "cmake/python_only.cmake"
DEPENDS = ["geometry_msgs", "std_msgs"]

MANIFEST = """\
<?xml version="1.0"?>
<package format="3">
  <name>{package}</name>
  <version>0.0.0</version>
  <description>The messages of {package} that are used here</description>
  <maintainer email="nobody@example.org">generated</maintainer>
  <license>of {package}</license>
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
include({options})
rosidl_generate_interfaces({package} {files} DEPENDENCIES {depends})
ament_package()
"""


def write_package(folder: Path, definitions: dict[str, str]) -> None:
    """Write a package of messages, by their names, into ``folder``, whose name is its own."""
    package = folder.name
    (folder / "msg").mkdir(parents=True)
    for message, definition in definitions.items():
        (folder / "msg" / f"{message}.msg").write_text(definition)
    elements = [f"  <depend>{depend}</depend>" for depend in DEPENDS]
    (folder / "package.xml").write_text(
        MANIFEST.format(package=package, depends="\n".join(elements))
    )
    (folder / "CMakeLists.txt").write_text(
        CMAKE.format(
            package=package,
            options=OPTIONS,
            finds="\n".join(f"find_package({depend} REQUIRED)" for depend in DEPENDS),
            files=" ".join(f"msg/{message}.msg" for message in definitions),
            depends=" ".join(DEPENDS),
        )
    )


def main() -> None:
    """Write all of them."""
    folder = Path(sys.argv[1])
    known = get_typestore(Stores.ROS2_JAZZY)
    definition, _ = known.generate_msgdef("tf2_msgs/msg/TFMessage", ros_version=2)
    own, *_ = definition.partition("=" * 80)  # those it is made of follow
    write_package(folder / "tf2_msgs", {"TFMessage": own})
    for package in INTERFACES.glob("*/msg"):
        definitions = {path.stem: path.read_text() for path in sorted(package.glob("*.msg"))}
        write_package(folder / package.parent.name, definitions)


if __name__ == "__main__":
    main()
