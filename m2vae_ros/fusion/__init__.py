# SPDX-License-Identifier: Apache-2.0
"""The running system without ROS: what a robot knows of its objects, and how robots share it."""
