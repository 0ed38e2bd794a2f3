# SPDX-License-Identifier: Apache-2.0
"""Run the experiments of the paper and write the report."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace

from rich.console import Console

from m2vae_ros.datasets.errors import DataError
from m2vae_ros.experiments import (
    asking,
    camera_lidar,
    cross_terms,
    fig5,
    independence,
    mnist,
    modalities,
    mog,
    motions,
    reencoding,
    report,
    table1,
    table2,
    transfer,
)
from m2vae_ros.experiments.lab import Lab
from m2vae_ros.experiments.section import Section

EXPERIMENTS = {
    module.NAME: module
    for module in (
        table1,
        mog,
        table2,
        mnist,
        reencoding,
        camera_lidar,
        modalities,
        independence,
        motions,
        cross_terms,
        asking,
        transfer,
    )
}
"""In the order of the report; those that use another's trainings come after it."""

FIGURES = {reencoding.NAME: fig5.draw}
"""What is drawn, from the trained models, after an experiment that does not draw by itself."""

ON_REQUEST = {transfer.NAME}
"""Not run unless named: they need what this package alone cannot make."""


def reproduce(names: Sequence[str], lab: Lab, console: Console) -> bool:
    """Run some experiments, then write the report of all that were ever run into the folder.

    An experiment whose data are not to be had is named and left out; the others go on.

    Args:
        names: of the experiments; if empty, all but those `ON_REQUEST`.
        lab: where and how.
        console: what is measured is shown there.

    Returns:
        Whether every experiment ran.

    Raises:
        ValueError: there is no experiment of that name.
    """
    if unknown := set(names) - set(EXPERIMENTS):
        raise ValueError(f"no experiment {sorted(unknown)}; there are {', '.join(EXPERIMENTS)}")
    chosen = [n for n in EXPERIMENTS if n in names or not (names or n in ON_REQUEST)]
    failed = []
    for name in chosen:
        try:
            EXPERIMENTS[name].run(replace(lab, began=time.monotonic()))
            if name in FIGURES:
                FIGURES[name](lab)
        except DataError as error:
            console.print(f"{name} was not run: {error}", style="bold red", markup=False)
            failed.append(name)
    if every := sections(lab):
        page = report.write(lab.out, every)
        report.terminal([section for section in every if section.name in chosen], console)
        console.print(f"The report: {page}", highlight=False)
    return not failed


def sections(lab: Lab) -> list[Section]:
    """What every experiment says that was ever run into the lab's folder, in the report's order."""
    return [
        experiment.section(numbers, *map(lab.published, getattr(experiment, "ALSO", ())))
        for name, experiment in EXPERIMENTS.items()
        if (numbers := lab.published(name)) is not None
    ]
