# SPDX-License-Identifier: Apache-2.0
"""The engine of the nodes: trained weights on ONNX Runtime, without torch."""

from __future__ import annotations

import io
import json
import os
import zipfile
from collections.abc import Collection, Iterable, Mapping
from itertools import combinations
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import onnxruntime

from m2vae_ros.fusion.engine import Encoding, Posterior
from m2vae_ros.sensors import SensorSuite
from m2vae_ros.sensors.card import GRAPHS, Card, WeightsError

PROVIDERS = {
    "cpu": ["CPUExecutionProvider"],
    "cuda": ["CUDAExecutionProvider", "CPUExecutionProvider"],
    "tensorrt": ["TensorrtExecutionProvider", "CUDAExecutionProvider", "CPUExecutionProvider"],
}
"""Device -> what ONNX Runtime tries, in order."""


class OnnxEngine:
    """An `Engine` over a folder of weights. A graph is loaded when it is first needed.

    Args:
        card: of the weights.
        device: see `PROVIDERS`.

    Attributes:
        digest: of the card; names the weights as a whole, classes and classifiers included.

    Raises:
        WeightsError: the graphs are missing, are not those of the card, or are packed.
        ValueError: there is no such device here.
    """

    def __init__(self, card: Card, device: str = "cpu") -> None:
        if device not in PROVIDERS:
            raise ValueError(f"device: {device!r} is not one of {', '.join(PROVIDERS)}")
        wanted, there = PROVIDERS[device][0], onnxruntime.get_available_providers()
        if wanted not in there:
            raise ValueError(
                f"device: {device} needs {wanted}; ONNX Runtime has {', '.join(there)}"
            )
        self.fingerprint = card.fingerprint
        self.digest = card.digest
        self.suite = card.suite
        self.tells_unknown = bool(card.novelty)
        self.modalities = tuple(card.suite)
        self.latent_dim = card.suite.fusion.latent_dim
        self._device = device
        self._path = card.folder / GRAPHS
        self._archive = _archive(self._path, card.file(GRAPHS))
        self._index = self._read_index()
        if missing := _names(card.suite) - self._index.keys():
            raise WeightsError(f"{self._path}: {min(missing)}.onnx: is missing")
        self._weights: dict[str, onnxruntime.OrtValue] = {}
        self._sessions: dict[str, tuple[onnxruntime.InferenceSession, list[str]]] = {}

    @classmethod
    def load(cls, folder: str | os.PathLike[str], device: str = "cpu") -> OnnxEngine:
        """Read the card and get ready.

        Raises:
            WeightsError: names the path and why these weights cannot be used.
            ValueError: there is no such device here.
        """
        return cls(Card.read(Path(folder)), device)

    def encode_modality(self, modality: str, observation: np.ndarray) -> Encoding:
        """See `Engine.encode_modality`."""
        reading = observation.reshape(1, *self.suite[modality].view.shape)
        code, surprise = self._run(f"observe {modality}", {"reading": reading})
        return Encoding(code[0], float(surprise[0]))

    def encode(self, codes: Mapping[str, np.ndarray]) -> Posterior:
        """See `Engine.encode`."""
        subset = self._subset(codes)
        arrays = {modality: codes[modality][None] for modality in subset}
        mean, log_variance = self._run(f"encode {'+'.join(subset)}", arrays)
        return SimpleNamespace(mean=mean[0], log_variance=log_variance[0])

    def unfold(self, mean: np.ndarray, held: Iterable[str]) -> dict[str, np.ndarray]:
        """The codes (D_m,) that a mean (D_z,) stands for, see `m2vae_ros.vae.in_place.unfold`."""
        subset = self._subset(tuple(held))
        codes = self._run(f"unfold {'+'.join(subset)}", {"mean": mean[None]})
        return {modality: code[0] for modality, code in zip(subset, codes, strict=True)}

    def decode(self, modality: str, mean: np.ndarray) -> np.ndarray:
        """See `Engine.decode`."""
        code: np.ndarray = self._run(f"decode {modality}", {"mean": mean[None]})[0][0]
        return code

    def reconstruct(self, modality: str, mean: np.ndarray) -> np.ndarray:
        """See `Engine.reconstruct`."""
        (reading,) = self._run(f"reconstruct {modality}", {"mean": mean[None]})
        shown: np.ndarray = reading.reshape(self.suite[modality].view.shape)
        return shown

    def classify(self, mean: np.ndarray) -> np.ndarray:
        """See `Engine.classify`."""
        if not self.suite.classes:
            return np.empty(0, dtype=np.float32)
        probabilities: np.ndarray = self._run("classify", {"mean": mean[None]})[0][0]
        return probabilities

    def _subset(self, names: Collection[str]) -> list[str]:
        """Modalities in the model's order."""
        subset = [modality for modality in self.modalities if modality in names]
        if not subset or len(subset) < len(names):
            raise ValueError(f"cannot encode {sorted(names)}: the model has {self.modalities}")
        return subset

    def _run(self, graph: str, arrays: Mapping[str, np.ndarray]) -> list[np.ndarray]:
        known = self._sessions.get(graph)
        if known is None:
            session = self._session(graph)
            names = [output.name for output in session.get_outputs()]  # else asked for each time
            known = self._sessions[graph] = session, names
        session, names = known
        outputs: list[np.ndarray] = session.run(
            names, {name: array.astype(np.float32, copy=False) for name, array in arrays.items()}
        )
        return outputs

    def _session(self, graph: str) -> onnxruntime.InferenceSession:
        options = onnxruntime.SessionOptions()
        # One observation at a time gains nothing from threads, and robots may share a machine.
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        names = self._index[graph]
        try:
            for name in names:
                if name not in self._weights:
                    self._weights[name] = self._read_weights(name)
            options.add_external_initializers(names, [self._weights[name] for name in names])
            content = self._archive.read(f"{graph}.onnx")
            return onnxruntime.InferenceSession(content, options, PROVIDERS[self._device])
        except Exception as error:  # ONNX Runtime has a dozen, none of them documented
            raise WeightsError(f"{self._path}: {graph}: {error}") from error

    def _read_index(self) -> dict[str, list[str]]:
        """Graph -> the names of its weights."""
        try:
            index: dict[str, list[str]] = json.loads(self._archive.read("index.json"))
            present = set(self._archive.namelist())
            for graph, names in index.items():
                for file in (f"{graph}.onnx", *(f"{name}.npy" for name in names)):
                    if file not in present:
                        raise WeightsError(f"{self._path}: {file}: is missing")
        except KeyError:
            raise WeightsError(f"{self._path}: index.json: is missing") from None
        except (TypeError, AttributeError, RecursionError, UnicodeError, json.JSONDecodeError) as e:
            raise WeightsError(f"{self._path}: index.json: makes no sense: {e}") from e
        return index

    def _read_weights(self, name: str) -> onnxruntime.OrtValue:
        array = np.load(io.BytesIO(self._archive.read(f"{name}.npy")), allow_pickle=False)
        return onnxruntime.OrtValue.ortvalue_from_numpy(array)


def _names(suite: SensorSuite) -> set[str]:
    """All graphs of a suite."""
    counts = range(1, len(suite) + 1)
    subsets = ["+".join(subset) for count in counts for subset in combinations(suite, count)]
    names = {f"{step} {subset}" for subset in subsets for step in ("encode", "unfold")}
    names |= {f"{step} {name}" for step in ("observe", "decode", "reconstruct") for name in suite}
    if suite.classes:
        names.add("classify")
    return names


def _archive(path: Path, content: bytes) -> zipfile.ZipFile:
    """The graphs, which take no more memory than the file: it is not compressed."""
    try:
        archive = zipfile.ZipFile(io.BytesIO(content))
    except (zipfile.BadZipFile, NotImplementedError, ValueError) as error:
        raise WeightsError(f"{path}: not a whole zip file: {error}") from error
    for graph in archive.infolist():
        if graph.compress_type != zipfile.ZIP_STORED or graph.file_size > len(content):
            raise WeightsError(f"{path}: {graph.filename}: is packed, or larger than the file")
    return archive
