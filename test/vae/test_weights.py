# SPDX-License-Identifier: Apache-2.0
"""Weights on disk: what was saved comes back, and what is damaged is refused by name."""

import json
import shutil

import numpy as np
import pytest
import torch
from at_once import at_once
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file
from sealed import seal
from sklearn.neural_network import MLPClassifier
from suites import suites
from untrained import random_weights

from m2vae_ros.sensors import SensorSuite
from m2vae_ros.sensors.card import WeightsError, write_card
from m2vae_ros.sensors.sizes import weights_of_beta_vae, weights_of_fusion
from m2vae_ros.vae.beta_vae import BetaVAE, BetaVAEConfig
from m2vae_ros.vae.classifier import Classifier
from m2vae_ros.vae.novelty import Novelty
from m2vae_ros.vae.weights import Weights, load, networks

FILES = ("beta_vae.safetensors", "m2vae.safetensors", "classifiers.safetensors")


SUITE = SensorSuite.from_plain(
    {
        "name": "pets",
        "about": "robot",
        "classes": ["cat", "dog"],
        "modalities": {
            "eye": {
                "topic": "eye",
                "type": "sensor_msgs/msg/Image",
                "view": {"kind": "image", "width": 8, "height": 8},
                "beta_vae": {"latent_dim": 4, "hidden": [8], "channels": [2, 4]},
            },
            "ear": {
                "topic": "ear",
                "type": "sensor_msgs/msg/LaserScan",
                "view": {"kind": "scan", "beams": 6},
                "beta_vae": {"latent_dim": 4, "hidden": [8], "normalised": True},
            },
        },
        "fusion": {"latent_dim": 3, "hidden": [8, 4], "joint": 4},
    }
)


@pytest.fixture
def weights():
    torch.manual_seed(0)
    beta_vaes, m2vae = networks(SUITE)
    beta_vaes["ear"].normalise(3.0 * torch.randn(5, 4) + 1.0)
    return Weights(
        name="tiny",
        suite=SUITE,
        beta_vaes=beta_vaes,
        m2vae=m2vae,
        classifiers={"embedding": Classifier([3, 5, 2]), "eye/colour": Classifier([4, 5, 2])},
        familiar_error={"eye": 1.0, "ear": 2.0},
        facts={"metrics": {"accuracy": 0.5}},
    )


@pytest.fixture
def folder(weights, tmp_path):
    return weights.save(tmp_path / "tiny")


def test_what_was_saved_comes_back(weights, folder):
    loaded = load(folder)
    x = {"eye": torch.randn(2, 4), "ear": torch.randn(2, 4)}
    assert torch.equal(loaded.m2vae.encode(x).mean, weights.m2vae.encode(x).mean)
    image = torch.rand(2, 3, 8, 8)
    assert torch.equal(
        loaded.beta_vaes["eye"].encode(image).mean, weights.beta_vaes["eye"].encode(image).mean
    )
    scan = torch.rand(2, 6)
    code = weights.beta_vaes["ear"].code(scan)
    assert torch.equal(loaded.beta_vaes["ear"].code(scan), code)
    assert not torch.equal(code, weights.beta_vaes["ear"].encode(scan).mean)
    for name, classifier in weights.classifiers.items():
        z = torch.randn(2, classifier.sizes[0])
        assert torch.equal(loaded.classifiers[name](z), classifier(z))
    for field in ("name", "suite", "familiar_error", "facts", "fingerprint"):
        assert getattr(loaded, field) == getattr(weights, field)


def test_what_tells_the_unknown_comes_back_and_may_be_missing(weights, folder, tmp_path):
    assert not load(folder).novelty
    weights.novelty = {name: Novelty(2, 4) for name in SUITE}
    weights.novelty["ear"].location.normal_()
    loaded = load(weights.save(tmp_path / "knowing"))
    code, error = torch.randn(3, 4), torch.rand(3)
    for name, novelty in weights.novelty.items():
        assert torch.equal(loaded.novelty[name](code, error), novelty(code, error))
    assert loaded.fingerprint == weights.fingerprint
    assert not load(folder).novelty


@pytest.mark.parametrize("told", [{"eye": 2}, {"eye": 2, "ear": 0}, {"eye": 2, "ear": 10**9}])
def test_a_card_that_tells_the_unknown_by_nonsense_is_refused(weights, tmp_path, told):
    weights.novelty = {name: Novelty(2, 4) for name in SUITE}
    folder = weights.save(tmp_path / "knowing")
    seal(folder, lambda card: card.update(novelty=told))
    with pytest.raises(WeightsError, match="novelty: "):
        load(folder)


def test_loaded_weights_are_ready_for_inference(folder):
    loaded = load(folder)
    assert not loaded.m2vae.training
    assert not any(p.requires_grad for p in loaded.m2vae.parameters())


