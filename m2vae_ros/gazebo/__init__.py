# SPDX-License-Identifier: Apache-2.0
"""Gazebo classic 11 without gazebo_ros: a server without a window, and a client of its topics."""
