# SPDX-License-Identifier: Apache-2.0
"""The library and the ``m2vae`` command for machines without ROS: ``pip install .``.

Where ROS 2 is, colcon builds CMakeLists.txt instead (package.xml says so) and brings messages,
nodes and launch files.
"""

import re
from pathlib import Path

from setuptools import find_packages, setup

here = Path(__file__).parent
init = (here / "m2vae_ros/__init__.py").read_text()
version = re.search(r'^__version__ = "(.+)"$', init, re.MULTILINE)[1]
requirements = [
    line.split("#")[0].strip()
    for line in (here / "requirements/base.txt").read_text().splitlines()
    if not line.startswith("#")
]


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
    name="m2vae_ros",
    version=version,
    description="Multi-modal embeddings of objects, fused in place by robots over ROS 2",
    license="Apache-2.0",
    python_requires=">=3.10",
    packages=find_packages(include=["m2vae_ros", "m2vae_ros.*"]),
    install_requires=requirements,
    package_data={"m2vae_ros.experiments": ["*.j2"]},
    data_files=shared_files(),
    entry_points={"console_scripts": ["m2vae = m2vae_ros.cli:main"]},
)