def test_the_folder_holds_a_card_and_safetensors_and_nothing_else(folder):
    assert sorted(p.name for p in folder.iterdir()) == sorted(("card.json", "graphs.zip", *FILES))


def test_the_fingerprint_names_the_latent_space_and_not_the_classifier(weights):
    fingerprint = weights.fingerprint
    weights.classifiers["embedding"] = Classifier([3, 5, 2])
    weights.name = "other"
    assert weights.fingerprint == fingerprint
    for tensor in (
        weights.m2vae.heads["eye"].mean.bias,
        weights.m2vae.decoders["ear"][0][0].weight,
        weights.beta_vaes["eye"].head.log_variance.bias,
    ):
        with torch.no_grad():
            tensor.view(-1)[0] += 1e-3
        assert weights.fingerprint != fingerprint
        fingerprint = weights.fingerprint
    plain = SUITE.to_plain()
    plain["modalities"]["eye"]["title"] = "another"  # says nothing of the numbers
    weights.suite = SensorSuite.from_plain(plain)
    assert weights.fingerprint == fingerprint
    plain["modalities"]["eye"]["view"]["width"] = 3
    weights.suite = SensorSuite.from_plain(plain)
    assert weights.fingerprint != fingerprint


@pytest.mark.parametrize("name", ["card.json", *FILES])
def test_a_missing_file_is_named(folder, name):
    (folder / name).unlink()
    with pytest.raises(WeightsError, match=f"{name}: no such file"):
        load(folder)


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(WeightsError, match="nowhere/card.json: no such file"):
        load(tmp_path / "nowhere")


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("keep", [0, 5, 200, -3])
def test_a_truncated_file_is_named(folder, name, keep):
    path = folder / name
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(WeightsError, match=f"{name}: is not the file of"):
        load(folder)
    seal(folder)
    with pytest.raises(WeightsError, match=f"{name}: not a whole safetensors file"):
        load(folder)


@pytest.mark.parametrize("name", FILES)
def test_a_foreign_file_is_named(folder, name):
    shutil.copy(
        folder / ("m2vae.safetensors" if name != "m2vae.safetensors" else FILES[0]), folder / name
    )
    with pytest.raises(WeightsError, match=f"{name}: is not the file of"):
        load(folder)
    seal(folder)
    with pytest.raises(WeightsError, match=f"{name}: does not fit the architecture"):
        load(folder)


@pytest.mark.parametrize("name", FILES[:2])
def test_weights_of_another_latent_space_under_the_same_card_are_refused(folder, name):
    path = folder / name
    damaged = bytearray(path.read_bytes())
    damaged[-1] ^= 1
    path.write_bytes(damaged)
    with pytest.raises(WeightsError, match=f"{name}: is not the file of"):
        load(folder)
    seal(folder)
    with pytest.raises(WeightsError, match="fingerprint"):
        load(folder)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda card: card.update(format=99), "format is 99"),
        (lambda card: card.update(format=2), "format is 2"),
        (lambda card: card.pop("suite"), "'suite' is missing"),
        (lambda card: card.pop("fingerprint"), "'fingerprint' is missing"),
        (lambda card: card.update(suite=3), "suite: not a table"),
        (lambda card: card["suite"]["fusion"].update(colour="red"), "suite: fusion.colour"),
        (lambda card: card["suite"]["fusion"].update(latent_dim="ten"), "suite: fusion.latent_dim"),
        (lambda card: card["suite"]["modalities"].pop("eye"), "familiar_error: has"),
        (lambda card: card["suite"]["modalities"].update(eye=3), "suite: modalities.eye"),
        (lambda card: card["suite"]["classes"]["class"].append("bird"), "number of classes"),
        (lambda card: card["suite"].pop("classes"), "classifiers: have an 'embedding'"),
        (lambda card: card["suite"]["fusion"].update(latent_dim=4), "the latent dimension"),
        (lambda card: card["classifiers"].pop("embedding"), "classifiers: have no 'embedding'"),
        (lambda card: card["classifiers"].update(embedding=[3]), "classifiers.embedding: 1 sizes"),
        (lambda card: card["classifiers"].update(embedding=[3, 0, 2]), "classifiers.embedding"),
        (lambda card: card["classifiers"].update(embedding=7), "card.json"),
        (lambda card: card.update(classifiers=[]), "card.json"),
        (lambda card: card.update(familiar_error=None), "card.json"),
        (lambda card: card["familiar_error"].update(ear="large"), "familiar_error: ear"),
        (lambda card: card["familiar_error"].update(ear=0.0), "familiar_error: ear"),
        (lambda card: card["familiar_error"].update(ear=True), "familiar_error: ear"),
        (lambda card: card["familiar_error"].update(ear=10**400), "familiar_error: ear"),
        (lambda card: card["familiar_error"].update(ear=float("nan")), "NaN is no number"),
        (lambda card: card["familiar_error"].update(ear=float("inf")), "Infinity is no number"),
        (lambda card: card.update(name=3), "name"),
    ],
)
def test_a_card_that_makes_no_sense_is_refused_with_the_reason(folder, change, reason):
    seal(folder, change)
    with pytest.raises(WeightsError, match=reason) as error:
        load(folder)
    assert "card.json" in str(error.value)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda card: card.clear(), "format is None"),
        (lambda card: card["suite"]["classes"]["class"].reverse(), "was changed"),
        (lambda card: card["metrics"].update(accuracy=1.0), "was changed"),
        (lambda card: card.pop("digest"), "was changed"),
        (lambda card: card.update(suite=dict(reversed(card["suite"].items()))), "was changed"),
    ],
)
def test_a_card_that_was_changed_is_refused_whatever_it_says(folder, change, reason):
    path = folder / "card.json"
    card = json.loads(path.read_text())
    change(card)
    path.write_text(json.dumps(card))
    with pytest.raises(WeightsError, match=f"card.json: .*{reason}"):
        load(folder)


