# SPDX-License-Identifier: Apache-2.0
"""The AMiRo world in MuJoCo: the world file of Gazebo, robots that drive, and their sensors."""
