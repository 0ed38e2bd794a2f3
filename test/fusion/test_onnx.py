# SPDX-License-Identifier: Apache-2.0
"""The engine of the nodes gives what torch gives, and nothing but what its card promises."""

from __future__ import annotations

import re
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from four_sensors import SUITE
from sealed import seal
from untrained import random_weights

from m2vae_ros.fusion.onnx_engine import OnnxEngine
from m2vae_ros.fusion.torch_engine import TorchEngine
from m2vae_ros.host.resources import resource
from m2vae_ros.sensors import SensorSuite
from m2vae_ros.sensors.card import WeightsError
from m2vae_ros.vae.in_place import unfold
from m2vae_ros.vae.m2vae import subsets
from m2vae_ros.vae.weights import load


@pytest.fixture(scope="module", params=["amiro", "rover"])
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    if request.param == "amiro":
        return resource("models/amiro")
    weights = random_weights(SUITE, familiar_error=2.0)
    for vae in weights.beta_vaes.values():
        vae.code_mean.fill_(0.3)
        vae.code_scale.fill_(0.7)
    return weights.save(tmp_path_factory.mktemp("rover"))


def test_it_agrees_with_torch_on_every_step_and_subset(folder: Path) -> None:
    light, torch = OnnxEngine.load(folder), TorchEngine(load(folder))
    assert light.fingerprint == torch.fingerprint
    assert (light.modalities, light.latent_dim) == (torch.modalities, torch.latent_dim)
    rng = np.random.default_rng(0)
    codes = {}
    for name, modality in light.suite.items():
        reading = rng.random(modality.view.shape, dtype=np.float32)
        mine, theirs = (e.encode_modality(name, reading) for e in (light, torch))
        np.testing.assert_allclose(mine.code, theirs.code, atol=1e-5)
        assert mine.surprise == pytest.approx(theirs.surprise, rel=1e-4)
        codes[name] = theirs.code
    for subset in subsets(light.modalities):
        some = {name: codes[name] for name in reversed(subset)}  # in any order
        mine, theirs = light.encode(some), torch.encode(some)
        np.testing.assert_allclose(mine.mean, theirs.mean, atol=1e-5)
        np.testing.assert_allclose(mine.log_variance, theirs.log_variance, atol=1e-5)
        seen, expected = (unfold(engine, theirs.mean, subset) for engine in (light, torch))
        assert list(seen) == list(subset)
        for name in subset:
            np.testing.assert_allclose(seen[name], expected[name], atol=1e-5)
    for name in light.modalities:
        for step in ("decode", "reconstruct"):
            z = torch.encode(codes).mean
            mine, theirs = (getattr(engine, step)(name, z) for engine in (light, torch))
            assert mine.shape == theirs.shape
            np.testing.assert_allclose(mine, theirs, atol=1e-5)
    z = torch.encode(codes).mean
    np.testing.assert_allclose(light.classify(z), torch.classify(z), atol=1e-5)


def test_unfolding_is_one_call(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = OnnxEngine.load(folder)
    calls = []
    run = OnnxEngine._run
    monkeypatch.setattr(OnnxEngine, "_run", lambda *a: calls.append(a[1]) or run(*a))
    unfold(engine, np.zeros(engine.latent_dim, np.float32), reversed(engine.modalities))
    assert calls == [f"unfold {'+'.join(engine.modalities)}"]


def test_weights_lie_in_the_graphs_once_however_many_need_them(folder: Path) -> None:
    tensors = sum(path.stat().st_size for path in folder.glob("*.safetensors"))
    with zipfile.ZipFile(folder / "graphs.zip") as archive:
        weights = sum(i.file_size for i in archive.infolist() if i.filename.endswith(".npy"))
        graphs = [i.file_size for i in archive.infolist() if i.filename.endswith(".onnx")]
    assert weights <= 1.05 * tensors
    assert max(graphs) < 100_000


def test_without_classes_nothing_is_classified(tmp_path: Path) -> None:
    plain = SUITE.to_plain()
    del plain["classes"]
    plain["sampling"]["labels"] = ""
    engine = OnnxEngine.load(random_weights(SensorSuite.from_plain(plain)).save(tmp_path))
    assert engine.classify(np.zeros(engine.latent_dim, np.float32)).size == 0


@pytest.fixture
def rover(tmp_path: Path) -> Path:
    return random_weights(SUITE).save(tmp_path / "rover")


def test_graphs_that_are_not_those_of_the_card_are_refused(rover: Path) -> None:
    graphs = rover / "graphs.zip"
    content = bytearray(graphs.read_bytes())
    content[len(content) // 2] ^= 1
    graphs.write_bytes(content)
    with pytest.raises(WeightsError, match=r"graphs.zip: is not the file of .*card.json"):
        OnnxEngine.load(rover)
    graphs.unlink()
    with pytest.raises(WeightsError, match=r"graphs.zip: no such file"):
        OnnxEngine.load(rover)


def test_a_flipped_bit_of_a_classifier_is_refused(rover: Path) -> None:
    path = rover / "classifiers.safetensors"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(WeightsError, match=r"classifiers.safetensors: is not the file of"):
        load(rover)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda card: card.pop("suite"), "'suite' is missing"),
        (lambda card: card.update(format=2), "format is 2"),
        (lambda card: card["suite"].pop("name"), "suite: name"),
        (lambda card: card["familiar_error"].update(sky=0), "familiar_error: sky: 0"),
        (lambda card: card.update(fingerprint=3), "fingerprint: 3"),
    ],
)
def test_a_card_that_makes_no_sense_is_refused_with_the_reason(rover, change, reason) -> None:
    seal(rover, change)
    with pytest.raises(WeightsError, match=f"card.json: .*{reason}"):
        OnnxEngine.load(rover)


