# SPDX-License-Identifier: Apache-2.0
"""Weights and bags that somebody changed: is each refused by name, at once, in little memory?

A change of one file alone, as by a disk or a clumsy hand, goes against what the card says of it.
Who writes a card anew, its digest too, makes other weights; what they say has to make sense, then.
"""

from __future__ import annotations

import json
import random
import shutil
import time
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from backports import zstd

from m2vae_ros.apps.chaos.scenario import Options, Outcome, Says
from m2vae_ros.bags.reader import find_bags, messages_of
from m2vae_ros.bags.writer import INFORMATION, METADATA
from m2vae_ros.datasets.errors import DataError
from m2vae_ros.fusion.onnx_engine import OnnxEngine
from m2vae_ros.host.memory import begin_peak, peak, resident
from m2vae_ros.host.resources import resource
from m2vae_ros.host.scratch import Scratch
from m2vae_ros.sensors.card import CARD, GRAPHS, WeightsError, write_card

FLIPS = 200
"""Of each file."""

CUTS = 5
"""Of each file."""

SECONDS = 1.0
"""In which something has to be refused."""

MEMORY = 40e6
"""Bytes that it may take meanwhile."""

GIGABYTES = 2**32
"""That a bomb unpacks to."""

DEEP = 100_000

Change = Callable[[Path, random.Random], object]
"""Of a folder of weights."""


@dataclass
class _Found:
    """What came of all that was tried."""

    broken: list[str] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0
    memory: int = 0

    def attempt(self, what: str, folder: Path, use: Callable[[Path], str], kept: str = "") -> None:
        """Let something that was changed be used.

        Args:
            what: was done, for who reads of it.
            folder: in which it was.
            use: uses what is in it; gives a digest of it.
            kept: the digest under which it may be used, as nothing was changed; "" for none.
        """
        begin_peak()
        before, begin = resident(), time.monotonic()
        try:
            found = use(folder)
        except (WeightsError, DataError) as error:
            self.counts["refused"] += 1
            if str(folder) not in str(error):
                self.broken.append(f"{what}: no file is named: {error}")
        except Exception as error:  # which is what is looked for
            self.broken.append(f"{what}: {error!r:.200}")
        else:
            self.counts["without effect"] += 1
            if found != kept:
                self.broken.append(f"{what}: was taken")
        took, grown = time.monotonic() - begin, peak() - before
        self.seconds, self.memory = max(self.seconds, took), max(self.memory, grown)
        if took > SECONDS:
            self.broken.append(f"{what}: took {took:.2f} s")
        if grown > MEMORY:
            self.broken.append(f"{what}: took {grown / 1e6:.0f} MB")


def tamper(options: Options, says: Says) -> Outcome:
    """Change all shipped weights, and a bag, in every way; `times` is the flips of each file."""
    found = _Found()
    models = sorted(path for path in resource("models").iterdir() if (path / CARD).is_file())
    with Scratch("m2vae-tampering-") as scratch:
        for model in models:
            says(f"changes {model.name}")
            others = [other for other in models if other != model]
            _tamper(found, model, others, options, scratch / model.name)
        says("packs bombs")
        _bombs(found, scratch)
    return Outcome(
        found.broken,
        {
            "folders": len(models),
            **found.counts,
            "most s": found.seconds,
            "most MB": found.memory / 1e6,
        },
    )


def use_all(folder: Path) -> str:
    """Load weights as a node does, read all files, and run every step; gives their digest.

    Raises:
        WeightsError: they cannot be used.
    """
    engine = OnnxEngine.load(folder)
    card = engine.card
    for name in card.files:
        card.file(name)
    mean = np.zeros(engine.latent_dim, np.float32)
    engine.classify(mean)
    for name, modality in engine.suite.items():
        encoding = engine.encode_modality(name, np.zeros(modality.view.shape, np.float32))
        engine.encode({name: encoding.code})
        engine.unfold(mean, [name])
        engine.decode(name, mean)
        engine.reconstruct(name, mean)
    return engine.digest


