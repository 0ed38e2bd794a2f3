# SPDX-License-Identifier: Apache-2.0
"""Where conditional independence fails: what a joint model is worth when sensors are related.

Two worlds of `m2vae_ros.datasets.dependent`. Of wet objects the class is asked for, by all sensors;
of the catalogue what an absent sensor would read, by the other two.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Drawing
from sklearn.naive_bayes import GaussianNB
from torch import Tensor

from m2vae_ros.datasets.dependent import World, catalogue, wet_objects
from m2vae_ros.experiments.contenders import contenders, tensors
from m2vae_ros.experiments.figures import PALETTE, panels, save
from m2vae_ros.experiments.lab import Lab, over_seeds, summary
from m2vae_ros.experiments.section import Check, Prose, Section, Table
from m2vae_ros.experiments.ways import OTHERS, Decode, Embed, trained_ways
from m2vae_ros.training.loop import Schedule
from m2vae_ros.training.m2vae import M2VAERecipe
from m2vae_ros.training.suite import train_classifier
from m2vae_ros.vae.classifier import Classifier
from m2vae_ros.vae.in_place import orders
from m2vae_ros.vae.m2vae import Subset, one_smaller

NAME = "independence"
FILE = "independence.png"

WET, ABSENT = "wet", "absent"
TITLES = {WET: "wet objects", ABSENT: "the absent sensor"}
WORLDS: Mapping[str, Callable[[], World]] = {WET: wet_objects, ABSENT: catalogue}

READINGS = "readings"
RAW = "raw readings"
CLASSES = "product of class probabilities"
KINDS = f"{CLASSES}, wet or dry told apart"
OURS = {"M2VAE": 0.0, "M2VAE with cross terms": 1.0}
"""Our models -> the weight w of the cross terms."""

MOST_BY_CLASSES = 0.55
LEAST_WET = 0.95
MOST_BY_PRODUCTS = 0.75
LEAST_ABSENT = 0.9
LEAST_ABSENT_CROSS = 0.985
"""What is claimed of the two worlds."""

Answer = Callable[[Subset, str | None], tuple[np.ndarray, np.ndarray | None]]
"""(the modalities that are sensed, the absent one) -> the class, and what the absent one reads."""

Rates = dict[str, dict[str, float]]
"""What is asked for, "class" or "sensor" -> what was sensed, in which order -> share of right."""


@dataclass(frozen=True)
class Settings:
    """Of both worlds.

    Attributes:
        train, test: how many objects.
        recipe: of our models; the others have the same networks, β_norm and schedule.
    """

    train: int
    test: int
    recipe: M2VAERecipe


def settings(quick: bool) -> Settings:
    """Readings have noise of variance 1 and are taken as such; β of all three is 0.45."""
    schedule = Schedule(epochs=4 if quick else 25, batch_size=128, learning_rate=3e-3)
    recipe = M2VAERecipe(beta_norm=0.15, schedule=schedule)
    return Settings(5000 if quick else 10_000, 4000, recipe)


def run(lab: Lab) -> None:
    """Train every model in both worlds, publish independence.json and draw independence.png."""
    setting = settings(lab.quick)
    names = [READINGS, *OURS, *(name for name in OTHERS if name in contenders())]
    jobs = [
        (lab, setting, world, name, seed)
        for seed in range(lab.seeds)
        for world in WORLDS
        for name in names
    ]
    measured = lab.map("Independence", measure, jobs)
    of_job = dict(zip([job[2:] for job in jobs], measured, strict=True))
    numbers: dict[str, Any] = {
        world: {
            row: cells
            for name in names
            for row, cells in over_seeds(
                [of_job[world, name, seed] for seed in range(lab.seeds)]
            ).items()
        }
        for world in WORLDS
    }
    lab.publish(NAME, numbers, settings=asdict(setting), seeds=list(range(lab.seeds)))
    save(picture(numbers), lab.out / FILE)


class Exam:
    """The objects of one world and seed, and what is asked of whoever senses them.

    Of wet objects all modalities are sensed, of the catalogue all but one.

    Args:
        name: of the world.
        setting: how many objects.
        seed: of objects, sensors and classifiers.

    Attributes:
        x: modality -> readings (N, D_m) to learn from.
    """

    def __init__(self, name: str, setting: Settings, seed: int) -> None:
        world, self._seed = WORLDS[name](), seed
        train, test = world.draw((setting.train, setting.test), seed)
        self.x, self._unseen = tensors(train.x), tensors(test.x)
        self._everything: Subset = tuple(self.x)
        self._sensed = [self._everything] if name == WET else one_smaller(self._everything)
        self._kinds, self._truth = train.labels, test.labels
        self._classes = world.numbered(world.classes)
        self._told_by = {m: world.numbered(names) for m, names in world.sees.items()}
        self._readers = {m: self._learnt(self.x[m], of) for m, of in self._told_by.items()}

    def readings(self) -> dict[str, Rates]:
        """What classifiers know that are told labels: row -> rates.

        One that reads all that is sensed; and products of the probabilities by each sensor, of
        classes, and of all kinds of objects where there are more kinds.
        """
        classes, kinds = self._classes, np.arange(len(self._classes))
        rows = {RAW: self._rates(self._all_readings)}
        rows[CLASSES] = self._rates(self._each_reading(classes))
        if len(np.unique(classes)) < len(kinds):
            rows[KINDS] = self._rates(self._each_reading(kinds))
        return rows

    def reader(self, embed: Embed) -> Classifier:
        """Tells classes from embeddings, having learnt from those of all modalities alone."""
        return self._learnt(embed(self.x, self._everything), self._classes)

    def embeddings(
        self,
        embed: Embed,
        decode: Decode,
        reader: Classifier,
        ordered: bool = False,
    ) -> Rates:
        """What is known from embeddings.

        Args:
            embed: makes them.
            decode: (modality, embeddings) -> readings, (N, D_z) -> (N, D_m). A classifier that has
                learnt from real readings reads those of an absent sensor.
            reader: of the class.
            ordered: whether it matters in which order modalities are sensed.
        """

        def answer(sensed: Subset, absent: str | None) -> tuple[np.ndarray, np.ndarray | None]:
            z = embed(self._unseen, sensed)
            read = self._readers[absent](decode(absent, z)) if absent else None
            return _best(reader(z)), None if read is None else _best(read)

        return self._rates(answer, ordered)

    def _rates(self, answer: Answer, ordered: bool = False) -> Rates:
        rates: Rates = {"class": {}, "sensor": {}}
        for order in (o for s in self._sensed for o in (orders(s) if ordered else [s])):
            absent = next((m for m in self._everything if m not in order), None)
            with torch.no_grad():
                found, read = answer(order, absent)
            how = " → ".join(order) if ordered else " & ".join(order)
            rates["class"][how] = float((found == self._classes[self._truth]).mean())
            if absent:
                told = self._told_by[absent][self._truth]
                rates["sensor"][how] = float((read == told).mean())
        return rates

    def _learnt(self, x: Tensor, of_kind: np.ndarray) -> Classifier:
        """A classifier of something that the kind (K,) decides, from the training set's (N, D)."""
        return train_classifier(x, of_kind[self._kinds], self._seed)

    def _all_readings(self, sensed: Subset, absent: str | None) -> Any:
        x, unseen = (torch.cat([of[m] for m in sensed], 1) for of in (self.x, self._unseen))
        read = self._learnt(x, self._told_by[absent])(unseen) if absent else None
        found = self._learnt(x, self._classes)(unseen)
        return _best(found), None if read is None else _best(read)

    def _each_reading(self, labels: np.ndarray) -> Answer:
        """By the product of the probabilities of labels, of each kind (K,); all are as frequent.

        They are as good as can be: of naive Bayes, in whose form these readings are.
        """
        of_label = np.eye(labels.max() + 1)[labels]
        bayes = {m: GaussianNB().fit(x, self._kinds) for m, x in self.x.items()}
        told = {m: bayes[m].predict_proba(x) @ of_label for m, x in self._unseen.items()}
        some_kind = np.unique(labels, return_index=True)[1]  # of each label

        def answer(sensed: Subset, absent: str | None) -> tuple[np.ndarray, np.ndarray | None]:
            each = [np.log(told[m] + np.finfo(float).tiny) for m in sensed]
            kinds = some_kind[np.sum(each, axis=0).argmax(1)]
            return self._classes[kinds], self._told_by[absent][kinds] if absent else None

        return answer


