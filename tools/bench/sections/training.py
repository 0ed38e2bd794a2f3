# SPDX-License-Identifier: Apache-2.0
"""Seconds for a thousand samples of training, beside PyPI's multivae on the same network.

Its objectives run in our loop, for an epoch. JMVAE's, which is ours for two modalities, runs in its
own trainer too, and each for as many epochs as a training has, of which ours captures what repeats.
"""

from __future__ import annotations

import time
from collections import defaultdict
from contextlib import redirect_stderr
from functools import partial
from io import StringIO
from tempfile import TemporaryDirectory

import torch

from m2vae_ros.datasets.attributes import attributes
from m2vae_ros.experiments.contenders import ContenderRecipe, contenders, tensors, train_contender
from m2vae_ros.experiments.multivae_library.adapters import LibraryJMVAE
from m2vae_ros.experiments.multivae_library.library import (
    BaseTrainer,
    BaseTrainerConfig,
    MultimodalBaseDataset,
)
from m2vae_ros.training.loop import Schedule
from m2vae_ros.training.m2vae import M2VAERecipe, train_m2vae
from m2vae_ros.vae.m2vae import M2VAEConfig
from tools.bench.figures import Figure, Measured, Spread
from tools.bench.timing import calibration, timed

ROUNDS = 5
SAMPLES = 4096
EPOCHS = 80
"""Of a whole training."""
MODALITIES = (2, 3, 4)
OWN, REENCODING = "M2VAE", "M2VAE with re-encoding loss"
JMVAE, THEIRS, TRAINER = "JMVAE", "JMVAE (multivae)", "JMVAE (multivae, its own trainer)"


def measure() -> Measured:
    """See the module's text."""
    torch.set_num_threads(1)
    compared = [name for name in contenders() if name.endswith("(multivae)")]
    seconds: dict[int, dict[str, list[float]]] = {n: defaultdict(list) for n in MODALITIES}
    same: dict[str, list[float]] = defaultdict(list)
    kernel = []
    for _ in range(ROUNDS + 1):
        kernel.append(timed(calibration, 10))
        for n, of_n in seconds.items():
            x = tensors(attributes(n, SAMPLES, seed=0).x)
            for name in [OWN, REENCODING, *compared]:
                begin = time.perf_counter()
                if _trained(name, x):
                    of_n[name].append((time.perf_counter() - begin) / (SAMPLES / 1000))
        x = tensors(attributes(2, SAMPLES, seed=0).x)
        for name in (JMVAE, THEIRS):
            same[name].append(timed(partial(_trained, name, x, EPOCHS)) / (EPOCHS * SAMPLES / 1000))
        same[TRAINER].append(_by_its_trainer(x) / (EPOCHS * SAMPLES / 1000))
    return Measured(
        Spread.of(kernel),
        [
            Figure(
                "1000 samples, one objective",
                {name: Spread.of(values[1:]) for name, values in same.items()},
            ),
            *(
                Figure(
                    f"1000 samples, {n} modalities",
                    {
                        name: Spread.of(values[1:]) for name, values in of_n.items()
                    },  # one to warm up
                )
                for n, of_n in seconds.items()
            ),
        ],
    )


def _by_its_trainer(x: dict[str, torch.Tensor]) -> float:
    """Seconds of a training by the library's trainer, with the batches and the rate of ours."""
    schedule = Schedule(EPOCHS)
    model = contenders()[THEIRS](M2VAEConfig({m: values.shape[1] for m, values in x.items()}))
    assert isinstance(model, LibraryJMVAE)
    with TemporaryDirectory() as folder, redirect_stderr(StringIO()):  # its progress bar
        config = BaseTrainerConfig(
            output_dir=folder,
            per_device_train_batch_size=schedule.batch_size,
            learning_rate=schedule.learning_rate,
            num_epochs=EPOCHS,
            no_cuda=True,
        )
        data = MultimodalBaseDataset(x)
        trainer = BaseTrainer(model.library, data, training_config=config)
        trainer.prepare_training()
        begin = time.perf_counter()
        for epoch in range(1, EPOCHS + 1):
            trainer.train_step(epoch)
        return time.perf_counter() - begin


def _trained(name: str, x: dict[str, torch.Tensor], epochs: int = 1) -> bool:
    """Train; False if the model does not take so many modalities."""
    schedule = Schedule(epochs)
    config = M2VAEConfig({m: values.shape[1] for m, values in x.items()})
    if name in (REENCODING, OWN):
        alpha = M2VAERecipe.alpha if name == REENCODING else 0.0
        recipe = M2VAERecipe(alpha=alpha, warm_up=(0.0, 0.0), schedule=schedule)
        train_m2vae(recipe, x, 0, quiet=True)
        return True
    try:
        train_contender(name, ContenderRecipe(config, 0.001, schedule), x, 0, quiet=True)
    except ValueError:
        return False
    return True
