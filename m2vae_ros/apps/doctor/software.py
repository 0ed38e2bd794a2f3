# SPDX-License-Identifier: Apache-2.0
"""What is installed, what of it really works, and what is missing for what."""

from __future__ import annotations

import ctypes.util
import importlib.metadata
import importlib.util
import os
import shutil
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import m2vae_ros
from m2vae_ros.apps.doctor.finding import Finding, Level
from m2vae_ros.gazebo.errors import GazeboError
from m2vae_ros.gazebo.installation import installation
from m2vae_ros.host.imports import Attempt, try_imports

DISTRIBUTIONS = {3: "humble", 7: "jazzy", 9: "kilted", 10: "lyrical"}
"""Version of rclpy, the first number -> the distribution it comes with."""

MIDDLEWARE = "rmw_fastrtps_cpp"
"""The default of every one of them."""

NODE_MESSAGES = (
    "builtin_interfaces",
    "diagnostic_msgs",
    "geometry_msgs",
    "lifecycle_msgs",
    "nav_msgs",
    "rosgraph_msgs",
    "sensor_msgs",
    "std_msgs",
    "std_srvs",
    "tf2_msgs",
    "visualization_msgs",
)
"""Packages of messages without which no node starts."""

NODE_LIBRARIES = {
    "cv2": "opencv-python-headless",
    "msgspec": "msgspec",
    "numpy": "numpy",
    "onnxruntime": "onnxruntime",
    "rosbags": "rosbags",
    "rosbags.image": "rosbags-image",
    "yaml": "PyYAML",
}
"""Module -> what pip calls it: without these no node starts."""

OWN_MESSAGES = ("m2vae_ros.msg", "m2vae_ros.srv")
FUSION_NODE = "m2vae_ros.nodes.fusion_node"
CV_BRIDGE = "cv_bridge.boost.cv_bridge_boost"
"""The compiled part, which a numpy it was not built for breaks; it is loaded late otherwise."""

TRIED = ("rclpy", *NODE_MESSAGES, *OWN_MESSAGES, *NODE_LIBRARIES, CV_BRIDGE, FUSION_NODE)

TRAINING = {
    "jinja2": "jinja2",
    "joblib": "joblib",
    "matplotlib": "matplotlib",
    "onnx": "onnx",
    "optuna": "optuna",
    "pooch": "pooch",
    "requests": "requests",
    "safetensors": "safetensors",
    "sklearn": "scikit-learn",
    "torch": "torch",
}
"""Module -> what pip calls it: what only training and experiments need."""

OTHER_USES: Mapping[str, Mapping[str, str]] = {
    "bags": {
        "apsw": "apsw",
        "backports.zstd": "backports.zstd",
        "lz4.frame": "lz4",
        "mcap": "mcap",
    },
    "tables and the demo": {"rich": "rich", "shtab": "shtab", "tqdm": "tqdm"},
    "training and experiments": TRAINING,
    "live view": {"rerun": "rerun-sdk"},
    "simulator": {"mujoco": "mujoco"},
    "Gazebo classic's transport": {
        "google.protobuf": "protobuf",
        "grpc_tools": "grpcio-tools",
        "scipy": "scipy",
    },
}
"""Use -> module -> what pip calls it; looked for, not imported: torch alone takes seconds."""


def examine_software() -> Iterator[Finding]:
    """What is found, in the order of the report."""
    attempts = try_imports(TRIED)
    yield _python()
    yield _rclpy(attempts["rclpy"])
    yield _middleware()
    yield from _needed(attempts)
    yield _cv_bridge(attempts[CV_BRIDGE])
    yield _gpu(attempts["onnxruntime"])
    yield from map(_use, OTHER_USES)
    yield _rendering()
    yield _gazebo_classic()
    yield _programs(
        "gz-sim", ["gz"], ["ros_gz_sim", "ros_gz_bridge"], "apt-get install ros-$ROS_DISTRO-ros-gz"
    )
    yield _programs("RViz", ["rviz2"], [], "apt-get install ros-$ROS_DISTRO-rviz2")
    yield _programs(
        "launch files",
        ["ros2"],
        ["launch_ros", "ros2launch"],
        "they are not on PyPI; install ROS 2",
    )