def measure(lab: Lab, setting: Settings, world: str, name: str, seed: int) -> dict[str, Rates]:
    """What one model, or what classifiers of readings know of one world: row -> rates."""
    exam = Exam(world, setting, seed)
    if name == READINGS:
        return exam.readings()
    data = f"{world} {setting.train} {seed}"
    decode, ways = trained_ways(
        lab, (NAME, world), name, setting.recipe, OURS.get(name), exam.x, seed, data
    )
    readers = {learnt: exam.reader(learnt) for learnt in {way.learnt for way in ways.values()}}
    return {
        row: exam.embeddings(way.embed, decode, readers[way.learnt], way.ordered)
        for row, way in ways.items()
    }


def _best(probabilities: Tensor) -> np.ndarray:
    best: np.ndarray = probabilities.argmax(1).numpy()
    return best


def section(numbers: Mapping[str, Any]) -> Section:
    """The experiment for the report."""
    say = Prose(NAME, seeds=len(next(iter(numbers[WET][RAW]["class"].values()))["seeds"]))
    wet = [
        (row, _percent(rates["class"], _mean), _percent(rates["class"], worst))
        for row, rates in numbers[WET].items()
    ]
    absent = [
        (
            row,
            *(_percent(rates[of], over) for of in ("sensor", "class") for over in (_mean, worst)),
        )
        for row, rates in numbers[ABSENT].items()
    ]
    tables = [
        Table(say("wet"), ("known by", "class", "worst order"), wet),
        Table(
            say("absent"),
            ("known by", "absent sensor", "worst order", "class, one reader", "worst order"),
            absent,
        ),
    ]
    return say.section(_checks(numbers, say), tables, (FILE,))


