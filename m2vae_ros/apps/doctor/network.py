# SPDX-License-Identifier: Apache-2.0
"""Whether robots can find each other: domain, discovery, Fast DDS's profile, multicast."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from m2vae_ros.apps.doctor.finding import Finding, Level
from m2vae_ros.host import domains
from m2vae_ros.host.network import GROUP, multicast_fault

RANGES = {
    "SUBNET": "robots on this network find each other",
    "SYSTEM_DEFAULT": "as the middleware's own configuration says",
    "LOCALHOST": "this machine only",
    "OFF": "nodes find nobody, not even on this machine",
}
"""Values of ROS_AUTOMATIC_DISCOVERY_RANGE."""

SAFE_DOMAINS = range(102)
"""Those whose ports Linux does not hand out to outgoing connections."""

PROFILES = ("FASTDDS_DEFAULT_PROFILES_FILE", "FASTRTPS_DEFAULT_PROFILES_FILE")
"""Of Fast DDS 3 and, before it, 2."""


def examine_network() -> Iterator[Finding]:
    """What is found, in the order of the report."""
    yield _domain()
    yield _discovery()
    yield _profile()
    yield _multicast("multicast", "0.0.0.0", "robots on other machines are not found")
    yield _multicast("multicast, loopback", "127.0.0.1", "nodes may not find each other here")


def _domain() -> Finding:
    chosen = os.environ.get(domains.VARIABLE, "")
    try:
        number = domains.chosen_domain() or 0
    except RuntimeError as error:
        return _finding("ROS domain", Level.ERROR, str(error), f"unset {domains.VARIABLE}, or mend")
    if number not in SAFE_DOMAINS:
        return _finding(
            "ROS domain",
            Level.WARNING,
            f"{number}; Linux hands its ports out to other programs now and then",
            f"choose one from 0 to {SAFE_DOMAINS[-1]}, the same for all robots of a team",
        )
    return _finding("ROS domain", Level.OK, f"{number}{'' if chosen else ', the default'}")


def _discovery() -> Finding:
    subject = "discovery"
    # ROS's own order: the older variable counts where it is set
    if os.environ.get("ROS_LOCALHOST_ONLY") == "1":
        return _finding(
            subject,
            Level.WARNING,
            "ROS_LOCALHOST_ONLY=1: this machine only",
            "unset it if robots on other machines belong to the team",
        )
    value = os.environ.get("ROS_AUTOMATIC_DISCOVERY_RANGE", "")
    peers = os.environ.get("ROS_STATIC_PEERS", "")
    also = f"; besides it the peers {peers}" if peers else ""
    if not value:
        return _finding(subject, Level.OK, f"the default: {RANGES['SUBNET']}{also}")
    if value not in RANGES:
        return _finding(
            subject,
            Level.WARNING,
            f"ROS_AUTOMATIC_DISCOVERY_RANGE={value} is none of {', '.join(RANGES)}",
            "unset it, or choose one of these",
        )
    level = Level.OK if value in ("SUBNET", "SYSTEM_DEFAULT") else Level.WARNING
    advice = "" if level is Level.OK else "SUBNET if robots on other machines belong to the team"
    return _finding(subject, level, f"{value}: {RANGES[value]}{also}", advice)


def _profile() -> Finding:
    subject = "Fast DDS profile"
    files = {name: os.environ[name] for name in PROFILES if os.environ.get(name)}
    if not files:
        return _finding(
            subject,
            Level.OK,
            "Fast DDS's own",
            "for large images between processes of one machine see docs/ros.md, DDS",
        )
    for name, file in files.items():
        path = Path(file)
        try:
            text = path.read_text(encoding="utf-8", errors="replace")
        except OSError as error:
            return _finding(
                subject,
                Level.WARNING,
                f"{name}={file}: {error.strerror}; Fast DDS goes on without it",
                f"unset {name}, or name a file that is there",
            )
        if "<address>127.0.0.1</address>" in text and "interfaceWhiteList" in text:
            return _finding(
                subject,
                Level.WARNING,
                f"{file}: keeps everything on this machine",
                f"unset {name} if robots on other machines belong to the team",
            )
    return _finding(subject, Level.OK, ", ".join(files.values()))


def _multicast(subject: str, interface: str, consequence: str) -> Finding:
    if fault := multicast_fault(interface):
        return _finding(
            subject,
            Level.WARNING,
            f"a datagram to {GROUP} did not come back: {fault}; {consequence}",
            "allow multicast on the interface and in the firewall, or set ROS_STATIC_PEERS",
        )
    return _finding(subject, Level.OK, f"a datagram to {GROUP} came back")


def _finding(subject: str, level: Level, found: str, advice: str = "") -> Finding:
    return Finding("network", subject, level, found, advice)
