# SPDX-License-Identifier: Apache-2.0
"""The sensor suite of the AMiRo robots and their eight objects (the paper's Sec. IV).

Primitive objects have a colour, a shape and a material; only who has sensed all three attributes
knows which of the eight objects it is. What a sensor must not tell, it does not see from its
viewpoint: the camera neither the top nor the bottom of an object, the ring of proximity sensors the
object with one ray only. The ranges are the viewpoints, their errors and a margin: the weights are
trained so, the fusion nodes sense so, and bags are read so.
"""

from m2vae_ros.sensors.camera import CameraView
from m2vae_ros.sensors.lidar import LidarView
from m2vae_ros.sensors.reflectance import ReflectanceView
from m2vae_ros.sensors.sensing_range import SensingRange
from m2vae_ros.sensors.suite import BetaVAESpec, Modality, SensorSuite
from m2vae_ros.sensors.viewpoint import Viewpoint

AMIRO = SensorSuite(
    name="amiro",
    modalities=(
        Modality(
            name="camera",
            title="camera",
            topic="front_camera/image_raw",
            type="sensor_msgs/msg/Image",
            view=CameraView(),
            range=SensingRange(0.72, 0.88),
            viewpoint=Viewpoint(distance=0.80, distance_error=0.06),
            beta_vae=BetaVAESpec(10, (128,), (16, 32, 64), beta_norm=1e-4, epochs=10),
            reading_bytes=640 * 480 * 3,
        ),
        Modality(
            name="lidar",
            title="LiDAR",
            topic="laser_scan",
            type="sensor_msgs/msg/LaserScan",
            view=LidarView(),
            range=SensingRange(0.43, 0.57),
            viewpoint=Viewpoint(distance=0.50, distance_error=0.05),
            beta_vae=BetaVAESpec(10, (256, 128), (), beta_norm=1e-4, epochs=40, shape=(1, 227)),
            reading_bytes=683 * 4,
            finds_objects=True,
        ),
        Modality(
            name="reflectance",
            title="reflect.",
            topic="reflectance",
            type="sensor_msgs/msg/LaserScan",
            view=ReflectanceView(),
            range=SensingRange(0.30, 0.42),
            viewpoint=Viewpoint(distance=0.36, distance_error=0.04),
            beta_vae=BetaVAESpec(10, (64, 64), (), beta_norm=1e-3, epochs=20),
            reading_bytes=8 * 4,
        ),
    ),
    attributes={
        "colour": ("red", "green"),
        "shape": ("cylinder", "box"),
        "material": ("mat", "shiny"),
    },
)
