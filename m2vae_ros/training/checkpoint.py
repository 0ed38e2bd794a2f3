# SPDX-License-Identifier: Apache-2.0
"""Where a training run stands, on disk: one safetensors file, nothing pickled."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import nn

from m2vae_ros.host.files import replacing


class CheckpointError(ValueError):
    """A checkpoint cannot be resumed; the message names the path and the reason."""


def save(
    path: Path,
    module: nn.Module,
    optimizer: torch.optim.Optimizer,
    history: list[dict[str, float]],
    key: str,
    best: Mapping[str, torch.Tensor],
) -> None:
    """Write the weights, the optimizer's moments and the history of epochs, whole or not at all.

    Args:
        path: of the file.
        module, optimizer: what is trained, and by what.
        history: one entry per finished epoch, JSON-able.
        key: names the run (recipe and data); only the same run may resume from the file.
        best: the weights of the best epoch, if one is chosen.
    """
    tensors = {f"module/{name}": tensor for name, tensor in module.state_dict().items()}
    for index, moments in optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer/{index}/{name}": tensor for name, tensor in moments.items()}
    tensors |= {f"best/{name}": tensor for name, tensor in best.items()}
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    with replacing(path) as temporary:
        save_file(tensors, temporary, {"key": key, "history": json.dumps(history)})


def resume(
    path: Path,
    module: nn.Module,
    optimizer: torch.optim.Optimizer,
    key: str,
    best: dict[str, torch.Tensor],
) -> list[dict[str, float]]:
    """Bring module, optimizer and the weights of the best epoch to where `save` found them.

    Returns:
        The history; empty, with nothing changed, if there is no such file.

    Raises:
        CheckpointError: the file is damaged or belongs to another run.
    """
    if not path.exists():
        return []
    try:
        with safe_open(path, "pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise CheckpointError(f"{path}: not a whole checkpoint: {error}; delete it") from error
    if metadata.get("key") != key:
        raise CheckpointError(
            f"{path}: from a run with another recipe or other data; delete it or train elsewhere"
        )
    moments: dict[int, dict[str, torch.Tensor]] = {}
    weights = {}
    for name, tensor in tensors.items():
        kind, _, rest = name.partition("/")
        if kind == "module":
            weights[rest] = tensor
        elif kind == "best":
            best[rest] = tensor
        else:
            index, _, moment = rest.partition("/")
            moments.setdefault(int(index), {})[moment] = tensor
    module.load_state_dict(weights)
    groups = optimizer.state_dict()["param_groups"]
    optimizer.load_state_dict({"state": moments, "param_groups": groups})
    history: list[dict[str, float]] = json.loads(metadata["history"])
    return history
