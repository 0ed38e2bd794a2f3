# SPDX-License-Identifier: Apache-2.0
"""One robot without ROS: what it perceives, and how it drives."""
