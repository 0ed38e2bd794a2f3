# SPDX-License-Identifier: Apache-2.0
"""The engine that runs trained weights in torch."""

from __future__ import annotations

import os
from collections.abc import Mapping
from types import SimpleNamespace

import numpy as np
import torch
from torch import Tensor

from m2vae_ros.fusion.engine import Encoding, Posterior
from m2vae_ros.sensors import SensorSuite
from m2vae_ros.vae.weights import Weights, load


class TorchEngine:
    """An `Engine` over a folder of weights, on the CPU, in inference mode."""

    def __init__(self, weights: Weights) -> None:
        self.fingerprint = weights.fingerprint
        self.modalities = weights.m2vae.modalities
        self.latent_dim = weights.m2vae.config.latent_dim
        self.suite: SensorSuite = weights.suite
        self._beta_vaes = weights.beta_vaes
        self._m2vae = weights.m2vae
        self._classifier = weights.classifiers.get("embedding")
        self._familiar_error = weights.familiar_error
        self._novelty = weights.novelty
        self.tells_unknown = bool(weights.novelty)

    @classmethod
    def load(cls, folder: str | os.PathLike[str]) -> TorchEngine:
        """Read the weights and get ready.

        Raises:
            WeightsError: names the path and why these weights cannot be used.
        """
        return cls(load(folder))

    @torch.inference_mode()
    def encode_modality(self, modality: str, observation: np.ndarray) -> Encoding:
        """See `Engine.encode_modality`."""
        vae = self._beta_vaes[modality]
        x = _tensor(observation).reshape(1, *vae.config.shape)
        code = vae.code(x)
        error = vae.reconstruction_error(x, code) / self._familiar_error[modality]
        novelty = self._novelty.get(modality)
        surprise = error if novelty is None else novelty(code, error)
        return Encoding(_array(code), float(surprise))

    @torch.inference_mode()
    def encode(self, codes: Mapping[str, np.ndarray]) -> Posterior:
        """See `Engine.encode`."""
        posterior = self._m2vae.encode({m: _tensor(code) for m, code in codes.items()})
        return SimpleNamespace(
            mean=_array(posterior.mean), log_variance=_array(posterior.log_variance)
        )

    @torch.inference_mode()
    def decode(self, modality: str, mean: np.ndarray) -> np.ndarray:
        """See `Engine.decode`."""
        return _array(self._m2vae.decode(modality, _tensor(mean)))

    @torch.inference_mode()
    def reconstruct(self, modality: str, mean: np.ndarray) -> np.ndarray:
        """See `Engine.reconstruct`."""
        code = self._m2vae.decode(modality, _tensor(mean))
        reading = _array(self._beta_vaes[modality].decode_code(code))
        return reading.reshape(self.suite[modality].view.shape)

    @torch.inference_mode()
    def classify(self, mean: np.ndarray) -> np.ndarray:
        """See `Engine.classify`."""
        if self._classifier is None:
            return np.empty(0, dtype=np.float32)
        return _array(self._classifier(_tensor(mean)))


def _tensor(array: np.ndarray) -> Tensor:
    # a copy: torch cannot hold the read-only arrays of an Embedding
    return torch.tensor(np.asarray(array, dtype=np.float32))[None]


def _array(tensor: Tensor) -> np.ndarray:
    return tensor[0].numpy()
