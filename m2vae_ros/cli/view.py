# SPDX-License-Identifier: Apache-2.0
"""``m2vae view``: what a running team senses, believes and sends."""

from __future__ import annotations

import argparse
from pathlib import Path

from m2vae_ros.cli.arguments import positive, positive_number


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the parser."""
    parser = commands.add_parser(
        "view",
        help="see what a running team senses, believes and sends",
        description="Shows a running team: the arena with robots, their sensing ranges, and the "
        "objects by what they are taken for; what each sensor sees, with the part marked "
        "that the model looks at; what embeddings decode to beside what was sensed; the "
        "latent space; probabilities over time; bytes sent beside those of the readings "
        "fused; messages dropped, and why. It only listens to ROS topics, so it works "
        "beside the simulator, Gazebo, a bag that is played, or real robots, and for any "
        "sensor suite: the card of the weights says which. Where there is a display the "
        "viewer of Rerun opens; elsewhere, and with --headless, a page for browsers is "
        "served.",
        epilog="In two terminals, with the same ROS_DOMAIN_ID: m2vae demo; m2vae view. Of a bag: "
        "m2vae play BAG; m2vae view --weights models/mine. For later: m2vae view --headless "
        "--save team.rrd, then rerun team.rrd. From another machine: ssh -L 9090:127.0.0.1:9090 "
        "-L 9091:127.0.0.1:9091 ROBOT.",
    )
    parser.add_argument(
        "--weights",
        default="amiro",
        metavar="FOLDER",
        help="the team's: a folder, or a name in the package's models (default: %(default)s)",
    )
    parser.add_argument(
        "--robots",
        nargs="+",
        default=[],
        metavar="NAME",
        help="whose topics are shown (default: all that have topics of the weights' sensors)",
    )
    parser.add_argument(
        "--object",
        default="",
        metavar="ID",
        help="to look at more closely (default: decoded readings are of the object looked at "
        "last, probabilities over time of the first that was met)",
    )
    parser.add_argument(
        "--gate",
        type=positive_number,
        default=0.3,
        metavar="M",
        help="metres between two places that are one object, as the team's parameter "
        "(default: %(default)g)",
    )
    parser.add_argument(
        "--forget-after",
        type=positive_number,
        metavar="N",
        help="seconds since any robot has sensed an object until it is retired, as the team's "
        "parameter (default: never)",
    )
    parser.add_argument("--frame", default="map", help="of all positions (default: %(default)s)")
    add_outlet(parser)
    parser.add_argument(
        "--seconds", type=positive_number, help="end by itself after this long", metavar="N"
    )
    parser.set_defaults(run=run)


def add_outlet(parser: argparse.ArgumentParser) -> None:
    """Add where it is shown."""
    parser.add_argument("--save", type=Path, metavar="FILE.rrd", help="record it into a file, too")
    parser.add_argument(
        "--headless", action="store_true", help="open no window: serve a page for browsers"
    )
    parser.add_argument(
        "--port",
        type=positive,
        default=9090,
        help="of the page; the data are on the next (default: %(default)s)",
    )
    parser.add_argument(
        "--connect",
        default="",
        metavar="URL",
        help="a viewer that runs already, e.g. rerun+http://192.168.1.7:9876/proxy",
    )


def run(options: argparse.Namespace) -> int:
    """Run it; returns the exit status."""
    from m2vae_ros.apps.view.command import view
    from m2vae_ros.apps.view.outlets import Outlet

    outlet = Outlet(options.save, options.headless, options.port, options.connect)
    view(
        options.weights,
        outlet,
        options.robots,
        options.object,
        options.frame,
        options.gate,
        options.forget_after or 0.0,
        options.seconds,
    )
    return 0
