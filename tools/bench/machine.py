# SPDX-License-Identifier: Apache-2.0
"""What the figures were measured on."""

from __future__ import annotations

import os
import platform
import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import m2vae_ros

PACKAGES = ("numpy", "onnxruntime", "opencv-python-headless", "torch", "multivae", "ros-rclpy")


def machine() -> dict[str, object]:
    """Processor, cores, threads, load and versions."""
    return {
        "cpu": _cpu_model(),
        "cores": os.cpu_count(),
        "threads": os.environ.get("OMP_NUM_THREADS", "as many as cores"),
        "load": round(os.getloadavg()[0], 2),
        "kernel": platform.release(),
        "ros": os.environ.get("ROS_DISTRO"),
        "rmw": os.environ.get("RMW_IMPLEMENTATION"),
        "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "versions": {
            "m2vae_ros": m2vae_ros.__version__,
            "python": platform.python_version(),
            **{package: found for package in PACKAGES if (found := _version(package))},
        },
    }


def _cpu_model() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
