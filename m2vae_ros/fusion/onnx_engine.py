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
        card: of the weights.
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
        self.card = card
        self.suite = card.suite
        self.tells_unknown = bool(card.novelty)
        self.modalities = tuple(card.suite)
        self.latent_dim = card.suite.fusion.latent_dim
        self._device = device
        self._path = card.folder / GRAPHS
        self._archive = _archive(self._path, card.file(GRAPHS))
        self._index = self._read_index()
        self._shapes = _shapes(card.suite)
        if missing := self._shapes.keys() - self._index.keys():
            raise WeightsError(f"{self._path}: {min(missing)}.onnx: is missing")
        self._weights: dict[str, onnxruntime.OrtValue] = {}
        self._graphs: dict[str, _Graph] = {}
        if card.suite.classes:  # every robot needs it, and it fits no other latent space or classes
            self._graph("classify")

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
        reading = observation.reshape(self.suite[modality].view.shape)
        code, surprise = self._run(f"observe {modality}", {"reading": reading})
        return Encoding(code, float(surprise))

    def encode(self, codes: Mapping[str, np.ndarray]) -> Posterior:
        """See `Engine.encode`."""
        mean, log_variance = self._run(f"encode {'+'.join(self._subset(codes))}", codes)
        return SimpleNamespace(mean=mean, log_variance=log_variance)

    def unfold(self, mean: np.ndarray, held: Iterable[str]) -> dict[str, np.ndarray]:
        """The codes (D_m,) that a mean (D_z,) stands for, see `m2vae_ros.vae.in_place.unfold`."""
        subset = self._subset(tuple(held))
        codes = self._run(f"unfold {'+'.join(subset)}", {"mean": mean})
        return dict(zip(subset, codes, strict=True))

    def decode(self, modality: str, mean: np.ndarray) -> np.ndarray:
        """See `Engine.decode`."""
        return self._run(f"decode {modality}", {"mean": mean})[0]

    def reconstruct(self, modality: str, mean: np.ndarray) -> np.ndarray:
        """See `Engine.reconstruct`."""
        (reading,) = self._run(f"reconstruct {modality}", {"mean": mean})
        return reading.reshape(self.suite[modality].view.shape)

    def classify(self, mean: np.ndarray) -> np.ndarray:
        """See `Engine.classify`."""
        if not self.suite.classes:
            return np.empty(0, dtype=np.float32)
        return self._run("classify", {"mean": mean})[0]

    def _subset(self, names: Collection[str]) -> list[str]:
        """Modalities in the model's order."""
        subset = [modality for modality in self.modalities if modality in names]
        if not subset or len(subset) < len(names):
            raise ValueError(f"cannot encode {sorted(names)}: the model has {self.modalities}")
        return subset

    def _run(self, name: str, arrays: Mapping[str, np.ndarray]) -> list[np.ndarray]:
        return self._graph(name)(arrays)

    def _graph(self, name: str) -> _Graph:
        if name not in self._graphs:
            self._graphs[name] = _Graph(self._session(name), self._device)
        return self._graphs[name]

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
            session = onnxruntime.InferenceSession(content, options, PROVIDERS[self._device])
        except Exception as error:  # ONNX Runtime has a dozen, none of them documented
            raise WeightsError(f"{self._path}: {graph}: {error}") from error
        tensors = (*session.get_inputs(), *session.get_outputs())
        found = {tensor.name: tuple(tensor.shape) for tensor in tensors}
        if found != (told := self._shapes[graph]):
            raise WeightsError(f"{self._path}: {graph}: is of {found}, the card's suite of {told}")
        return session

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


class _Graph:
    """A session whose inputs and outputs have their places: a run finds and makes none."""

    def __init__(self, session: onnxruntime.InferenceSession, device: str) -> None:
        self._session = session
        self._binding = session.io_binding()
        self._is_elsewhere = device != "cpu"
        self._inputs = {one.name: np.zeros(one.shape, np.float32) for one in session.get_inputs()}
        self._outputs = [np.zeros(one.shape, np.float32) for one in session.get_outputs()]
        for name, array in self._inputs.items():
            self._binding.bind_cpu_input(name, array)
        for one, array in zip(session.get_outputs(), self._outputs, strict=True):
            place = array.ctypes.data
            self._binding.bind_output(one.name, "cpu", 0, np.float32, array.shape, place)

    def __call__(self, arrays: Mapping[str, np.ndarray]) -> list[np.ndarray]:
        """One observation or embedding, all inputs and all outputs without their leading axis."""
        for name, array in arrays.items():
            self._inputs[name][0] = array
            if self._is_elsewhere:  # there it is a copy
                self._binding.bind_cpu_input(name, self._inputs[name])
        self._session.run_with_iobinding(self._binding)
        return [output[0].copy() for output in self._outputs]


Shapes = dict[str, tuple[int, ...]]
"""Of what a graph takes and gives, by name."""


def _shapes(suite: SensorSuite) -> dict[str, Shapes]:
    """Of all graphs of a suite."""
    mean: Shapes = {"mean": (1, suite.fusion.latent_dim)}
    posterior = mean | {"log_variance": mean["mean"]}
    codes: Shapes = {name: (1, modality.beta_vae.latent_dim) for name, modality in suite.items()}
    graphs: dict[str, Shapes] = {}
    for count in range(1, len(suite) + 1):
        for subset in combinations(suite, count):
            held = {name: codes[name] for name in subset}
            graphs[f"encode {'+'.join(subset)}"] = held | posterior
            graphs[f"unfold {'+'.join(subset)}"] = mean | held
    for name, modality in suite.items():
        reading: Shapes = {"reading": (1, *modality.view.shape)}
        code = {"code": codes[name]}
        graphs[f"observe {name}"] = reading | code | {"surprise": (1,)}
        graphs[f"decode {name}"] = mean | code
        graphs[f"reconstruct {name}"] = mean | reading
    if suite.classes:
        graphs["classify"] = mean | {"probabilities": (1, len(suite.classes))}
    return graphs


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