def _checks(numbers: Mapping[str, Any], say: Prose) -> list[Check]:
    def least(world: str, of: str, row: str, at_least: float, block: str) -> Check:
        rows = [rates[of] for name, rates in numbers[world].items() if name.startswith(row)]
        lowest = min((worst(cells) for cells in rows), key=np.mean)
        claim = say(block, limit=at_least)
        return Check(claim, _shown(lowest), float(np.mean(lowest)) >= at_least)

    def most(world: str, of: str, row: str, at_most: float, block: str) -> Check:
        best = worst(numbers[world][row][of], max)
        return Check(say(block, limit=at_most), _shown(best), float(np.mean(best)) <= at_most)

    ours, cross = OURS
    return [
        most(WET, "class", CLASSES, MOST_BY_CLASSES, "by_classes"),
        least(WET, "class", f"{ours}, in place", LEAST_WET, "wet_in_place"),
        least(WET, "class", f"{ours}, product", LEAST_WET, "wet_product"),
        most(
            ABSENT, "sensor", f"{ours}, product of single posteriors", MOST_BY_PRODUCTS, "product"
        ),
        most(ABSENT, "sensor", "MVAE", MOST_BY_PRODUCTS, "mvae"),
        least(ABSENT, "sensor", f"{ours}, in place", LEAST_ABSENT, "in_place"),
        least(ABSENT, "sensor", f"{cross}, in place", LEAST_ABSENT_CROSS, "cross"),
    ]


def _mean(cells: Mapping[str, Any]) -> Sequence[float]:
    """Of each seed the mean over what is sensed, in which order."""
    means: list[float] = np.mean([cell["seeds"] for cell in cells.values()], axis=0).tolist()
    return means


def worst(cells: Mapping[str, Any], of: Callable[..., Any] = min) -> Sequence[float]:
    """The seeds of what is known worst on the whole, or with ``max`` best."""
    seeds: list[float] = of(cells.values(), key=lambda cell: cell["mean"])["seeds"]
    return seeds


def _percent(cells: Mapping[str, Any], over: Callable[[Mapping[str, Any]], Sequence[float]]) -> str:
    found = summary(over(cells))
    return f"{100 * found['mean']:.1f} ± {100 * found['std']:.1f}"


def _shown(seeds: Sequence[float]) -> str:
    return f"{np.mean(seeds):.1%} (seeds: {min(seeds):.1%} to {max(seeds):.1%})"


def picture(numbers: Mapping[str, Any]) -> Drawing:
    """Of both worlds what each row knows, by mean and in the worst order."""
    drawing, axes = panels(1, 2, (7.0, 4.2))
    for panel, (world, of, title, guessed) in zip(
        axes[0],
        (
            (WET, "class", f"{TITLES[WET]}: their class", 1 / 2),
            (ABSENT, "sensor", f"{TITLES[ABSENT]}: what it would read", 1 / 3),
        ),
        strict=True,
    ):
        _draw(panel, {row: rates[of] for row, rates in numbers[world].items()}, guessed)
        panel.set_title(title)
    lines, titles = axes[0, 0].get_legend_handles_labels()
    drawing.legend(lines, titles, loc="outside lower center", ncols=len(titles), frameon=False)
    return drawing


def _draw(panel: Axes, rows: Mapping[str, Any], guessed: float) -> None:
    place = np.arange(len(rows))
    ours = tuple(OURS)
    colours = [PALETTE[0] if row.startswith(ours) else "0.75" for row in rows]
    means = [100 * float(np.mean(_mean(cells))) for cells in rows.values()]
    panel.barh(place, means, color=colours, height=0.7)
    for index, cells in enumerate(rows.values()):
        found = [100 * rate for rate in worst(cells)]
        label = "each seed, in the worst order" if not index else None
        panel.plot(found, [index] * len(found), "|", color=PALETTE[2], ms=9, label=label)
        panel.text(101, index, f"{means[index]:.1f}", va="center", fontsize=8)
    panel.axvline(
        100 * guessed, color="0.3", linestyle=":", linewidth=1, label="one attribute guessed"
    )
    panel.set_yticks(place, list(rows))
    panel.invert_yaxis()
    panel.set_xlim(0, 115)
    panel.set_xticks(range(0, 101, 25))
    panel.set_xlabel("right, % (bars: mean over orders and seeds)")
