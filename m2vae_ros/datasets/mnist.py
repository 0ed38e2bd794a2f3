# SPDX-License-Identifier: Apache-2.0
"""MNIST and Fashion-MNIST: finding, fetching and reading them.

Either is four idx files: images and labels, for training ("train") and for testing ("t10k").
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pooch
import requests

from m2vae_ros.datasets import idx
from m2vae_ros.datasets.errors import DataError

# Part of a data set -> how many samples it has where it is complete.
_PARTS = {"train": 60_000, "t10k": 10_000}
_AXES = {"images": 3, "labels": 1}
_SIZE = (28, 28)
_CLASSES = 10

_CHECKOUT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Images:
    """N grey images and what they show.

    Attributes:
        images: uint8 (N, 28, 28), 0 is the background.
        labels: int64 (N,), 0 to 9.
    """

    images: np.ndarray
    labels: np.ndarray

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: Any) -> Images:
        """Some of them; ``index`` is a slice, a mask or an array of indices."""
        return Images(self.images[index], self.labels[index])

    @property
    def x(self) -> np.ndarray:
        """What a model takes: float32 (N, 784), in [0, 1]."""
        x: np.ndarray = self.images.reshape(len(self), -1).astype(np.float32) / np.float32(255)
        return x


@dataclass(frozen=True)
class Source:
    """One of the two data sets: where it may lie, and where it comes from.

    Attributes:
        title: its name.
        variable: of the environment, names a folder to take it from.
        folders: where it may lie otherwise; the first one that has it is taken.
        url: of the folder with the packed files, downloaded into the user's cache if need be.
        md5: file, without .gz -> published MD5 of the packed file.
        sha256: file -> SHA-256 of the unpacked file.
        hint: one more way to get it, for the message of `DataError`; "" if there is none.
    """

    title: str
    variable: str
    folders: tuple[Path, ...]
    url: str
    md5: Mapping[str, str]
    sha256: Mapping[str, str]
    hint: str = ""

    def load(self, folder: Path | None = None) -> Images:
        """Read it, the training part first; see `find` for the folder and the errors.

        One part is enough. Files may be packed (.gz) or not, and have a dot in their names
        (``t10k-images.idx3-ubyte``). One as long as the original has to be the original, so that
        neither a damaged file nor another data set of the same names is taken for it; a shorter
        or longer one is taken as it is.

        Raises:
            DataError: a file is damaged or missing, or images and labels do not fit.
        """
        folder = self.find(folder)
        read = [self._read(folder, part) for part in _PARTS if _has_any(folder, part)]
        images, labels = (np.concatenate(arrays) for arrays in zip(*read, strict=True))
        return Images(images, labels.astype(np.int64))

    def find(self, folder: Path | None = None) -> Path:
        """The folder it lies in.

        A ``folder`` that is given, or else named by the environment variable, has to have it.
        Otherwise it is looked for in `folders`, and at last in the user's cache, into which it is
        downloaded, with a progress bar, if it is not there yet.

        Raises:
            DataError: it is nowhere and cannot be downloaded; the message says how to get it.
        """
        chosen = folder or os.environ.get(self.variable)
        if chosen:
            if not _has(Path(chosen)):
                raise DataError(
                    f"{chosen}: no file of {self.title} there, such as t10k-images-idx3-ubyte.gz"
                )
            return Path(chosen)
        for candidate in self.folders:
            if _has(candidate):
                return candidate
        return self._fetch(pooch.os_cache("m2vae_ros") / self.title.lower())

    def _fetch(self, cache: Path) -> Path:
        """Fill the cache, whatever of it is missing or damaged."""
        try:
            for name, md5 in self.md5.items():
                pooch.retrieve(
                    f"{self.url}{name}.gz", f"md5:{md5}", f"{name}.gz", cache, progressbar=True
                )
        except (requests.RequestException, OSError, ValueError) as error:
            ways = [f"set {self.variable} to a folder with its files", self.hint, "go online"]
            raise DataError(
                f"{self.title} is not on this machine and could not be downloaded: {error}\n"
                f"To have it: {'; or '.join(filter(None, ways))}. "
                f"Its files, from {self.url}: {', '.join(f'{name}.gz' for name in self.md5)}"
            ) from error
        return cache

    def _read(self, folder: Path, part: str) -> tuple[np.ndarray, np.ndarray]:
        """Images and labels of one part."""
        images, labels = (self._read_file(folder, part, kind) for kind in _AXES)
        if len(images) != len(labels):
            raise DataError(f"{folder}: {part} has {len(images)} images, but {len(labels)} labels")
        if images.shape[1:] != _SIZE:
            raise DataError(f"{folder}: images of {part} are {images.shape[1:]}, expected {_SIZE}")
        if len(labels) and labels.max() >= _CLASSES:
            raise DataError(f"{folder}: labels of {part} go up to {labels.max()}, expected 0 to 9")
        return images, labels

    def _read_file(self, folder: Path, part: str, kind: str) -> np.ndarray:
        path = _path(folder, part, kind)
        if path is None:
            raise DataError(f"{folder}: {_name(part, kind)} (or .gz) is missing")
        content = idx.unpack(path)
        values = idx.parse(path, content, _AXES[kind])
        expected = self.sha256[_name(part, kind)]
        if len(values) == _PARTS[part] and hashlib.sha256(content).hexdigest() != expected:
            raise DataError(f"{path}: not the original of {self.title}, its checksum differs")
        return values


def _name(part: str, kind: str) -> str:
    return f"{part}-{kind}-idx{_AXES[kind]}-ubyte"


def _path(folder: Path, part: str, kind: str) -> Path | None:
    """The file in one of its spellings, None if there is none."""
    name = _name(part, kind)
    dotted = name.replace("-idx", ".idx")
    spellings = (name, f"{name}.gz", dotted, f"{dotted}.gz")
    return next((folder / s for s in spellings if (folder / s).is_file()), None)


def _has_any(folder: Path, part: str) -> bool:
    return any(_path(folder, part, kind) for kind in _AXES)


def _has(folder: Path) -> bool:
    return any(_has_any(folder, part) for part in _PARTS)


def _shared(name: str) -> tuple[Path, Path]:
    """Where several checkouts keep data they share: in the checkout, or beside it."""
    return _CHECKOUT / "shared/data" / name, _CHECKOUT.parent / "shared/data" / name


MNIST = Source(
    title="MNIST",
    variable="M2VAE_MNIST",
    folders=_shared("mnist"),
    url="https://ossci-datasets.s3.amazonaws.com/mnist/",
    md5={
        "train-images-idx3-ubyte": "f68b3c2dcbeaaa9fbdd348bbdeb94873",
        "train-labels-idx1-ubyte": "d53e105ee54ea40749a09fcbcd1e9432",
        "t10k-images-idx3-ubyte": "9fb629c4189551a2d022fa330f9573f3",
        "t10k-labels-idx1-ubyte": "ec29112dd5afa0611ce80d1b7f02629c",
    },
    sha256={
        "train-images-idx3-ubyte": (
            "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db"
        ),
        "train-labels-idx1-ubyte": (
            "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5"
        ),
        "t10k-images-idx3-ubyte": (
            "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7"
        ),
        "t10k-labels-idx1-ubyte": (
            "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2"
        ),
    },
)
"""Handwritten digits (LeCun, Cortes, Burges)."""

FASHION_MNIST = Source(
    title="Fashion-MNIST",
    variable="M2VAE_FASHION_MNIST",
    folders=(Path("/usr/share/datasets/fashion-mnist"), *_shared("fashion-mnist")),
    url="http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
    md5={
        "train-images-idx3-ubyte": "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
        "train-labels-idx1-ubyte": "25c81989df183df01b3e8a0aad5dffbe",
        "t10k-images-idx3-ubyte": "bef4ecab320f06d8554ea6380940ec79",
        "t10k-labels-idx1-ubyte": "bb300cfdad3c16e7a12a480ee83cd310",
    },
    sha256={
        "train-images-idx3-ubyte": (
            "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888"
        ),
        "train-labels-idx1-ubyte": (
            "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9"
        ),
        "t10k-images-idx3-ubyte": (
            "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b"
        ),
        "t10k-labels-idx1-ubyte": (
            "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34"
        ),
    },
    hint="as root, apt-get install dataset-fashion-mnist (Debian, Ubuntu)",
)
"""Articles of clothing (Xiao, Rasul, Vollgraf 2017; MIT licence)."""
