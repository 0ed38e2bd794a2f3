# SPDX-License-Identifier: Apache-2.0
"""Plays a scenario in a process of its own: in one, Fast DDS reads its settings only once."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict
from typing import Any

from m2vae_ros.apps.chaos.live_team import ChaosError
from m2vae_ros.apps.chaos.scenario import Outcome, Says
from m2vae_ros.bringup.processes import BringupError
from m2vae_ros.host.children import die_with_parent


def in_own_process(module: str, says: Says, **how: Any) -> Outcome:
    """What comes of it there.

    Args:
        module: that, run by itself, calls `play`.
        says: is told how it goes on.
        how: what it is played with, as JSON holds it.

    Raises:
        ChaosError: what went wrong there, or that the process ended before it had said anything.
    """
    read, write = os.pipe()
    process = subprocess.Popen(
        [sys.executable, "-m", module, json.dumps(how), str(write)],
        pass_fds=(write,),
        preexec_fn=die_with_parent,
    )
    os.close(write)
    try:
        with os.fdopen(read) as lines:
            for line in lines:
                told = json.loads(line)
                if "outcome" in told:
                    return Outcome(**told["outcome"])
                if "error" in told:
                    raise ChaosError(told["error"])
                says(told["says"])
    finally:
        process.wait()  # Ctrl-C reaches it as well, and it has to leave nothing
    raise ChaosError(f"its process ended with status {process.returncode}")


def play(scenario: Callable[..., Outcome]) -> None:
    """Play it as `in_own_process` asks on the command line; it is told how, and what to say to."""
    how, write = sys.argv[1:]
    with os.fdopen(int(write), "w", buffering=1) as lines, suppress(KeyboardInterrupt):

        def tell(**what: Any) -> None:
            print(json.dumps(what), file=lines)

        try:
            outcome = scenario(says=lambda words: tell(says=words), **json.loads(how))
            tell(outcome=asdict(outcome))
        except (ChaosError, BringupError) as error:
            tell(error=str(error))
