# SPDX-License-Identifier: Apache-2.0
"""An examination of this machine: what nodes need, and what else can be done here.

It works where things are missing: nothing but Python is needed to run it.
"""

from __future__ import annotations

from collections.abc import Iterator

from m2vae_ros.apps.doctor.finding import Finding, Level
from m2vae_ros.apps.doctor.machine import examine_machine
from m2vae_ros.apps.doctor.network import examine_network
from m2vae_ros.apps.doctor.software import examine_software
from m2vae_ros.apps.doctor.weights import examine_weights

__all__ = ["Finding", "Level", "examine"]


def examine() -> Iterator[Finding]:
    """All that is found, section by section."""
    yield from examine_software()
    yield from examine_weights()
    yield from examine_network()
    yield from examine_machine()
