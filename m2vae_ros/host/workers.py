# SPDX-License-Identifier: Apache-2.0
"""Where joblib runs what can be done at once: on this machine's cores, or on a cluster's."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from joblib import parallel_config

IDLE = 3600
"""Seconds without a job until a process ends; before, joblib warns of jobs that may be lost while
the last of some is longer than that."""


@contextmanager
def workers(dask: str | None = None, most: int = -1) -> Iterator[None]:
    """Let every `joblib.Parallel` inside use this many processes.

    Args:
        dask: address of the scheduler of a dask cluster, such as tcp://host:8786, whose workers are
            taken instead of this machine's cores. They need this package and one thread each, for
            torch's random numbers are drawn one after the other in a process.
        most: processes; -1 as many as there are.

    Raises:
        ValueError: dask is not installed, there is no scheduler, or workers have several threads.
    """
    if dask is None:
        with parallel_config("loky", n_jobs=most, idle_worker_timeout=IDLE):
            yield
        return
    try:
        from distributed import Client
    except ImportError as error:
        raise ValueError(f"--dask: {error}; pip install 'm2vae_ros[cluster]'") from error
    try:
        client: Any = Client(dask, timeout=10)  # type: ignore[no-untyped-call]
    except (OSError, ValueError) as error:
        raise ValueError(f"--dask {dask}: no scheduler answers: {error}") from error
    with client, parallel_config("dask", n_jobs=most):
        threads = client.nthreads()
        if not threads:
            raise ValueError(f"--dask {dask}: the cluster has no workers")
        if several := [name for name, count in threads.items() if count > 1]:
            raise ValueError(
                f"--dask {dask}: {several[0]} has several threads, start it with --nthreads 1"
            )
        yield