def _python() -> Finding:
    version = ".".join(map(str, sys.version_info[:3]))
    found = f"m2vae_ros {m2vae_ros.__version__} on Python {version} ({sys.executable})"
    if not (3, 10) <= sys.version_info[:2] <= (3, 13):
        advice = "use one from 3.10 to 3.13"
        return Finding("nodes", "Python", Level.WARNING, f"{found}; not tested there", advice)
    return Finding("nodes", "Python", Level.OK, found)


def _rclpy(attempt: Attempt) -> Finding:
    subject = "ROS 2"
    if attempt.fault:
        advice = "its libraries or its Python are another's; " if not attempt.missing else ""
        setups = sorted(Path("/opt/ros").glob("*/setup.bash"))
        advice += f". {setups[-1]}" if setups else "install ROS 2, or in a checkout: ./run m2vae …"
        return Finding("nodes", subject, Level.ERROR, f"rclpy: {attempt.fault}", advice)
    version = _version("rclpy")
    known = DISTRIBUTIONS.get(int(version.split(".")[0])) if version[:1].isdigit() else None
    said = os.environ.get("ROS_DISTRO")
    found = f"{known or said or 'distribution unknown'}, rclpy {version or 'of unknown version'}"
    if known and said and known != said:
        return Finding(
            "nodes",
            subject,
            Level.WARNING,
            f"{found}, but ROS_DISTRO={said}: two distributions are mixed",
            "open a new terminal and source one setup.bash only",
        )
    return Finding("nodes", subject, Level.OK, found)


def _middleware() -> Finding:
    chosen = os.environ.get("RMW_IMPLEMENTATION") or MIDDLEWARE
    installed = sorted(_resources("rmw_typesupport") - {"rmw_implementation"})
    if chosen not in installed:
        return Finding(
            "nodes",
            "middleware",
            Level.ERROR,
            f"{chosen} is not installed; there is {', '.join(installed) or 'none'}",
            "install it, or set RMW_IMPLEMENTATION to one that is there",
        )
    advice = "start its router: ros2 run rmw_zenoh_cpp rmw_zenohd" if "zenoh" in chosen else ""
    return Finding("nodes", "middleware", Level.OK, chosen, advice)


def _needed(attempts: Mapping[str, Attempt]) -> Iterator[Finding]:
    packages = " ".join(f"ros-$ROS_DISTRO-{name.replace('_', '-')}" for name in NODE_MESSAGES)
    with_ros = not attempts["rclpy"].fault
    groups: dict[str, tuple[Sequence[str], str]] = {
        "message packages": (
            NODE_MESSAGES,
            f"apt-get install {packages}" if with_ros else "they come with ROS 2",
        ),
        "own messages": (
            OWN_MESSAGES,
            "colcon build --packages-select m2vae_ros, then . install/setup.bash",
        ),
        "libraries": (
            tuple(NODE_LIBRARIES),
            _pip(NODE_LIBRARIES[name] for name in NODE_LIBRARIES if attempts[name].fault),
        ),
    }
    whole = with_ros
    for subject, (names, advice) in groups.items():
        missing = [name for name in names if attempts[name].missing]
        broken = [name for name in names if attempts[name].fault and name not in missing]
        said = [f"missing: {', '.join(missing)}"] if missing else []
        said += [f"{name} does not work: {attempts[name].fault}" for name in broken]
        if said:
            whole = False
            yield Finding("nodes", subject, Level.ERROR, "; ".join(said), advice)
        else:
            yield Finding("nodes", subject, Level.OK, ", ".join(map(_with_version, names)))
    if fault := attempts[FUSION_NODE].fault:
        if whole:  # else it is for what was said
            advice = f"python3 -m {FUSION_NODE} says where"
            yield Finding("nodes", "fusion node", Level.ERROR, fault, advice)
    else:
        yield Finding("nodes", "fusion node", Level.OK, "can be started")


