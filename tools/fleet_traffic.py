#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What do robots send to find each other, and to stay found? With and without a discovery server.

    ./run python tools/fleet_traffic.py --robots 2 4 8 --json runs/fleet.json

Each robot is its fusion node, a process with all its topics and services, by UDP alone as between
machines, in a network of its own that has nothing else in it. Counted are all bytes on that
network, IP and UDP headers included: from the start until every node knows every other and nothing
new is said, and then for a while in which nothing happens. Needs the right to make a network
namespace (root, on most machines).
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterable
from contextlib import nullcontext, suppress
from pathlib import Path

IDLE_S = 20.0
QUIET_S = 5


def main() -> int:
    """Measure each number of robots in a network of its own, and print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--robots", type=int, nargs="+", default=[2, 4, 8], metavar="N")
    parser.add_argument("--json", type=Path, help="write the numbers there")
    parser.add_argument("--one", nargs=2, metavar=("N", "SERVER"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        print(json.dumps(_measure(int(options.one[0]), options.one[1] == "server")))
        return 0
    numbers = {way: {n: _apart(n, way) for n in options.robots} for way in ("multicast", "server")}
    print(f"{'discovery':12}{'robots':>7}{'found, kB':>11}{'idle, B/s':>11}{'seconds':>9}")
    for way, of_way in numbers.items():
        for n, found in of_way.items():
            kilobytes = found["discovery_bytes"] / 1e3
            print(
                f"{way:12}{n:>7}{kilobytes:>11.1f}{found['idle_rate']:>11.0f}"
                f"{found['seconds']:>9.1f}"
            )
    if options.json:
        options.json.write_text(json.dumps(numbers, indent=1) + "\n")
    return 0


def _apart(robots: int, way: str) -> dict[str, float]:
    """`_measure` in a network namespace."""
    again = f"exec {sys.executable} {__file__} --one {robots} {way}"
    script = f"ip link set lo up multicast on && {again}"
    done = subprocess.run(["unshare", "-n", "sh", "-c", script], stdout=subprocess.PIPE, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def _measure(robots: int, server: bool) -> dict[str, float]:
    from m2vae_ros.bringup.processes import Processes
    from m2vae_ros.bringup.specs import fusion
    from m2vae_ros.host.domains import own_domain
    from tools.discovery_server import discovery_server

    # The profile for one machine would do without the network.
    for name in ("FASTDDS_DEFAULT_PROFILES_FILE", "FASTRTPS_DEFAULT_PROFILES_FILE"):
        os.environ[name] = ""
    os.environ["FASTDDS_BUILTIN_TRANSPORTS"] = "UDPv4"
    with discovery_server() if server else nullcontext(), own_domain():
        begin, before = time.monotonic(), _bytes_sent()
        with Processes([fusion(f"robot{i}") for i in range(robots)]) as processes:
            _until_quiet(processes.pids().values())
            seconds, found = time.monotonic() - begin - QUIET_S, _bytes_sent() - before
            time.sleep(IDLE_S)
            idle = (_bytes_sent() - before - found) / IDLE_S
    return {"discovery_bytes": found, "idle_rate": idle, "seconds": seconds}


def _until_quiet(pids: Iterable[int]) -> None:
    """Until every process takes part, and some seconds bring little to what was said before."""
    while not all(_takes_part(pid) for pid in pids):
        time.sleep(0.1)
    seen = [_bytes_sent()]
    while len(seen) <= QUIET_S or seen[-1] - seen[-1 - QUIET_S] > 0.05 * seen[-1]:
        time.sleep(1.0)
        seen.append(_bytes_sent())


def _takes_part(pid: int) -> bool:
    """A participant has a socket at least for what it sends, for discovery and for its topics."""
    sockets = 0
    for descriptor in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(FileNotFoundError):  # closed meanwhile
            sockets += os.readlink(descriptor).startswith("socket:")
    return sockets >= 3


def _bytes_sent() -> int:
    """All that went over the loopback of this network."""
    return int(Path("/proc/net/dev").read_text().split("lo:")[1].split()[8])


if __name__ == "__main__":
    sys.exit(main())
