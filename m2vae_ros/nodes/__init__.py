# SPDX-License-Identifier: Apache-2.0
"""The executables: one ROS 2 node each, with its parameters."""
