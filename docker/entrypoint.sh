#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Runs a command where ROS, the virtual environment and the workspace are sourced.
set -e
. "/opt/ros/$ROS_DISTRO/setup.bash"
. /ws/.venv/bin/activate
. /ws/install/local_setup.bash
# Installed executables begin with `env python3`: the environment's, as it comes first.
exec "$@"