def test_a_card_may_be_written_with_other_spaces(weights, folder):
    path = folder / "card.json"
    path.write_text(json.dumps(json.loads(path.read_text())))
    assert load(folder).facts == weights.facts


def test_a_file_that_the_card_does_not_name_is_not_read(folder):
    card = json.loads((folder / "card.json").read_text())
    fields = {key: card[key] for key in set(card) - {"format", "files", "digest"}}
    write_card(folder, fields, [FILES[0]])
    with pytest.raises(WeightsError, match="m2vae.safetensors: .*card.json does not name it"):
        load(folder)


def test_a_card_that_is_no_json_is_refused(folder):
    (folder / "card.json").write_text("{")
    with pytest.raises(WeightsError, match="card.json: not valid JSON"):
        load(folder)


def test_an_interrupted_save_leaves_the_old_weights_whole(weights, folder, monkeypatch):
    old = weights.fingerprint
    weights.facts = {"broken": object()}  # no JSON: fails at the card, the last file
    with pytest.raises(TypeError):
        weights.save(folder)
    assert load(folder).fingerprint == old
    assert sorted(p.name for p in folder.iterdir()) == sorted(("card.json", "graphs.zip", *FILES))


@pytest.mark.parametrize("classes", [2, 3, 8])
def test_an_exported_classifier_gives_the_probabilities_of_scikit_learn(classes):
    random = np.random.default_rng(0)
    x, y = random.normal(size=(200, 4)).astype(np.float32), np.arange(200) % classes
    mlp = MLPClassifier((10, 7), max_iter=20, random_state=0)
    with pytest.warns(Warning, match="converge"):
        mlp.fit(x, y)
    probabilities = Classifier.from_scikit_learn(mlp)(torch.from_numpy(x)).detach()
    np.testing.assert_allclose(probabilities, mlp.predict_proba(x), atol=1e-5)


def modality(card, **fields) -> None:
    card["suite"]["modalities"]["ear"] |= fields


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda c: modality(c, beta_vae={"hidden": [2**16, 2**16]}), "weights"),
        (lambda c: modality(c, beta_vae={"latent_dim": 2**40}), "latent_dim"),
        (lambda c: modality(c, beta_vae={"hidden": [1] * 10**4}), "layers"),
        (lambda c: modality(c, view={"kind": "scan", "beams": 2**40}), "values, at most"),
        (lambda c: c["suite"]["fusion"].update(hidden=[2**16], joint=2**16), "weights"),
        (lambda c: c["suite"]["fusion"].update(hidden=[2**16] * 3), "weights"),
        (lambda c: c["suite"].update(classes=list(map(str, range(10**4)))), "classes: "),
        (
            lambda c: c["suite"].update(classes={f"a{i}": ["x", "y"] for i in range(64)}),
            "classes: ",
        ),
        (
            lambda c: c["suite"]["modalities"].update(
                {f"m{i}": c["suite"]["modalities"]["ear"] for i in range(30)}
            ),
            "at most 8",
        ),
        (
            lambda c: c["classifiers"].update(embedding=[3, 2**16, 2**16, 2]),
            "classifiers: are more",
        ),
        (lambda c: c["classifiers"].update(embedding=[3, *[1] * 10**4, 2]), "classifiers.embedd"),
        (lambda c: c["classifiers"].update(embedding=[3, True, 2]), "classifiers.embedding"),
        (lambda c: c["classifiers"].update({"a.b": [3, 2]}), "classifiers"),
    ],
)
def test_a_card_of_networks_that_fit_no_memory_is_refused_before_memory_is_taken(
    folder, change, reason
):
    seal(folder, change)
    refused_at_once(folder, reason)