def _tamper(found: _Found, model: Path, others: list[Path], options: Options, folder: Path) -> None:
    shutil.copytree(model, folder)
    digest = use_all(folder)  # also takes what memory the first one takes
    draw = random.Random(f"{options.seed} weights {model.name}")
    for name in sorted(path.name for path in model.iterdir()):
        for number in range(options.times or FLIPS):
            with _changed(folder, name) as path:
                where = _flip(path, draw)
                what = f"{model.name}/{name}: bit {where} flipped (number {number + 1})"
                found.attempt(what, folder, use_all, digest)
        size = (model / name).stat().st_size
        for keep in (0, size - 1, *(draw.randrange(size) for _ in range(CUTS - 2))):
            with _changed(folder, name) as path:
                _resize(path, keep)
                # of a card's last line nothing but its end may go
                found.attempt(f"{model.name}/{name}: cut to {keep}", folder, use_all, digest)
        with _changed(folder, name) as path:
            _resize(path, 16 * GIGABYTES)
            found.attempt(f"{model.name}/{name}: 64 GB of holes", folder, use_all)
        for other in others:
            if name != CARD and (other / name).is_file():
                if (other / name).read_bytes() == (model / name).read_bytes():
                    continue
                with _changed(folder, name) as path:
                    shutil.copy(other / name, path)
                    found.attempt(f"{model.name}/{name}: of {other.name}", folder, use_all)
    for what, change in CARDS.items():
        with _changed(folder, CARD):
            change(folder, draw)
            found.attempt(f"{model.name}/{CARD}: {what}", folder, use_all)
    for what, change in SEALED.items():
        with _changed(folder, CARD), _changed(folder, GRAPHS):
            change(folder, draw)
            found.attempt(f"{model.name}, sealed anew: {what}", folder, use_all)


@contextmanager
def _changed(folder: Path, name: str) -> Iterator[Path]:
    """A file that may be changed, and is as it was afterwards."""
    path = folder / name
    content = path.read_bytes()
    try:
        yield path
    finally:
        path.unlink()
        path.write_bytes(content)


