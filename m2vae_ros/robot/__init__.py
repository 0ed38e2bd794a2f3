# SPDX-License-Identifier: Apache-2.0
"""One robot without ROS: what it looks at, and how it drives there."""
