# SPDX-License-Identifier: Apache-2.0
"""``m2vae doctor``: what is here, what is missing for what, and what to do about it."""

from __future__ import annotations

import argparse
import dataclasses
import json
import shutil
import sys
import textwrap
from collections.abc import Sequence
from itertools import groupby
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from m2vae_ros.apps.doctor import Finding

_MARKS = {"ok": "✓", "absent": "-", "warning": "!", "error": "✗"}


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the parser."""
    parser = commands.add_parser(
        "doctor",
        help="examine this machine: what is missing for what, and what to do",
        description="Examine this machine: software, weights, network, shared memory, clock. "
        "Nothing is changed, and nothing needs to be installed for it.",
        epilog="✓ is in order, - is not here and not needed by nodes, ! may be in the way, ✗ keeps "
        "nodes from running. The exit status is 0 without any ✗, 1 with one.",
    )
    parser.add_argument("--json", action="store_true", help="print it for programs")
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    from m2vae_ros.apps.doctor import Level, examine

    findings = list(examine())
    faulty = any(finding.level is Level.ERROR for finding in findings)
    if options.json:
        plain = {
            "nodes_can_run": not faulty,
            "findings": [dataclasses.asdict(finding) for finding in findings],
        }
        print(json.dumps(plain, indent=1, ensure_ascii=False))
    else:
        _show(findings)
        print("Nodes cannot run: see ✗." if faulty else "All that nodes need is here.")
    return int(faulty)


def _show(findings: Sequence[Finding]) -> None:
    margin = max(len(finding.subject) for finding in findings) + 6
    # Lines are broken for people; programs that look for words get them whole.
    columns = shutil.get_terminal_size().columns if sys.stdout.isatty() else sys.maxsize
    wrap = textwrap.TextWrapper(max(columns, margin + 20), subsequent_indent=" " * margin)
    for section, group in groupby(findings, lambda finding: finding.section):
        print(section)
        for finding in group:
            head = f"  {_MARKS[finding.level]} {finding.subject}"
            print(wrap.fill(f"{head:<{margin}}{finding.found}"))
            if finding.advice:
                print(wrap.fill(f"{'':<{margin}}→ {finding.advice}"))