def add_one(table: dict, field: str) -> None:
    table[field] += 1


@pytest.mark.parametrize(
    "change",
    [
        lambda suite: add_one(suite["fusion"], "latent_dim"),
        lambda suite: suite.update(classes=["one", "two", "three", "four", "five", "six", "seven"]),
    ],
)
def test_a_card_of_another_latent_space_or_other_classes_than_its_graphs_is_refused(
    rover: Path, change
) -> None:
    seal(rover, lambda card: change(card["suite"]))
    with pytest.raises(WeightsError, match=r"graphs\.zip: classify: is of .* the card's suite of"):
        OnnxEngine.load(rover)


def test_a_card_of_other_codes_than_its_graphs_is_refused_when_they_are_needed(rover: Path) -> None:
    name = next(iter(SUITE))
    seal(rover, lambda card: add_one(card["suite"]["modalities"][name]["beta_vae"], "latent_dim"))
    engine = OnnxEngine.load(rover)
    reading = np.zeros(engine.suite[name].view.shape, np.float32)
    with pytest.raises(WeightsError, match=rf"graphs\.zip: observe {name}: is of"):
        engine.encode_modality(name, reading)


def test_graphs_that_unpack_to_more_than_the_file_are_refused(rover: Path) -> None:
    with zipfile.ZipFile(rover / "graphs.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("classify.onnx", bytes(2**24))
    seal(rover)
    with pytest.raises(WeightsError, match=r"graphs.zip: classify.onnx: is packed"):
        OnnxEngine.load(rover)


def test_graphs_that_lack_one_that_the_suite_needs_are_refused_before_it_is_needed(
    rover: Path,
) -> None:
    with zipfile.ZipFile(rover / "graphs.zip") as archive:
        graphs = {file: archive.read(file) for file in archive.namelist()}
    last = f"encode {'+'.join(SUITE)}.onnx"
    with zipfile.ZipFile(rover / "graphs.zip", "w") as archive:
        for name, graph in graphs.items():
            if name != last:
                archive.writestr(name, graph)
    seal(rover)
    with pytest.raises(WeightsError, match=re.escape(f"graphs.zip: {last}: is missing")):
        OnnxEngine.load(rover)


@pytest.mark.parametrize(
    ("index", "reason"),
    [
        (None, "index.json: is missing"),
        ("[", "index.json: makes no sense"),
        ("[]", "index.json: makes no sense"),
        ('{"classify": 3}', "index.json: makes no sense"),
        ('{"classify": ["0"]}', "0.npy: is missing"),
    ],
)
def test_an_index_of_graphs_that_makes_no_sense_is_refused(
    rover: Path, index: str | None, reason: str
) -> None:
    with zipfile.ZipFile(rover / "graphs.zip") as archive:
        files = {file: archive.read(file) for file in archive.namelist()}
    del files["index.json"]
    with zipfile.ZipFile(rover / "graphs.zip", "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
        if index is not None:
            archive.writestr("index.json", index)
    seal(rover)
    with pytest.raises(WeightsError, match=re.escape(f"graphs.zip: {reason}")):
        OnnxEngine.load(rover)


@pytest.mark.parametrize("content", [b"", b"PK\5\6", bytes(1000)])
def test_graphs_that_are_no_zip_file_are_refused(rover: Path, content: bytes) -> None:
    (rover / "graphs.zip").write_bytes(content)
    seal(rover)
    with pytest.raises(WeightsError, match=r"graphs.zip: not a whole zip file"):
        OnnxEngine.load(rover)


def test_a_device_that_is_not_there_is_named_with_those_that_are(rover: Path) -> None:
    with pytest.raises(ValueError, match="device: 'tpu' is not one of cpu, cuda, tensorrt"):
        OnnxEngine.load(rover, "tpu")
    with pytest.raises(ValueError, match="device: cuda needs CUDAExecutionProvider"):
        OnnxEngine.load(rover, "cuda")


def test_a_node_runs_without_what_training_needs() -> None:
    code = (
        "import sys, m2vae_ros.nodes.fusion_node; "
        "print(sorted({'torch', 'sklearn', 'scipy', 'matplotlib', 'mujoco'} & set(sys.modules)))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"
