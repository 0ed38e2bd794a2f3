# SPDX-License-Identifier: Apache-2.0
"""Between ROS and the rest: messages, quality of service, parameters, recording and playing."""
