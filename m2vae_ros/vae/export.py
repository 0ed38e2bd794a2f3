# SPDX-License-Identifier: Apache-2.0
"""What the light engine runs: one ONNX graph for each step that a robot takes.

    observe MODALITY     a reading -> its code, and how surprising it is
    encode SUBSET        a code of each modality of the subset, joined by "+" -> mean, log-variance
    unfold SUBSET        the mean of an embedding -> a code of each, see `in_place.unfold`
    decode MODALITY      the mean of an embedding -> the modality's code
    reconstruct MODALITY the mean of an embedding -> the reading
    classify             the mean of an embedding -> the probability of each class

All arrays are float32 and have a leading axis of 1. The graphs lie in one zip file, not compressed,
so that each is read when it is needed. Weights lie beside them, named by their SHA-256, each once
however many graphs have it; ``index.json`` says for each graph which ones.
"""

from __future__ import annotations

import hashlib
import io
import json
import warnings
import zipfile
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx
import torch
from onnx import numpy_helper
from torch import Tensor, nn

from m2vae_ros.vae.beta_vae import BetaVAE
from m2vae_ros.vae.classifier import Classifier
from m2vae_ros.vae.in_place import unfold
from m2vae_ros.vae.m2vae import M2VAE, Subset
from m2vae_ros.vae.novelty import Novelty

_EPOCH = (1980, 1, 1, 0, 0, 0)
"""Equal weights make equal files."""

_LEAST_SHARED = 1024
"""Bytes of weights that lie beside the graphs; fewer stay in each."""


def export(
    beta_vaes: Mapping[str, BetaVAE],
    m2vae: M2VAE,
    classifier: Classifier | None,
    familiar_error: Mapping[str, float],
    novelty: Mapping[str, Novelty],
) -> bytes:
    """The zip file with all graphs of a trained system.

    Args:
        beta_vaes: modality -> its preprocessing.
        m2vae: the fusion.
        classifier: of embeddings, if there are classes.
        familiar_error: see `Weights`.
        novelty: see `Weights`.
    """
    z = torch.zeros(1, m2vae.config.latent_dim)
    graphs: dict[str, bytes] = {}
    for modality, vae in beta_vaes.items():
        x = torch.zeros(1, *vae.config.shape)
        observe = _Observe(vae, familiar_error[modality], novelty.get(modality))
        graphs[f"observe {modality}"] = _graph(observe, [x], ["reading"], ["code", "surprise"])
        decode = _Decode(m2vae, modality)
        graphs[f"decode {modality}"] = _graph(decode, [z], ["mean"], ["code"])
        reconstruct = _Reconstruct(m2vae, modality, vae)
        graphs[f"reconstruct {modality}"] = _graph(reconstruct, [z], ["mean"], ["reading"])
    for subset in m2vae.subsets:
        codes = [torch.zeros(1, m2vae.config.dims[modality]) for modality in subset]
        encode = _Encode(m2vae, subset)
        name = f"encode {'+'.join(subset)}"
        graphs[name] = _graph(encode, codes, list(subset), ["mean", "log_variance"])
        name = f"unfold {'+'.join(subset)}"
        graphs[name] = _graph(_Unfold(m2vae, subset), [z], ["mean"], list(subset))
    if classifier is not None:
        graphs["classify"] = _graph(classifier, [z], ["mean"], ["probabilities"])
    weights: dict[str, bytes] = {}
    index: dict[str, list[str]] = {}
    files: dict[str, bytes] = {}
    for name, graph in graphs.items():
        files[f"{name}.onnx"], index[name] = _without_weights(graph, weights)
    files |= {f"{name}.npy": array for name, array in weights.items()}
    files["index.json"] = json.dumps(index).encode()
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_STORED) as archive:
        for name, content in files.items():
            archive.writestr(zipfile.ZipInfo(name, _EPOCH), content)
    return packed.getvalue()


def _without_weights(graph: bytes, weights: dict[str, bytes]) -> tuple[bytes, list[str]]:
    """A graph whose weights are elsewhere, and their names; adds them to those there are."""
    model = onnx.load_model_from_string(graph)
    names: dict[str, str] = {}
    for tensor in model.graph.initializer:
        array = numpy_helper.to_array(tensor)
        if array.nbytes < _LEAST_SHARED:
            continue
        file = io.BytesIO()
        np.save(file, array)
        name = hashlib.sha256(file.getvalue()).hexdigest()
        weights[name] = file.getvalue()
        names[tensor.name] = tensor.name = name
        onnx.external_data_helper.set_external_data(tensor, location=f"{name}.npy")
        tensor.ClearField("raw_data")
    unique = {tensor.name: tensor.SerializeToString() for tensor in model.graph.initializer}
    del model.graph.initializer[:]
    model.graph.initializer.extend(map(onnx.TensorProto.FromString, unique.values()))
    for node in model.graph.node:
        node.input[:] = [names.get(name, name) for name in node.input]
    return model.SerializeToString(), sorted(names.values())


def _graph(
    module: nn.Module, inputs: Sequence[Tensor], names: list[str], outputs: list[str]
) -> bytes:
    """A module as ONNX."""
    file: Any = io.BytesIO()  # the exporter knows files, too, its types do not
    was = module.training
    module.eval()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the exporter's age
        torch.onnx.export(
            module, tuple(inputs), file, dynamo=False, input_names=names, output_names=outputs
        )
    module.train(was)
    graph: bytes = file.getvalue()
    return graph


class _Observe(nn.Module):
    def __init__(self, vae: BetaVAE, familiar_error: float, novelty: Novelty | None) -> None:
        super().__init__()
        self.vae = vae
        self.familiar_error = familiar_error
        self.novelty = novelty

    def forward(self, reading: Tensor) -> tuple[Tensor, Tensor]:
        code = self.vae.code(reading)
        error = self.vae.reconstruction_error(reading, code) / self.familiar_error
        return code, error if self.novelty is None else self.novelty(code, error)


class _Encode(nn.Module):
    def __init__(self, m2vae: M2VAE, subset: Subset) -> None:
        super().__init__()
        self.m2vae = m2vae
        self.subset = subset

    def forward(self, *codes: Tensor) -> tuple[Tensor, Tensor]:
        posterior = self.m2vae.encode(dict(zip(self.subset, codes, strict=True)))
        return posterior.mean, posterior.log_variance


class _Unfold(nn.Module):
    def __init__(self, m2vae: M2VAE, subset: Subset) -> None:
        super().__init__()
        self.m2vae = m2vae
        self.subset = subset

    def forward(self, mean: Tensor) -> tuple[Tensor, ...]:
        return tuple(unfold(self.m2vae, mean, self.subset).values())


class _Decode(nn.Module):
    def __init__(self, m2vae: M2VAE, modality: str) -> None:
        super().__init__()
        self.m2vae = m2vae
        self.modality = modality

    def forward(self, mean: Tensor) -> Tensor:
        return self.m2vae.decode(self.modality, mean)


class _Reconstruct(_Decode):
    def __init__(self, m2vae: M2VAE, modality: str, vae: BetaVAE) -> None:
        super().__init__(m2vae, modality)
        self.vae = vae

    def forward(self, mean: Tensor) -> Tensor:
        return self.vae.decode_code(super().forward(mean))