def _flip(path: Path, draw: random.Random) -> int:
    bit = draw.randrange(8 * path.stat().st_size)
    with path.open("r+b") as file:
        file.seek(bit // 8)
        byte = file.read(1)[0] ^ 1 << bit % 8
        file.seek(bit // 8)
        file.write(bytes([byte]))
    return bit


def _resize(path: Path, size: int) -> None:
    with path.open("r+b") as file:
        file.truncate(size)


def _suite(change: Callable[[dict[str, Any]], object]) -> Change:
    """Change the suite of a card, and nothing else of it."""

    def apply(folder: Path, draw: random.Random) -> None:
        card = json.loads((folder / CARD).read_text())
        change(card["suite"])
        (folder / CARD).write_text(json.dumps(card))

    return apply


def _text(text: str) -> Change:
    return lambda folder, draw: (folder / CARD).write_text(text)


def _sealed(change: Callable[[dict[str, Any]], object]) -> Change:
    """Change the suite of a card, and let its digest fit again."""

    def apply(folder: Path, draw: random.Random) -> None:
        _seal(folder, change)

    return apply


def _seal(folder: Path, change: Callable[[dict[str, Any]], object] = lambda suite: None) -> None:
    card = json.loads((folder / CARD).read_text())
    files = card.pop("files")
    change(card["suite"])
    write_card(folder, {k: v for k, v in card.items() if k not in ("format", "digest")}, files)


def _values(suite: dict[str, Any]) -> dict[str, list[str]]:
    """The classes by attribute; where they are one list it stands for an attribute."""
    classes = suite["classes"]
    return classes if isinstance(classes, dict) else {"": classes}


def _reverse(suite: dict[str, Any]) -> None:
    for names in _values(suite).values():
        names.reverse()


def _swap(suite: dict[str, Any]) -> None:
    names = next(iter(_values(suite).values()))
    names[0], names[1] = names[1], names[0]


def _one_class_more(suite: dict[str, Any]) -> None:
    next(iter(_values(suite).values())).append("another")


def _latent_dim(value: object, suite: dict[str, Any]) -> None:
    suite["fusion"]["latent_dim"] = value


def _codes(value: object, suite: dict[str, Any]) -> None:
    next(iter(suite["modalities"].values()))["beta_vae"]["latent_dim"] = value


def _hidden(value: object, suite: dict[str, Any]) -> None:
    next(iter(suite["modalities"].values()))["beta_vae"]["hidden"] = value


def _modalities(count: int, suite: dict[str, Any]) -> None:
    one = next(iter(suite["modalities"].values()))
    suite["modalities"] = {f"m{number}": one for number in range(count)}


def _nested(depth: int) -> list[Any]:
    nested: list[Any] = []
    for _ in range(depth):
        nested = [nested]
    return nested


def _repack(folder: Path, change: Callable[[str, bytes], bytes], packed: bool = False) -> None:
    """Make the graphs anew, and a card that fits them."""
    path = folder / GRAPHS
    with zipfile.ZipFile(path) as archive:
        content = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED if packed else zipfile.ZIP_STORED) as new:
        for name, data in content.items():
            new.writestr(name, change(name, data))
    _seal(folder)


def _graphs(change: Callable[[str, bytes], bytes], packed: bool = False) -> Change:
    return lambda folder, draw: _repack(folder, change, packed)


def _bomb_in(name: str, data: bytes) -> bytes:
    return bytes(2**26) if name.endswith(".npy") and len(data) > 2**16 else data


def _huge_array(name: str, data: bytes) -> bytes:
    """Weights of which the head promises 2^60 numbers."""
    if not name.endswith(".npy"):
        return data
    head = f"{{'descr': '<f4', 'fortran_order': False, 'shape': ({2**60},), }}".ljust(117) + "\n"
    return b"\x93NUMPY\x01\x00" + len(head).to_bytes(2, "little") + head.encode() + data[128:]


def _endless(folder: Path, draw: random.Random) -> None:
    (folder / CARD).unlink()
    (folder / CARD).symlink_to("/dev/zero")


CARDS: dict[str, Change] = {
    "class names reversed": _suite(_reverse),
    "two class names swapped": _suite(_swap),
    "100,000 lists in each other": _text("[" * DEEP),
    "100,000 tables in each other": _text('{"a":' * DEEP),
    "nothing but null": _text("null"),
    "a number without end": _text('{"format": ' + "9" * DEEP + "}"),
    "a file without end": _endless,
}
"""Changes of a card that keeps its digest."""

SEALED: dict[str, Change] = {
    **{
        f"latent_dim {value!r:.12}": _sealed(partial(_latent_dim, value))
        for value in (0, -1, 3, 4096, 10**9, 10**30, 1e308, "10", None, True)
    },
    **{
        f"latent_dim {value!r:.12} of codes": _sealed(partial(_codes, value))
        for value in (0, 3, 4096, 10**9)
    },
    **{
        f"hidden {value!r:.20}": _sealed(partial(_hidden, value))
        for value in ([10**9] * 3, [2**16] * 16, [], [-1], "many")
    },
    **{f"{count} modalities": _sealed(partial(_modalities, count)) for count in (0, 2, 8, 9, 1000)},
    "a modality that is none": _sealed(lambda suite: suite["modalities"].update(one=None)),
    "modalities in each other": _sealed(lambda suite: suite.update(modalities=_nested(300))),
    "classes in each other": _sealed(lambda suite: suite.update(classes=_nested(300))),
    "one class more": _sealed(_one_class_more),
    "a class twice": _sealed(lambda suite: suite.update(classes=["one", "one"])),
    "2^40 classes": _sealed(
        lambda suite: suite.update(classes={f"a{n}": ["x", "y"] for n in range(40)})
    ),
    "graphs that are packed": _graphs(_bomb_in, packed=True),
    "weights of 2^60 numbers": _graphs(_huge_array),
    "graphs cut short": _graphs(lambda name, data: data[: len(data) // 2]),
    "an index in itself": _graphs(lambda name, data: b"[" * DEEP if name == "index.json" else data),
}
"""Changes under a card that has a digest of its own."""


def _bombs(found: _Found, scratch: Path) -> None:
    bag = scratch / "bag"
    bag.mkdir()
    information = {
        "version": 8,
        "storage_identifier": "mcap",
        "relative_file_paths": ["bag_0.mcap.zstd"],
        "duration": {"nanoseconds": 1},
        "starting_time": {"nanoseconds_since_epoch": 0},
        "message_count": 1,
        "topics_with_message_count": [],
        "compression_format": "zstd",
        "compression_mode": "FILE",
        "files": [],
        "custom_data": {},
        "ros_distro": "jazzy",
    }
    (bag / METADATA).write_text(json.dumps({INFORMATION: information}))
    (bag / "bag_0.mcap.zstd").write_bytes(_zeros(GIGABYTES))
    found.attempt("a bag that unpacks to 4 GB", bag, _read_bag)


def _zeros(count: int) -> bytes:
    """So many zeros as zstd packs them when it is not told how many will come."""
    compressor = zstd.ZstdCompressor()
    piece = bytes(2**24)
    pieces = [compressor.compress(piece) for _ in range(count // len(piece))]
    return b"".join((*pieces, compressor.flush()))


def _read_bag(bag: Path) -> str:
    count = sum(1 for file in find_bags([bag]) for _ in messages_of(file))
    return f"{count} messages"