@pytest.mark.parametrize("kind", ["F64", "F16", "I32"])
def test_tensors_of_another_type_are_refused(folder, kind):
    path = folder / FILES[1]
    tensors = {
        name: tensor.to({"F64": torch.float64, "F16": torch.float16, "I32": torch.int32}[kind])
        for name, tensor in load_file(path).items()
    }
    save_file(tensors, path)
    seal(folder)
    with pytest.raises(WeightsError, match=r"m2vae.safetensors: .*expected torch.float32"):
        load(folder)


def test_networks_that_the_card_tells_of_but_no_tensors_follow_take_no_memory(folder):
    """As large as a card may tell of: half a gigabyte."""
    seal(folder, lambda card: modality(card, beta_vae={"latent_dim": 4, "hidden": [2**13, 2**12]}))
    refused_at_once(folder, "beta_vae.safetensors: does not fit the architecture")


def test_a_header_of_tensors_that_fits_no_file_is_refused(folder):
    path = folder / FILES[0]
    path.write_bytes((2**40).to_bytes(8, "little") + path.read_bytes()[8:])
    seal(folder)
    refused_at_once(folder, "beta_vae.safetensors: a header of more than")


def refused_at_once(folder, reason):
    with at_once(), pytest.raises(WeightsError, match=reason):
        load(folder)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    name=st.sampled_from(["card.json", *FILES]),
    flips=st.lists(
        st.tuples(st.floats(0, 1, exclude_max=True), st.integers(1, 255)), min_size=1, max_size=4
    ),
)
def test_flipped_bytes_are_refused_by_name_or_change_nothing(weights, folder, name, flips):
    original = (folder / name).read_bytes()
    content = bytearray(original)
    for share, flip in flips:
        content[int(len(content) * share)] ^= flip
    (folder / name).write_bytes(content)
    try:
        loaded = load(folder)
    except WeightsError as error:
        assert str(folder / name) in str(error)
    else:  # spaces of the card, or a byte that was flipped back
        assert loaded.suite == weights.suite
        assert (loaded.facts, loaded.familiar_error) == (weights.facts, weights.familiar_error)
        for mine, theirs in zip(tensors(loaded), tensors(weights), strict=True):
            assert torch.equal(mine, theirs)
    finally:
        (folder / name).write_bytes(original)


def tensors(weights):
    modules = (*weights.beta_vaes.values(), weights.m2vae, *weights.classifiers.values())
    return [tensor for module in modules for tensor in module.state_dict().values()]


@pytest.mark.parametrize("name", ["forward", "type", "values", "training", "eye_2"])
def test_a_modality_may_have_any_name_that_a_suite_allows(tmp_path, name):
    plain = SUITE.to_plain()
    plain["modalities"] = {name: plain["modalities"]["ear"], "eye": plain["modalities"]["eye"]}
    suite = SensorSuite.from_plain(plain)
    saved = random_weights(suite).save(tmp_path / "named")
    loaded = load(saved)
    assert loaded.fingerprint == random_weights(suite).fingerprint
    codes = {name: torch.zeros(1, 4), "eye": torch.zeros(1, 4)}
    assert len(loaded.m2vae.posteriors(codes)) == 3


@given(suites())
@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.too_slow])
def test_the_weights_of_networks_are_as_many_as_was_told_before(fields):
    suite = SensorSuite.from_plain(fields)
    beta_vaes, m2vae = networks(suite)

    def counted(module) -> int:
        """Weights of layers, but for biases."""
        return sum(p.numel() for p in module.parameters() if p.dim() > 1)

    for name, each in suite.items():
        spec = each.beta_vae
        told = weights_of_beta_vae(each.view.shape, spec.latent_dim, spec.hidden, spec.channels)
        assert counted(beta_vaes[name]) == told
    codes = [each.beta_vae.latent_dim for each in suite.values()]
    fusion = suite.fusion
    told = weights_of_fusion(codes, fusion.latent_dim, fusion.hidden, fusion.joint)
    assert counted(m2vae) == told


@pytest.mark.parametrize("channels", [(4,), (2, 3), (1, 2, 3, 4)])
@pytest.mark.parametrize("shape", [(1, 5), (3, 16), (1, 7, 9), (3, 16, 64)])
def test_the_weights_of_convolutions_are_told_too(shape, channels):
    vae = BetaVAE(BetaVAEConfig(shape, 4, (8,), channels))
    counted = sum(p.numel() for p in vae.parameters() if p.dim() > 1)
    assert counted == weights_of_beta_vae(shape, 4, (8,), channels)
