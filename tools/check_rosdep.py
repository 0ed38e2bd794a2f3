# SPDX-License-Identifier: Apache-2.0
"""Checks that every dependency of package.xml can be resolved where the package is released to.

Usage: check_rosdep.py ROSDISTRO, a clone of github.com/ros/rosdistro. A dependency is a package of
the distribution, or a key of rosdep's that has a system package on the distribution's Ubuntu.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import yaml
from catkin_pkg.package import parse_package

ROOT = Path(__file__).resolve().parents[1]
RELEASES = {"humble": "jammy", "jazzy": "noble", "kilted": "noble", "lyrical": "resolute"}
"""ROS distribution -> Ubuntu."""


def read(path: Path) -> dict[str, Any]:
    """A YAML file of the clone."""
    return yaml.load(path.read_text(), getattr(yaml, "CSafeLoader", yaml.SafeLoader))


def has_system_package(rule: Any, release: str) -> bool:
    """Whether a key of rosdep's is a system package on a release of Ubuntu, and not pip's."""
    found = rule.get("ubuntu") if isinstance(rule, dict) else None
    if isinstance(found, dict):
        found = found.get(release, found.get("*"))
    return bool(found) and "pip" not in found


def main() -> int:
    """Print what cannot be resolved; the exit status is 1 if there is something."""
    rosdistro = Path(sys.argv[1])
    keys = {**read(rosdistro / "rosdep/base.yaml"), **read(rosdistro / "rosdep/python.yaml")}
    unresolved = []
    for distribution, ubuntu in RELEASES.items():
        released = set()
        repositories = read(rosdistro / distribution / "distribution.yaml")["repositories"]
        for name, repository in repositories.items():
            if "release" in repository:
                released.update(repository["release"].get("packages", [name]))
        package = parse_package(ROOT / "package.xml")
        package.evaluate_conditions({"ROS_DISTRO": distribution})
        every = package.buildtool_depends + package.build_depends
        every += package.exec_depends + package.test_depends
        names = {each.name for each in every if each.evaluated_condition}
        unresolved += [
            f"{distribution}: {name}"
            for name in sorted(names - released)
            if not has_system_package(keys.get(name), ubuntu)
        ]
        print(f"{distribution} on {ubuntu}: {len(names)} dependencies")
    for each in unresolved:
        print(f"{each}: neither released there nor a system package")
    return bool(unresolved)


if __name__ == "__main__":
    sys.exit(main())
