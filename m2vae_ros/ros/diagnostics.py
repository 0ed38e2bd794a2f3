# SPDX-License-Identifier: Apache-2.0
"""What a node reports on /diagnostics."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from rclpy.node import Node

OK, WARN, ERROR = DiagnosticStatus.OK, DiagnosticStatus.WARN, DiagnosticStatus.ERROR


def report(node: Node, level: bytes, summary: str, facts: Mapping[str, Any]) -> DiagnosticArray:
    """One status, named after the node."""
    status = DiagnosticStatus(
        level=level,
        name=node.get_fully_qualified_name().lstrip("/"),
        message=summary,
        hardware_id=node.get_namespace().strip("/"),
        values=[KeyValue(key=key, value=str(value)) for key, value in sorted(facts.items())],
    )
    message = DiagnosticArray(status=[status])
    message.header.stamp = node.get_clock().now().to_msg()
    return message
