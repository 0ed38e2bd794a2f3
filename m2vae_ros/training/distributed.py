# SPDX-License-Identifier: Apache-2.0
"""Training by several processes, on one machine or more, that torchrun started.

Each takes its share of every batch, and torch's DistributedDataParallel averages the gradients, so
all have the same weights after every step. What is not training is the first process's, which
alone writes. Without torchrun this is one process, the first.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

_PATIENCE = timedelta(days=1)
"""While the first process reads bags or draws samples; torchrun ends all where one fails."""


@contextmanager
def process_group() -> Iterator[None]:
    """Join the processes that torchrun started, if it did."""
    if not dist.is_torchelastic_launched():
        yield
        return
    if torch.cuda.is_available():
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    dist.init_process_group("nccl" if torch.cuda.is_available() else "gloo", timeout=_PATIENCE)
    try:
        yield
    finally:
        dist.destroy_process_group()


def rank() -> int:
    """The number of this process; the first is 0."""
    return dist.get_rank() if dist.is_initialized() else 0


def count() -> int:
    """How many processes there are."""
    return dist.get_world_size() if dist.is_initialized() else 1


def wait() -> None:
    """Until all processes are here."""
    if dist.is_initialized():
        dist.barrier()


def parallel(module: nn.Module) -> nn.Module:
    """The module, whose gradients become the mean over all processes."""
    if not dist.is_initialized():
        return module
    # a process may look at subsets that another does not, see `vae.terms`
    return DistributedDataParallel(module, find_unused_parameters=True)


def total(value: Tensor) -> Tensor:
    """The sum over all processes."""
    if dist.is_initialized():
        value = value.clone()
        dist.all_reduce(value)
    return value
