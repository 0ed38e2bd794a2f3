# SPDX-License-Identifier: Apache-2.0
"""rosbag2 without ROS: reading, writing, recovering, and the samples that bags hold."""
