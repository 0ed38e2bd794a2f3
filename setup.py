# SPDX-License-Identifier: Apache-2.0
"""The library and the ``m2vae`` command for machines without ROS: ``pip install .``.

The metadata is in pyproject.toml; here is what has to be computed. Where ROS 2 is, colcon builds
CMakeLists.txt instead (package.xml says so) and brings messages, nodes and launch files.
"""

from pathlib import Path

from setuptools import setup

here = Path(__file__).parent


def requirements(part: str) -> list[str]:
    """What a part needs, without the reasons."""
    lines = (here / f"requirements/{part}.txt").read_text().splitlines()
    return [line.split("#")[0].strip() for line in lines if not line.startswith("#")]


def shared_files() -> list[tuple[str, list[str]]]:
    """Each folder of the resources and its files, as they lie below the prefix's share/."""
    folders: dict[str, list[str]] = {}
    for top in ("config", "models", "worlds"):
        for path in sorted((here / top).rglob("*")):
            relative = path.relative_to(here)
            hidden = any(part.startswith(".") for part in relative.parts)
            if path.is_file() and not hidden:
                folders.setdefault(f"share/m2vae_ros/{relative.parent}", []).append(str(relative))
    return list(folders.items())


setup(
    install_requires=requirements("base"),
    extras_require={name: requirements(name) for name in ("train", "view", "cluster")},
    data_files=shared_files(),
)
