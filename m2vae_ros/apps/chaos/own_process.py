# SPDX-License-Identifier: Apache-2.0
"""Plays a scenario in a process of its own: in one, Fast DDS reads its settings only once."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress

from m2vae_ros.apps.chaos.live_team import ChaosError
from m2vae_ros.apps.chaos.scenario import Outcome, Says
from m2vae_ros.host.children import die_with_parent


def in_own_process(play: Callable[[Says], Outcome], says: Says) -> Outcome:
    """What comes of it there.

    Args:
        play: plays the scenario, by what can be pickled; whatever it raises is raised here, too.
        says: is told how it goes on.

    Raises:
        ChaosError: the process ended before it had said what came of it.
    """
    read, write = os.pipe()
    code = f"from {__name__} import _main; _main({write})"
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        stdin=subprocess.PIPE,
        pass_fds=(write,),
        preexec_fn=die_with_parent,
    )
    os.close(write)
    with os.fdopen(read, "rb") as messages:
        try:
            assert process.stdin is not None
            with process.stdin as stdin:
                pickle.dump(play, stdin)
            while isinstance(told := pickle.load(messages), str):
                says(told)
        except (EOFError, BrokenPipeError):
            raise ChaosError(f"its process ended with status {process.wait()}") from None
        finally:
            process.wait()  # Ctrl-C reaches it as well, and it has to leave nothing
    if isinstance(told, Exception):
        raise told
    return told  # type: ignore[no-any-return]


def _main(write: int) -> None:
    play = pickle.load(sys.stdin.buffer)
    with os.fdopen(write, "wb") as messages, suppress(KeyboardInterrupt):

        def tell(what: object) -> None:
            pickle.dump(what, messages)
            messages.flush()

        try:
            tell(play(tell))
        except Exception as error:
            tell(error)
