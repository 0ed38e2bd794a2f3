# SPDX-License-Identifier: Apache-2.0
"""What is sent between robots beside the readings it was made of, and what was dropped and why."""

from __future__ import annotations

import math
from collections.abc import Mapping

import rerun as rr
from rich.filesize import decimal

from m2vae_ros.apps.view.scene import VIEW, Scene
from m2vae_ros.apps.view.sensors import DECODED, SENSED

ORIGIN = "traffic"
WORDS = "drops"


class Traffic:
    """Draws bytes over time, and tables. Args: the recording of Rerun."""

    def __init__(self, recording: rr.RecordingStream) -> None:
        self._recording = recording
        self._said = ""
        names = ["readings fused", "embeddings sent"]
        lines = rr.SeriesLines(names=names, colors=[SENSED, DECODED], widths=[2, 2])
        recording.log(ORIGIN, lines, static=True)

    def draw(self, scene: Scene) -> None:
        """A point of each curve, and the words if they have changed."""
        counts = (scene.fused_bytes, scene.sent_bytes)
        if any(counts):
            logarithms = [math.log10(count) if count else math.nan for count in counts]
            self._recording.log(ORIGIN, rr.Scalars(logarithms))
        said = "\n\n".join(filter(None, (volume(scene), advice(scene), drop_table(scene.drops))))
        if said != self._said:
            self._said = said
            document = rr.TextDocument(said, media_type=rr.MediaType.MARKDOWN)
            self._recording.log(WORDS, document)


def volume(scene: Scene) -> str:
    """How much was sent, and of how much it was made, in a sentence."""
    sent = f"**{scene.sent} embeddings, {decimal(scene.sent_bytes)} sent**"
    return f"{sent}; the readings fused were {decimal(scene.fused_bytes)}."


def advice(scene: Scene) -> str:
    """What to do where the view understands nothing of what is sent; "" where it does."""
    foreign = any(why.endswith(": fingerprint") for why in scene.drops.get(VIEW, ()))
    if scene.memory.objects() or not foreign:
        return ""
    return (
        "**The robots use other weights than this view, which therefore shows no objects: start it "
        "with theirs, `m2vae view --weights …`.**"
    )


def drop_table(drops: Mapping[str, Mapping[str, int]]) -> str:
    """How many messages each node dropped of a topic and why, in Markdown."""
    if not drops:
        return "No messages dropped."
    # names of nodes last: where there is too little room, what is on the right is not seen
    lines = ["| dropped | topic: reason | node |", "| --- | --- | --- |"]
    for node in sorted(drops):
        lines += [f"| {count} | {why} | {node} |" for why, count in sorted(drops[node].items())]
    return "\n".join(lines)
