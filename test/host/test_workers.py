# SPDX-License-Identifier: Apache-2.0
"""What joblib runs goes to this machine's cores or to a dask cluster, with equal results."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from distributed import LocalCluster

from m2vae_ros.host.workers import workers

# Pools of processes end with the process that has them.
ON_THIS_MACHINE = """
import json, os
from joblib import Parallel, delayed
from m2vae_ros.host.workers import workers

with workers(most=2):
    print(json.dumps([os.getpid(), *Parallel()(delayed(os.getpid)() for _ in range(4))]))
"""
ON_A_CLUSTER = """
import json, os
from pathlib import Path
from distributed import LocalCluster
from joblib import effective_n_jobs
from m2vae_ros.experiments.lab import Lab
from m2vae_ros.host.workers import workers
from m2vae_ros.sim import sampler

if __name__ == "__main__":
    sampler._BLOCK = 40
    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster:
        with workers(cluster.scheduler_address):
            count, drawn = effective_n_jobs(), sampler.sample(120, seed=3).digest()
            others = Lab(Path(), Path(), workers=2).map("processes", os.getpid, [()] * 4)
    alone = sampler.sample(120, seed=3).digest()
    print(json.dumps([count, drawn == alone, os.getpid() in others]))
"""


def _told(program: str, folder: Path) -> list[object]:
    script = folder / "program.py"
    script.write_text(program)
    run = subprocess.run(
        [sys.executable, script], capture_output=True, text=True, timeout=120, cwd=folder
    )
    assert run.returncode == 0, run.stderr
    told: list[object] = json.loads(run.stdout)
    return told


def _enter(address: str) -> None:
    with workers(address):
        pass


def test_other_processes_do_the_work(tmp_path: Path) -> None:
    own, *others = _told(ON_THIS_MACHINE, tmp_path)
    assert own not in others


def test_without_a_scheduler_the_address_is_named() -> None:
    with pytest.raises(ValueError, match="tcp://127.0.0.1:9: no scheduler answers"):
        _enter("tcp://127.0.0.1:9")


def test_workers_with_several_threads_are_refused() -> None:
    with (
        LocalCluster(
            n_workers=1, threads_per_worker=2, processes=False, dashboard_address=None
        ) as cluster,
        pytest.raises(ValueError, match="several threads, start it with --nthreads 1"),
    ):
        _enter(cluster.scheduler_address)


@pytest.mark.slow
def test_a_cluster_draws_the_samples_and_does_the_experiments_of_one_machine(
    tmp_path: Path,
) -> None:
    assert _told(ON_A_CLUSTER, tmp_path) == [2, True, False]
