# SPDX-License-Identifier: Apache-2.0
"""`m2vae completion`: what makes a shell complete commands and options."""

from __future__ import annotations

import argparse

SHELLS = ("bash", "zsh", "tcsh")
"""Those that shtab writes for."""


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the parser."""
    completion = commands.add_parser(
        "completion",
        help="print what makes a shell complete commands, options and files",
        description='Print a script for the shell. To have it: eval "$(m2vae completion bash)", in '
        "~/.bashrc for ever; for zsh write it to a file _m2vae in a folder of $fpath.",
    )
    completion.add_argument("shell", choices=SHELLS)
    completion.set_defaults(run=_complete)


def _complete(options: argparse.Namespace) -> int:
    import shtab

    from m2vae_ros.cli import parser

    print(shtab.complete(parser(), options.shell))
    return 0
