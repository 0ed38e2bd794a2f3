# SPDX-License-Identifier: Apache-2.0
"""The one training loop of this package."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Hashable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Protocol

import torch
from torch import Tensor, nn
from tqdm import tqdm

from m2vae_ros.training import checkpoint as checkpoints
from m2vae_ros.training import distributed
from m2vae_ros.training.adam import FixedAdamW
from m2vae_ros.training.captured import LEAST_STEPS, Captured

SECONDS_BETWEEN_CHECKPOINTS = 10.0

HELD_OUT_BATCH = 4096
"""Samples that are judged at once, of what is held out."""


class Source(Protocol):
    """N samples, of which what is asked for is taken into memory; such as a tensor."""

    def __len__(self) -> int:
        """N."""

    def __getitem__(self, index: Tensor, /) -> Tensor:
        """Those of int64 (B,): (B, ...), on the CPU."""


Loss = Callable[[Mapping[str, Tensor], int], Mapping[str, Tensor]]
"""(batch, epoch) -> terms, each (B,); the one named "loss" is minimised, the rest are reported."""

_Replay = Callable[[Mapping[str, Tensor]], Mapping[str, Tensor]]
"""batch -> terms, after a step of the weights."""


class TrainingError(RuntimeError):
    """Training went wrong (a loss that is not a number); the message names run and epoch."""


@dataclass(frozen=True)
class Schedule:
    """How long and how fast: AdamW with a cosine decay to zero.

    Attributes:
        epochs: passes over the data.
        batch_size: samples per step.
        learning_rate: of the first epoch.
        seed: of the order of samples and of the posteriors' samples.
        weight_decay: of AdamW; 0 is Adam.
        patience: epochs without a better loss on what is held out, after which it ends.
    """

    epochs: int
    batch_size: int = 256
    learning_rate: float = 1e-3
    seed: int = 0
    patience: int = 50
    weight_decay: float = 0.0


def device() -> torch.device:
    """The GPU if there is one (this process's, where there are several), else the CPU."""
    return (
        torch.device("cuda", torch.cuda.current_device())
        if torch.cuda.is_available()
        else torch.device("cpu")
    )


def fit(
    module: nn.Module,
    loss: Loss,
    data: Mapping[str, Source],
    schedule: Schedule,
    *,
    title: str,
    held_out: Mapping[str, Source] | None = None,
    checkpoint: Path | None = None,
    key: str = "",
    quiet: bool = False,
    phase: Callable[[int], Hashable] | None = None,
) -> list[dict[str, float]]:
    """Minimise the mean of ``loss(...)["loss"]`` over the data, with a progress bar.

    With data held out, the module ends with the weights of the epoch that was best on those, and
    the training ends early when none has been better for a while.

    Processes that torchrun started share each batch; the first writes the checkpoint, which all
    read to resume.

    Every epoch seeds its own randomness, so a resumed run ends with the same weights as one that
    was never interrupted.

    Args:
        module: what is trained; it comes back on the CPU, in evaluation mode.
        loss: see `Loss`.
        data: name -> N samples; a batch is the same mapping of some of them, taken when its turn
            comes, so that all may be more than memory holds.
        schedule: how long and how fast.
        title: shown beside the progress bar and named in errors.
        held_out: as `data`, never trained on; its loss is reported as "held out".
        checkpoint: file to resume from, written every few seconds: Ctrl-C costs no more than that.
        key: names recipe and data, so that no other run resumes from the checkpoint.
        quiet: shows no progress bar, for one of many trainings at once.
        phase: epoch -> what the loss depends on besides weights, batch and torch's random numbers.
            Epochs of one phase replay a captured step, see `captured`. Without it the loss may
            depend on anything.

    Returns:
        One entry per epoch: the mean of every term.

    Raises:
        TrainingError: the loss became infinite or not a number.
        CheckpointError: the checkpoint is damaged or from another run.
    """
    where = device()
    module.to(where).train()
    optimizer = torch.optim.AdamW(
        module.parameters(),
        schedule.learning_rate,
        weight_decay=schedule.weight_decay,
        fused=True,
    )
    key = json.dumps([key, asdict(schedule), len(next(iter(data.values())))])
    best = _Best(module, held_out) if held_out else None
    kept = {} if best is None else best.state
    history = checkpoints.resume(checkpoint, module, optimizer, key, kept) if checkpoint else []
    saved_at = time.monotonic()
    bar = tqdm(
        total=schedule.epochs,
        initial=len(history),
        desc=title,
        unit="epoch",
        dynamic_ncols=True,
        disable=quiet or distributed.rank() > 0,
    )
    step = distributed.parallel(_Step(module, loss))
    replay: _Replay | None = None
    with bar:
        for epoch in range(len(history), schedule.epochs):
            if best and best.since(history) >= schedule.patience:
                break
            if phase and epoch and phase(epoch) == phase(epoch - 1):
                replay = replay or _captured(step, data, optimizer, schedule, epoch)
            else:
                replay = None
            means = _one_epoch(step, data, optimizer, schedule, epoch, replay)
            if not math.isfinite(means["loss"]):
                raise TrainingError(f"{title}: the loss is {means['loss']} in epoch {epoch + 1}")
            if best:
                means["held out"] = best.take(loss, schedule.epochs - 1, history)
            history.append(means)
            bar.set_postfix({name: f"{value:.4g}" for name, value in means.items()})
            bar.update()
            due = time.monotonic() - saved_at > SECONDS_BETWEEN_CHECKPOINTS
            due = (due or len(history) == schedule.epochs) and distributed.rank() == 0
            if checkpoint and due:
                checkpoints.save(checkpoint, module, optimizer, history, key, kept)
                saved_at = time.monotonic()
    if best:
        module.load_state_dict(best.state)
    module.cpu().eval()
    return history


class _Best:
    """The weights of the epoch that was best on what is held out."""

    def __init__(self, module: nn.Module, held_out: Mapping[str, Source]) -> None:
        self._module = module
        self._data = held_out
        self.state: dict[str, Tensor] = {}

    def take(self, loss: Loss, epoch: int, history: list[dict[str, float]]) -> float:
        """The mean loss of what is held out; the weights are kept if none was better before.

        Args:
            loss: of the training.
            epoch: the last one, so that weights are compared by what is minimised in the end.
            history: the epochs before.
        """
        self._module.eval()
        with torch.no_grad():
            torch.manual_seed(0)  # epochs differ by their weights alone
            count = len(next(iter(self._data.values())))
            rows = torch.split(torch.arange(count), HELD_OUT_BATCH)
            losses = [loss(_batch(self._data, some), epoch)["loss"].sum() for some in rows]
            mean = torch.stack(losses).sum() / count
        found = float(distributed.total(mean)) / distributed.count()  # all end in one epoch
        self._module.train()
        if found < min((one["held out"] for one in history), default=math.inf):
            self.state.update({k: v.clone() for k, v in self._module.state_dict().items()})
        return found

    @staticmethod
    def since(history: list[dict[str, float]]) -> int:
        """Epochs since the best one."""
        losses = [one["held out"] for one in history]
        return len(losses) - 1 - losses.index(min(losses)) if losses else 0


class _Step(nn.Module):
    """The loss as a module, which is what torch runs on several processes."""

    def __init__(self, module: nn.Module, loss: Loss) -> None:
        super().__init__()
        self.module = module
        self._loss = loss

    def forward(self, batch: Mapping[str, Tensor], epoch: int) -> dict[str, Tensor]:
        return dict(self._loss(batch, epoch))


def _one_epoch(
    step: nn.Module,
    data: Mapping[str, Source],
    optimizer: torch.optim.Optimizer,
    schedule: Schedule,
    epoch: int,
    replay: _Replay | None,
) -> dict[str, float]:
    """One pass over the data, with the randomness and the rate of the epoch: each term's mean."""
    seed = 1_000_003 * schedule.seed + epoch
    torch.manual_seed(seed)
    rate = 0.5 * schedule.learning_rate * (1 + math.cos(math.pi * epoch / schedule.epochs))
    for group in optimizer.param_groups:
        group["lr"] = rate
    samples = len(next(iter(data.values())))
    order = torch.randperm(samples)
    rank, count = distributed.rank(), distributed.count()
    if rank:  # the same order, and noise of its own
        torch.manual_seed(seed + 499_979 * rank)
    sums: dict[str, Tensor] = {}
    for index in torch.split(order, schedule.batch_size):
        batch = _batch(data, index[rank::count])
        if replay and len(index) == schedule.batch_size:
            terms = replay(batch)
        else:
            optimizer.zero_grad(set_to_none=True)
            terms = step(batch, epoch)
            # the mean over the processes is that over the batch, also where shares differ in size
            torch.autograd.backward(terms["loss"].sum() * (count / len(index)))
            optimizer.step()
        for name, term in terms.items():
            sums[name] = sums.get(name, 0) + term.detach().sum()
    return {name: float(distributed.total(total)) / samples for name, total in sums.items()}


def _captured(
    step: nn.Module,
    data: Mapping[str, Source],
    optimizer: torch.optim.AdamW,
    schedule: Schedule,
    epoch: int,
) -> _Replay | None:
    """The step as a graph, if there is enough left to do for it, in one process on the CPU."""
    steps = len(next(iter(data.values()))) // schedule.batch_size
    enough = steps * (schedule.epochs - epoch) >= LEAST_STEPS
    if not enough or distributed.count() > 1 or device().type != "cpu":
        return None
    graph = Captured(step, _batch(data, torch.arange(schedule.batch_size)), epoch)
    adam = FixedAdamW(optimizer, graph.differentiated)

    def replay(batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        terms, gradients = graph(batch)
        adam.step(gradients)
        return terms

    return replay


def _batch(data: Mapping[str, Source], index: Tensor) -> dict[str, Tensor]:
    where = device()
    return {name: source[index].to(where) for name, source in data.items()}
