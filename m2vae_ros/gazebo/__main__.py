# SPDX-License-Identifier: Apache-2.0
"""``python -m m2vae_ros.gazebo``: Gazebo's server without a window, until it is told to stop."""

from __future__ import annotations

import argparse
import signal
import sys
import time

from m2vae_ros.gazebo.errors import GazeboError
from m2vae_ros.gazebo.server import GazeboServer
from m2vae_ros.sim.world import WorldError

LOOK_PERIOD = 0.2
"""Seconds between two looks whether it still runs."""


def main(arguments: list[str] | None = None) -> int:
    """Run it.

    Returns:
        The exit status: 0 after SIGINT or SIGTERM, 1 if Gazebo did not start or ended by itself.
    """
    parser = argparse.ArgumentParser(prog="python -m m2vae_ros.gazebo", description=__doc__)
    parser.add_argument("world", nargs="?", default="", help="world file; default: the package's")
    parser.add_argument("--port", type=int, help="of Gazebo's master; default: a free one")
    options = parser.parse_args(arguments)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with GazeboServer(options.world, port=options.port) as server:
            print(f"GAZEBO_MASTER_URI={server.master_uri}", flush=True)
            while True:
                server.check()
                time.sleep(LOOK_PERIOD)
    except KeyboardInterrupt:
        return 0
    except (GazeboError, WorldError) as error:
        print(error, file=sys.stderr)
        return 1
    finally:  # whoever is impatient waits for Python to end
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)


if __name__ == "__main__":
    sys.exit(main())
