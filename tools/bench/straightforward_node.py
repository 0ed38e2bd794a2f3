# SPDX-License-Identifier: Apache-2.0
"""What one would write first: every message is converted, encoded by eager torch and classified.

A node with a callback for each sensor, conversion as cv_bridge does it, one thread and no rules.
"""

from __future__ import annotations

import signal
from functools import partial
from typing import Any

import numpy as np
import rclpy
import torch
from m2vae_ros.msg import ObjectClassification
from rclpy.executors import ExternalShutdownException
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn
from rclpy.qos import qos_profile_sensor_data

from m2vae_ros.fusion.torch_engine import TorchEngine
from m2vae_ros.host.resources import resource
from m2vae_ros.ros.message_types import message_class

torch.set_num_threads(1)


class StraightforwardNode(LifecycleNode):
    """Fuses the newest code of each sensor whenever one comes."""

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Load the weights and subscribe."""
        self._engine = TorchEngine.load(resource("models/amiro"))
        self._codes: dict[str, np.ndarray] = {}
        self._out = self.create_publisher(ObjectClassification, "classification", 10)
        for name, modality in self._engine.suite.items():
            self.create_subscription(
                message_class(modality.type),
                modality.topic,
                partial(self._on_reading, name),
                qos_profile_sensor_data,
            )
        return super().on_activate(state)

    def _on_reading(self, name: str, message: Any) -> None:
        observation = self._engine.suite[name].view.read(message)
        self._codes[name] = self._engine.encode_modality(name, observation).code
        probabilities = self._engine.classify(self._engine.encode(self._codes).mean)
        self._out.publish(
            ObjectClassification(
                header=message.header,
                sender="bench",
                classes=list(self._engine.suite.classes),
                sensed=[name],
                probabilities=probabilities.astype(np.float32),
            )
        )


def main() -> None:
    """Run it until SIGINT."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    rclpy.init()
    try:
        rclpy.spin(StraightforwardNode("fusion"))
    except (KeyboardInterrupt, ExternalShutdownException):
        rclpy.try_shutdown()


if __name__ == "__main__":
    main()