def _cv_bridge(attempt: Attempt) -> Finding:
    subject = "cv_bridge"
    if attempt.missing:
        return Finding("uses", subject, Level.ABSENT, "not here; rosbags-image decodes images")
    if attempt.fault:
        return Finding(
            "uses",
            subject,
            Level.WARNING,
            f"does not work with numpy {_version('numpy')}: {attempt.fault}",
            "pip install 'numpy<2' in the environment, see docs/installation.md",
        )
    return Finding("uses", subject, Level.OK, "decodes images")


def _gpu(attempt: Attempt) -> Finding:
    subject = "CUDA"
    if attempt.fault:
        return Finding("uses", subject, Level.ABSENT, "ONNX Runtime does not work here")
    import onnxruntime

    cards = sorted(path.name for path in Path("/dev").glob("nvidia[0-9]*"))
    provided = "CUDAExecutionProvider" in onnxruntime.get_available_providers()
    if provided and cards:
        return Finding("uses", subject, Level.OK, f"CUDAExecutionProvider, {', '.join(cards)}")
    lacking = [] if cards else ["no graphics card of NVIDIA's"]
    lacking += [] if provided else ["this ONNX Runtime has no CUDAExecutionProvider"]
    advice = "pip install onnxruntime-gpu instead of onnxruntime" if cards else ""
    return Finding("uses", subject, Level.ABSENT, "; ".join(lacking), advice)


def _use(name: str) -> Finding:
    wanted = OTHER_USES[name]
    missing = [wanted[module] for module in wanted if not _is_there(module)]
    if missing:
        found = f"missing: {', '.join(missing)}"
        return Finding("uses", name, Level.ABSENT, found, _pip(missing))
    return Finding("uses", name, Level.OK, ", ".join(map(_with_version, wanted.values())))


def _rendering() -> Finding:
    subject = "the simulator's cameras"
    chosen = os.environ.get("MUJOCO_GL", "")
    if chosen == "osmesa" and not ctypes.util.find_library("OSMesa"):
        return Finding(
            "uses",
            subject,
            Level.WARNING,
            "MUJOCO_GL=osmesa, but there is no libOSMesa",
            "apt-get install libosmesa6, or MUJOCO_GL=egl",
        )
    if not chosen and not os.environ.get("DISPLAY"):
        return Finding(
            "uses", subject, Level.ABSENT, "no display", "MUJOCO_GL=egl, or osmesa (libosmesa6)"
        )
    return Finding("uses", subject, Level.OK, f"MUJOCO_GL={chosen}" if chosen else "a display")


def _gazebo_classic() -> Finding:
    try:
        root = installation().root
    except GazeboError as error:
        return Finding("uses", "Gazebo classic", Level.ABSENT, str(error))
    return Finding("uses", "Gazebo classic", Level.OK, f"in {root}")


def _programs(
    subject: str, programs: Sequence[str], packages: Sequence[str], advice: str
) -> Finding:
    missing = [name for name in programs if not shutil.which(name)]
    missing += sorted(set(packages) - _resources("packages"))
    if missing:
        return Finding("uses", subject, Level.ABSENT, f"missing: {', '.join(missing)}", advice)
    return Finding("uses", subject, Level.OK, ", ".join([*programs, *packages]))


def _resources(kind: str) -> set[str]:
    """What the ament prefixes have of a kind of resource."""
    prefixes = filter(None, os.environ.get("AMENT_PREFIX_PATH", "").split(":"))
    folders = (Path(prefix) / "share/ament_index/resource_index" / kind for prefix in prefixes)
    return {path.name for folder in folders if folder.is_dir() for path in folder.iterdir()}


def _is_there(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ImportError:  # not even what it is a part of
        return False


def _version(distribution: str) -> str:
    """Of something installed; empty if nobody says."""
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return ""


def _with_version(name: str) -> str:
    name = NODE_LIBRARIES.get(name, name)
    return f"{name} {_version(name)}".rstrip()


def _pip(names: Iterable[str]) -> str:
    return f"pip install {' '.join(sorted(names))} (docs/installation.md)"
