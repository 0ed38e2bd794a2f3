# SPDX-License-Identifier: Apache-2.0
"""``m2vae export``."""

from __future__ import annotations

import argparse


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add this group's commands."""
    export = commands.add_parser(
        "export",
        help="make what robots run from trained weights anew, without training",
        description="Write graphs.zip, which robots run without torch, and its digest in card.json "
        "anew. The weights and the fingerprint of their latent space stay as they are.",
    )
    export.add_argument(
        "weights", help="a name in the package's models, amiro for instance, or a folder"
    )
    export.set_defaults(run=_export)


def _export(options: argparse.Namespace) -> int:
    from m2vae_ros.host.resources import weights_folder
    from m2vae_ros.vae.weights import load

    weights = load(weights_folder(options.weights))
    print(f"{weights.save(weights_folder(options.weights))}: fingerprint {weights.fingerprint}")
    return 0
