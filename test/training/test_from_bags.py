# SPDX-License-Identifier: Apache-2.0
"""Trained, evaluated and trained on from bags, by the command that users type."""

from __future__ import annotations

import json
import os
import re
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from bag_making import text, tour, write
from random_samples import random_samples
from untrained import untrained_weights

from m2vae_ros.cli import main
from m2vae_ros.datasets.samples import Samples
from m2vae_ros.host.resources import resource
from m2vae_ros.sensors.card import WeightsError
from m2vae_ros.training import novelty, time_limit
from m2vae_ros.training import suite as training
from m2vae_ros.training.fine_tuning import LEARNING_RATE, Pretrained, fine_tuning
from m2vae_ros.training.loop import Schedule
from m2vae_ros.training.m2vae import M2VAERecipe
from m2vae_ros.training.suite import WITHOUT_REENCODING, SuiteRecipe, codes, train
from m2vae_ros.training.time_limit import limited
from m2vae_ros.vae.weights import load
from m2vae_ros.world.suite import AMIRO

SHIPPED = "models/amiro"


@pytest.fixture(scope="module")
def bags(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs")
    for name in ("one", "two"):
        write(folder / name, tour(readings=6))
    return folder


@pytest.fixture
def samples() -> Samples:
    rng = np.random.default_rng(0)
    return random_samples(rng, np.arange(160) % 8)


def briefly(recipe: SuiteRecipe, epochs: int = 1) -> SuiteRecipe:
    return recipe.rescheduled(lambda schedule: replace(schedule, epochs=epochs))


@pytest.mark.parametrize("name", ["samples.npz", "samples"])
def test_samples_of_bags_are_kept_and_their_report_is_shown(
    name: str, bags: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    out = tmp_path / name
    assert main(["collect", str(out), "--bags", str(bags)]) == 0
    assert len(Samples.load(out)) == 2 * 8 * 6
    printed = capsys.readouterr().out
    assert "96 samples of 2 bags" in printed
    assert "red cylinder shiny" in printed


def test_a_folder_is_no_file_to_write_before_any_bag_is_read(
    tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    assert main(["collect", str(tmp_path), "--bags", str(tmp_path / "nowhere")]) == 1
    assert f"{tmp_path}: is a folder" in capsys.readouterr().err


def test_what_is_not_used_is_shown_as_it_is_called(
    tmp_path: Path, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "300")
    made = sorted([*tour(readings=2), text(1.0, "/label", "[/b] teapot")], key=lambda m: m.stamp)
    bag = write(tmp_path / "run[old]", made)
    arguments = ["--bags", str(bag), "--label-topic", "/label"]
    assert main(["collect", str(tmp_path / "samples.npz"), *arguments]) == 1
    said = "".join(capsys.readouterr().out.split())
    assert "'[/b]teapot':isneitheraclass" in said
    assert "run[old]" in said


@pytest.mark.parametrize("command", ["train", "evaluate"])
def test_bags_that_do_not_suffice_change_nothing(
    command: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    bag = write(tmp_path / "bag", [m for m in tour(readings=1) if "laser" not in m.topic])
    arguments = [command, "amiro", "--bags", str(bag)]
    if command == "train":
        arguments += ["--out", str(tmp_path / "weights")]
    assert main(arguments) == 1
    printed = capsys.readouterr()
    assert "no robot has this topic" in printed.out
    assert "lidar" in printed.err or "nothing was sensed by every sensor" in printed.err
    assert not (tmp_path / "weights").exists()


@pytest.mark.parametrize("where", ["--world", "beside the file", "in the package"])
def test_a_training_that_goes_on_knows_if_the_world_file_has_changed(
    where: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bag = write(tmp_path / "bag", tour(readings=1))
    world = tmp_path / "my.world" if where != "beside the file" else bag / "world.sdf"
    shutil.copy(resource("worlds/amiro.world"), world)
    monkeypatch.setattr(
        "m2vae_ros.bags.worlds.resource",
        lambda name: world if "package" in where else resource(name),
    )
    trained_on: list[Samples] = []

    def interrupted(data: Samples, *_: object) -> None:
        trained_on.append(data)
        raise KeyboardInterrupt

    monkeypatch.setattr(training, "train", interrupted)
    (file,) = bag.glob("*.mcap")
    how = ["--bags", str(file), "--enough", "1", *(["--world", str(world)] * (where == "--world"))]

    def begin() -> str:
        assert main(["train", "amiro", *how, "--out", str(tmp_path / "mine")]) == 130
        return trained_on[-1].digest()

    def collect() -> str:
        assert main(["collect", str(tmp_path / "now.npz"), *how]) == 0
        return Samples.load(tmp_path / "now.npz").digest()

    first = begin()
    assert first == begin() == collect()
    times = world.stat()
    changed = world.read_text().replace("_mat", "_gloss").replace("_shiny", "_mat")
    world.write_text(changed.replace("_gloss", "_shiny"))
    os.utime(world, ns=(times.st_atime_ns, times.st_mtime_ns))  # as tools leave it that copy
    assert first != begin() == collect()


def test_a_world_file_that_is_not_there_is_named(
    bags: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    given = ["--bags", str(bags), "--world", str(tmp_path / "no.world")]
    assert main(["train", "amiro", *given, "--out", str(tmp_path / "mine")]) == 1
    assert f"{tmp_path}/no.world: No such file" in capsys.readouterr().err


@pytest.mark.parametrize("option", ["--from", "--data", "--bags"])
def test_where_new_weights_go_must_be_said(option: str, capsys: pytest.CaptureFixture) -> None:
    assert main(["train", "amiro", option, "there"]) == 1
    assert f"{option}: say with --out" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("start", "out"),
    [
        ("mine", "mine"),
        ("mine", f"mine{WITHOUT_REENCODING}"),
        (f"mine{WITHOUT_REENCODING}", "elsewhere/../mine"),
    ],
)
def test_what_one_starts_from_is_not_overwritten(
    start: str, out: str, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    (tmp_path / "elsewhere").mkdir()
    arguments = ["--from", str(tmp_path / start), "--out", str(tmp_path / out)]
    assert main(["train", "amiro", *arguments]) == 1
    assert "say with --out another folder" in capsys.readouterr().err


def test_samples_are_those_of_a_file_or_of_bags(capsys: pytest.CaptureFixture) -> None:
    given = ["--data", "samples.npz", "--bags", "runs", "--out", "mine"]
    assert main(["train", "amiro", *given]) == 1
    assert "--data and --bags" in capsys.readouterr().err


def test_weights_of_another_architecture_are_no_start(tmp_path: Path) -> None:
    for suffix in ("", WITHOUT_REENCODING):
        untrained_weights(tmp_path / f"other{suffix}")
    with pytest.raises(WeightsError, match=r"other: modalities are .* but what is trained"):
        Pretrained.load(tmp_path / "other", AMIRO)


def test_a_start_without_its_twin_is_named(tmp_path: Path) -> None:
    load(resource(SHIPPED)).save(tmp_path / "lonely")
    with pytest.raises(WeightsError, match="lonely_without_reencoding"):
        Pretrained.load(tmp_path / "lonely", AMIRO, with_twin=True)


@pytest.mark.slow
def test_training_on_begins_where_the_weights_are(samples: Samples, tmp_path: Path) -> None:
    start = Pretrained.load(resource(SHIPPED), AMIRO, with_twin=True)
    before = start.weights.fingerprint
    still = briefly(fine_tuning(SuiteRecipe.of(AMIRO)))

    def frozen(schedule: Schedule) -> Schedule:
        return replace(schedule, learning_rate=0.0)

    still = replace(
        still,
        beta_vaes={m: replace(r, schedule=frozen(r.schedule)) for m, r in still.beta_vaes.items()},
        m2vae=replace(still.m2vae, schedule=frozen(still.m2vae.schedule)),
    )
    said = {"source": "test"}
    trained = train(samples, tmp_path / "same", still, said, start, with_twin=True)
    assert trained[""].fingerprint == before
    mine, theirs = (of[WITHOUT_REENCODING].m2vae.parameters() for of in (trained, start.trained))
    assert all(map(torch.equal, mine, theirs))

    recipe = briefly(fine_tuning(SuiteRecipe.of(AMIRO)))
    trained = train(samples, tmp_path / "on", recipe, said, start, with_twin=True)
    weights = trained[""]
    assert weights.fingerprint != before == start.weights.fingerprint
    card = json.loads((tmp_path / "on/card.json").read_text())
    assert card["training"]["from"] == before
    assert card["recipe"]["m2vae"]["schedule"]["learning_rate"] == LEARNING_RATE
    assert load(tmp_path / "on").fingerprint == weights.fingerprint
    # it is near where it began: the codes of what it knew before are much the same
    old = codes(start.weights.beta_vaes, samples)["lidar"]
    new = codes(load(tmp_path / "on").beta_vaes, samples)["lidar"]
    assert (old - new).square().mean() < 0.5 * old.var()


def test_classifiers_are_fitted_anew_in_the_same_latent_space(
    samples: Samples, tmp_path: Path
) -> None:
    data, mine = tmp_path / "few.npz", tmp_path / "mine"
    samples.save(data)
    start = Pretrained.load(resource(SHIPPED), AMIRO, with_twin=True)
    fit = ["train", "amiro", "--from", str(resource(SHIPPED)), "--classifiers-only", "--twin"]
    assert main([*fit, "--data", str(data), "--out", str(mine)]) == 0
    fitted = Pretrained.load(mine, AMIRO, with_twin=True)
    for suffix in ("", WITHOUT_REENCODING):
        new, old = fitted.trained[suffix], start.trained[suffix]
        assert new.fingerprint == old.fingerprint
        assert new.familiar_error == old.familiar_error
        assert set(new.classifiers) >= set(old.classifiers)
        for name, classifier in old.classifiers.items():
            assert not all(
                map(torch.equal, classifier.parameters(), new.classifiers[name].parameters())
            )
        assert new.facts["recipe"] == old.facts["recipe"]
        assert new.facts["data"] == old.facts["data"]
        assert new.facts["classifier_data"]["sha256"] == samples.digest()
        assert "metrics" not in new.facts  # those were of the old classifiers


@pytest.mark.slow
def test_the_classifiers_and_the_unknown_of_any_suite_are_fitted_without_its_networks(
    tmp_path: Path,
) -> None:
    start, bags = resource("models/motions"), resource("test/data/motions")
    fit = ["train", "motions", "--from", str(start), "--classifiers-only", "--out"]
    data = ["--bags", str(bags / "train"), "--held-out", str(bags / "test")]
    assert main([*fit, str(tmp_path / "mine"), *data]) == 0
    old, new = load(start), load(tmp_path / "mine")
    assert new.fingerprint == old.fingerprint
    assert set(new.novelty) == set(new.suite)
    assert new.facts["classifier_data"]["bags"] == ["train"]
    assert new.facts["novelty_data"]["bags"] == ["test"]
    assert new.facts["metrics"]["n"] == new.facts["novelty_data"]["count"]
    assert new.facts["metrics"]["calibration"]["1"] < 0.03


@pytest.mark.slow
def test_what_was_held_out_in_vain_is_counted(
    tmp_path: Path, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(novelty, "LEAST_GROUPS", 1000)
    monkeypatch.setattr(novelty, "LEAST", 10**6)
    bags = resource("test/data/motions")
    fit = ["train", "motions", "--minutes", "0.01"]
    fit += ["--bags", str(bags / "train"), "--held-out", str(bags / "test")]
    assert main([*fit, "--out", str(tmp_path / "mine")]) == 0
    said = capsys.readouterr().out
    had = re.search(r"mine cannot tell the unknown: (\d+) samples of (\d+) episodes were", said)
    assert had is not None, said
    samples, episodes = map(int, had.groups())
    assert samples == load(tmp_path / "mine").facts["metrics"]["n"]
    assert 20 <= episodes <= samples
    assert "it takes 200 of 1000 episodes at least; --held-out takes more bags" in said


@pytest.mark.parametrize(
    ("bags", "held_out", "reason"),
    [
        (["train"], ["test", "train"], "train.mcap is in --bags, too"),
        (["test"], ["train"], "was trained on these very samples"),
        ([], ["test"], "--held-out: goes with --bags"),
        (["train"], ["nowhere"], "nowhere"),
    ],
)
def test_what_is_held_out_was_trained_on_by_nobody(
    bags: list[str],
    held_out: list[str],
    reason: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture,
) -> None:
    folder = resource("test/data/motions")
    fit = ["train", "motions", "--from", "motions", "--classifiers-only"]
    given = ["--bags", *(str(folder / name) for name in bags)] if bags else ["--count", "9"]
    given += ["--held-out", *(str(folder / name) for name in held_out)]
    assert main([*fit, *given, "--out", str(tmp_path / "mine")]) == 1
    assert reason in capsys.readouterr().err.replace("\n", "")
    assert not (tmp_path / "mine/card.json").exists()


@pytest.mark.parametrize("others", [[], ["--from", "there", "--minutes", "1"]])
def test_classifiers_only_goes_with_the_networks_of_others(
    others: list[str], capsys: pytest.CaptureFixture
) -> None:
    assert main(["train", "amiro", "--classifiers-only", *others, "--out", "mine"]) == 1
    assert "--classifiers-only: say with --from" in capsys.readouterr().err


def test_the_reencoding_loss_is_there_from_the_first_epoch() -> None:
    recipe = fine_tuning(SuiteRecipe.of(AMIRO)).m2vae
    assert recipe.alpha_at(0) == recipe.alpha == M2VAERecipe().alpha
    assert M2VAERecipe().alpha_at(0) == 0
    assert M2VAERecipe().alpha_at(15) == pytest.approx(M2VAERecipe().alpha / 2)
    assert M2VAERecipe().alpha_at(20) == M2VAERecipe().alpha


@pytest.mark.slow
def test_an_interrupted_training_ends_with_the_same_weights(
    samples: Samples, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    start = Pretrained.load(resource(SHIPPED), AMIRO, with_twin=True)
    recipe = briefly(fine_tuning(SuiteRecipe.of(AMIRO)), epochs=2)
    whole = train(samples, tmp_path / "whole", recipe, {}, start)

    really = training.train_m2vae

    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(training, "train_m2vae", interrupted)
    with pytest.raises(KeyboardInterrupt):
        train(samples, tmp_path / "again", recipe, {}, start)
    assert not (tmp_path / "again/card.json").exists()
    monkeypatch.setattr(training, "train_m2vae", really)
    again = train(samples, tmp_path / "again", recipe, {}, start)
    assert again[""].fingerprint == whole[""].fingerprint


def test_less_time_is_fewer_epochs_of_everything(
    samples: Samples, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    measured: list[object] = []

    def seconds(recipe: SuiteRecipe, samples: Samples) -> dict[str, float]:
        measured.append(samples)
        stages = ["camera", "lidar", "reflectance", "m2vae", "m2vae twin"]
        return dict.fromkeys(stages, 1.0)

    monkeypatch.setattr(time_limit, "_seconds_of_an_epoch", seconds)
    plan = tmp_path / "plan.json"
    recipe = SuiteRecipe.of(AMIRO)  # 10 + 40 + 20 + 40 + 40 epochs, a second each
    shorter, expected = limited(recipe, samples, 75 / 60, plan)
    assert [r.schedule.epochs for r in shorter.beta_vaes.values()] == [5, 20, 10]
    assert shorter.m2vae.schedule.epochs == 20
    assert expected == 75
    assert limited(recipe, samples, 75 / 60, plan)[0] == shorter
    assert len(measured) == 1  # the second time it goes by what was measured the first time
    assert limited(recipe, samples, 1000.0, plan)[0] == recipe
    assert len(measured) == 2
    least, _ = limited(recipe, samples, 1e-6, plan)
    assert {r.schedule.epochs for r in least.beta_vaes.values()} == {1}


def test_what_an_epoch_takes_is_measured_for_every_stage(samples: Samples, tmp_path: Path) -> None:
    _, expected = limited(SuiteRecipe.of(AMIRO), samples, 0.001, tmp_path / "plan.json")
    seconds = json.loads((tmp_path / "plan.json").read_text())["seconds"]
    assert set(seconds) == {"camera", "lidar", "reflectance", "m2vae", "m2vae twin"}
    assert all(value > 0 for value in seconds.values())
    assert expected == pytest.approx(sum(seconds.values()))


@pytest.mark.slow
def test_from_bags_to_weights_and_their_table(
    bags: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    mine, report = tmp_path / "mine", tmp_path / "table.json"
    shipped = str(resource(SHIPPED))
    learn = ["train", "amiro", "--bags", str(bags), "--from", shipped, "--minutes", "0.05"]
    assert main([*learn, "--out", str(mine)]) == 0
    card = json.loads((mine / "card.json").read_text())
    assert card["data"]["bags"] == [bags.name]
    assert card["data"]["count"] == 96
    assert card["training"]["from"] == load(resource(SHIPPED)).fingerprint
    assert not (mine / ".training").exists()

    evaluate = ["evaluate", str(mine), "--json", str(report), "--bags"]
    assert main([*evaluate, str(bags)]) == 1
    assert "was trained on these very samples" in capsys.readouterr().err
    assert main([*evaluate, str(bags / "one")]) == 0
    assert f"bags {bags / 'one'}" in capsys.readouterr().out.replace("\n", "")
    numbers = json.loads(report.read_text())
    assert numbers["n"] == 48
    assert numbers["seed"] is None
    assert numbers["fingerprint"] == card["fingerprint"]
    assert numbers["embedding"]["source"] == f"bags {bags / 'one'}"
