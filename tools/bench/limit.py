# SPDX-License-Identifier: Apache-2.0
"""The least a step of dense layers can cost: its matrix-vector products, and nothing else."""

from __future__ import annotations

import numpy as np
from torch import nn
from torch.nn.modules.module import register_module_forward_hook

from tools.bench.timing import Step


def products_of(step: Step) -> Step:
    """The products of a step that runs in torch, one vector at a time, in NumPy.

    No bias, no activation, no copies: what a step costs beyond this is overhead.
    """
    products: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []

    def note(module: nn.Module, _: object, __: object) -> None:
        if isinstance(module, nn.Linear):
            matrix = module.weight.detach().numpy().copy()
            rows, columns = matrix.shape
            products.append((matrix, np.ones(columns, np.float32), np.empty(rows, np.float32)))

    hook = register_module_forward_hook(note)
    step()
    hook.remove()

    def run() -> None:
        for matrix, vector, result in products:
            np.dot(matrix, vector, out=result)

    return run
