# SPDX-License-Identifier: Apache-2.0
"""Measure, show, and compare with the figures that were committed: `make bench`."""

from __future__ import annotations

import argparse
import json
import sys
import time
from importlib import import_module
from pathlib import Path

from rich.console import Console

from m2vae_ros.host.files import replacing
from tools.bench.machine import machine
from tools.bench.report import show, slower, to_plain

SECTIONS = ("engine", "sensors", "exchange", "node", "latency", "team", "discovery", "training")
"""Modules of `tools.bench.sections`, each with `measure() -> Measured`."""


def main() -> int:
    """Run the sections asked for.

    Returns:
        0; with --check 1 if a figure is more than a quarter slower than the baseline's.
    """
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__.split(":")[0])
    parser.add_argument("sections", nargs="*", metavar="SECTION", help=", ".join(SECTIONS))
    parser.add_argument("--json", type=Path, default=Path("runs/bench.json"), help="every number")
    parser.add_argument("--baseline", type=Path, default=Path("reports/bench.json"))
    parser.add_argument("--check", action="store_true", help="status 1 if anything is slower")
    options = parser.parse_args()
    if unknown := set(options.sections) - set(SECTIONS):
        parser.error(f"no section {', '.join(sorted(unknown))}; there are {', '.join(SECTIONS)}")

    console = Console(highlight=False, width=None if sys.stdout.isatty() else 120)
    facts = machine()
    console.print(f"{facts['cpu']}, {facts['cores']} cores, load {facts['load']}")
    sections = {}
    for name in options.sections or SECTIONS:
        console.print(f"{name} …", style="dim")
        begin = time.monotonic()
        measured = import_module(f"tools.bench.sections.{name}").measure()
        show(f"{name} ({time.monotonic() - begin:.0f} s)", measured, console)
        sections[name] = to_plain(measured)

    baseline = json.loads(options.baseline.read_text()) if options.baseline.exists() else {}
    worse = list(slower(sections, baseline.get("sections", {})))
    options.json.parent.mkdir(parents=True, exist_ok=True)
    with replacing(options.json) as temporary:
        whole = {"machine": facts, "sections": sections}
        temporary.write_text(json.dumps(whole, indent=1, ensure_ascii=False) + "\n")
    console.print(f"every number: {options.json}")
    for sentence in worse:
        console.print(f"slower than {options.baseline}: {sentence}", style="red", markup=False)
    return 1 if worse and options.check else 0


if __name__ == "__main__":
    sys.exit(main())
