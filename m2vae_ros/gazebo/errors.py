# SPDX-License-Identifier: Apache-2.0
"""What goes wrong with Gazebo."""


class GazeboError(RuntimeError):
    """Gazebo is not there, did not start, or does not answer; the message says what and why."""
