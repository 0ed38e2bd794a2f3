# SPDX-License-Identifier: Apache-2.0
"""What becomes 0 and 1 of a drafted view: as far as the readings in the bags reach."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from m2vae_ros.bags.context import robot_of
from m2vae_ros.bags.reader import BagTopic, Decoder, find_bags, messages_of
from m2vae_ros.bags.topics import FoundTopic
from m2vae_ros.datasets.errors import DataError
from m2vae_ros.sensors import ObservationError
from m2vae_ros.sensors.fields import values
from m2vae_ros.sensors.views.depth import metres

LOOKED_AT = 1000
"""Messages of a topic that are looked at; of more about as many, evenly spaced."""

MOST_OF_A_PICTURE = 0.99
"""Share of its depths that `max_depth` reaches to: a few pixels that see nothing say anything."""

_LEAST = float(np.finfo(np.float32).tiny)
"""Between two readings that the model can tell apart."""


def set_scales(
    plain: Mapping[str, Any],
    topics: Sequence[FoundTopic],
    paths: Iterable[Path],
    progress: Callable[[float], object] = lambda share: None,
) -> None:
    """Set `offset` and `scale` of a draft's vectors and `max_depth` of its depths, in place.

    Args:
        plain: the draft.
        topics: of which it was made.
        paths: the bags that these are in.
        progress: called with the share that lies behind.

    Raises:
        DataError: a bag is damaged.
    """
    modalities = plain["modalities"]
    carried = {
        topic.name: [
            name
            for name, modality in modalities.items()
            if robot_of(topic.name, modality["topic"]) is not None
            and modality["type"] == topic.type
            and modality["view"]["kind"] in _READERS
        ]
        for topic in topics
    }
    every = {topic.name: math.ceil(topic.count / LOOKED_AT) for topic in topics}
    heard: Counter[str] = Counter()
    ends: dict[str, list[float]] = defaultdict(list)
    decode = Decoder()
    files = find_bags(paths) if any(carried.values()) else []

    def wanted(topic: BagTopic) -> bool:
        return bool(carried[topic.name]) and not decode.differs(topic)

    for index, file in enumerate(files):

        def passed(share: float, index: int = index) -> None:
            progress((index + share) / len(files))

        for message in messages_of(file, wanted, passed):
            topic = message.topic.name
            heard[topic] += 1
            if heard[topic] % every[topic]:
                continue
            for name in carried[topic]:
                view = modalities[name]["view"]
                # a message that does not fit is named by whoever checks the suite
                with suppress(DataError, ObservationError):
                    ends[name].extend(_READERS[view["kind"]](view, decode(message)))
    progress(1.0)
    for name, found in ends.items():
        if found:
            view = modalities[name]["view"]
            reach = _upwards if view["kind"] == "depth" else _between
            view.update(reach(min(found), max(found)))


def _numbers(view: Mapping[str, Any], message: Any) -> tuple[float, ...]:
    found = np.concatenate([values(message, path) for path in view["fields"]])
    return float(found.min()), float(found.max())


def _depth(view: Mapping[str, Any], message: Any) -> tuple[float, ...]:
    found = metres(message)
    seen = found[np.isfinite(found) & (found > 0.0)]
    return (float(np.quantile(seen, MOST_OF_A_PICTURE)),) if seen.size else ()


_READERS: Mapping[str, Callable[[Mapping[str, Any], Any], tuple[float, ...]]] = {
    "vector": _numbers,
    "depth": _depth,
}


def _upwards(_: float, most: float) -> dict[str, float]:
    digits = _digits(most)
    return {"max_depth": round(math.ceil(most * 10.0**digits) / 10.0**digits, digits)}


def _between(low: float, high: float) -> dict[str, float]:
    """Both rounded outwards; what hardly ever changes becomes 0."""
    if not _LEAST < high - low < math.inf:
        return {"offset": low, "scale": 1.0}
    digits = _digits(high - low)
    offset = round(math.floor(low * 10.0**digits) / 10.0**digits, digits)
    scale = round(math.ceil((high - offset) * 10.0**digits) / 10.0**digits, digits)
    return {"offset": offset, "scale": scale}


def _digits(size: float) -> int:
    """Decimals of a number of that size that keep two digits that count."""
    return 1 - math.floor(math.log10(size))
