# SPDX-License-Identifier: Apache-2.0
"""Which Python modules can really be imported, tried where a crash does no harm."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

# One line for each module, as it goes: what takes the interpreter down is the one after the last.
# The folder one stands in is no place for modules: a checkout's launch/ is not the package launch.
_SCRIPT = """
import importlib, json, os, sys
sys.path[:] = filter(None, sys.path)
lines = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)
for name in sys.argv[1:]:
    fault, missing = "", False
    try:
        importlib.import_module(name)
    except BaseException as error:
        fault = " ".join(f"{type(error).__name__}: {error}".split())
        missing = isinstance(error, ImportError) and f"{name}.".startswith(f"{error.name}.")
    print(json.dumps([name, fault, missing]), file=lines, flush=True)
os._exit(0)
"""


@dataclass(frozen=True)
class Attempt:
    """How an import went.

    Attributes:
        fault: why it failed; empty if it did not.
        missing: whether there is no such module, rather than one that does not work.
    """

    fault: str
    missing: bool = False


def try_imports(
    names: Sequence[str],
    timeout: float = 20.0,
    environment: Mapping[str, str] | None = None,
) -> dict[str, Attempt]:
    """Import modules one after the other, in a process of its own.

    Args:
        names: of modules.
        timeout: seconds for all of them.
        environment: of that process; by default this one's.

    Returns:
        For each name how it went, a crash included.
    """
    attempts: dict[str, Attempt] = {}
    while left := [name for name in names if name not in attempts]:
        lines, end = _run(left, timeout, environment)
        for line in lines:
            name, fault, missing = json.loads(line)
            attempts[name] = Attempt(fault, missing)
        if crashed := [name for name in left if name not in attempts]:
            attempts[crashed[0]] = Attempt(f"importing it {end}")
    return attempts


def _run(
    names: Sequence[str], timeout: float, environment: Mapping[str, str] | None
) -> tuple[list[str], str]:
    """The lines of a process that imports them, and how it ended."""
    command = [sys.executable, "-c", _SCRIPT, *names]
    process = subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    try:
        output, _ = process.communicate(timeout=timeout)
        code = process.returncode
        end = f"ends Python with {f'signal {-code}' if code < 0 else f'status {code}'}"
    except subprocess.TimeoutExpired:
        process.kill()
        output, _ = process.communicate()
        end = f"takes more than {timeout:g} s"
    return output.splitlines(), end
