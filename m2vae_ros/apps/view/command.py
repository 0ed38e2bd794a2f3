# SPDX-License-Identifier: Apache-2.0
"""`m2vae view`: listens and draws until it is interrupted."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from pathlib import Path

from rclpy.executors import ExternalShutdownException
from rclpy.node import Node

from m2vae_ros.apps.view.drawing import Drawing
from m2vae_ros.apps.view.listener import Listener
from m2vae_ros.apps.view.outlets import Outlet
from m2vae_ros.apps.view.scene import Scene
from m2vae_ros.bringup.processes import environment
from m2vae_ros.fusion.memory import ObjectMemory
from m2vae_ros.fusion.onnx_engine import OnnxEngine
from m2vae_ros.host.resources import weights_folder
from m2vae_ros.ros.beside import node_beside
from m2vae_ros.ros.process import install_shutdown_handlers
from m2vae_ros.sensors.messages import NANOSECONDS

PERIOD = 0.2
"""Seconds from one drawing to the next."""

ANY_CLOCK = 2**61
"""Nanoseconds by which stamps may be ahead: whoever looks on has no say in what time it is."""


def view(
    weights: str | Path,
    outlet: Outlet,
    robots: Sequence[str] = (),
    chosen: str = "",
    frame: str = "map",
    gate_m: float = 0.3,
    forget_after: float = 0.0,
    seconds: float | None = None,
) -> None:
    """Show what a team does, until SIGINT or SIGTERM.

    Args:
        weights: a folder, or a name in the package's models: the team's.
        outlet: where it is shown.
        robots: their names; none: whoever has topics of the weights' suite.
        chosen: the object that is looked at more closely; "" for the last that was looked at.
        frame: of all positions.
        gate_m: metres between two places that are one object, as the nodes' parameter `gate`.
        forget_after: seconds, as the nodes' parameter; 0 for never.
        seconds: until it ends by itself; None for never.

    Raises:
        WeightsError: the weights cannot be used.
        OSError, RuntimeError: the outlet cannot be opened.
    """
    engine = OnnxEngine.load(weights_folder(weights))
    memory = ObjectMemory(
        engine,
        "view",
        gate_m,
        frame=frame,
        tolerance_ns=ANY_CLOCK,
        by_place=engine.suite.about.by_place,
        forget_after_ns=int(forget_after * NANOSECONDS),
    )
    scene = Scene(memory)
    recording, said = outlet.open()
    print(f"view: {said}\nview: Ctrl-C ends it", flush=True)
    os.environ.update(environment())
    stop = install_shutdown_handlers()
    end = None if seconds is None else time.monotonic() + seconds
    with node_beside(lambda context: Node("m2vae_view", context=context)) as (node, executor):
        try:
            Listener(node, scene, robots, frame)
            drawing = Drawing(recording, scene, chosen)
            due = time.monotonic()
            while not stop.is_set() and (end is None or time.monotonic() < end):
                executor.spin_once(timeout_sec=max(0.0, due - time.monotonic()))
                if time.monotonic() >= due:
                    drawing.draw()
                    due = time.monotonic() + PERIOD
        except ExternalShutdownException:  # whoever ended the context meant it
            pass
        finally:
            recording.flush()
            recording.disconnect()  # a file is whole afterwards
