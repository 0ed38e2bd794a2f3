# SPDX-License-Identifier: Apache-2.0
"""The ROS 2 nodes: messages to arrays and back, parameters, quality of service, lifecycle."""
