# SPDX-License-Identifier: Apache-2.0
"""Changes of bytes, as a fuzzer makes them: of single bits, of lengths, of parts left out or twice.

The kinds are those of a fuzzer's havoc stage (AFL, Zalewski, technical_details.txt, "Mutation
strategies"), with the lengths and counts of CDR, which are 32 bits, overwritten by extremes.
"""

from __future__ import annotations

import random
import struct
from collections.abc import Callable

MOST_CHANGES = 4
"""Of one message."""

EXTREMES = (0, 1, 2, 0xFF, 0x7FFF, 0xFFFF, 0x10000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)

_WORD = 4
_LONGEST_PART = 32


def mutated(data: bytes, generator: random.Random) -> bytes:
    """The same bytes after one to `MOST_CHANGES` changes, which may undo each other.

    At least one is left: Fast DDS gives an empty message to no other process, nor anything that its
    writer says after it.
    """
    changed = bytearray(data)
    for _ in range(generator.randint(1, MOST_CHANGES)):
        generator.choice(_CHANGES if changed else _CHANGES_OF_NOTHING)(changed, generator)
    return bytes(changed) or b"\0"


def _flip_bit(data: bytearray, generator: random.Random) -> None:
    data[generator.randrange(len(data))] ^= 1 << generator.randrange(8)


def _set_byte(data: bytearray, generator: random.Random) -> None:
    data[generator.randrange(len(data))] = generator.randrange(256)


def _set_word(data: bytearray, generator: random.Random) -> None:
    """Where CDR may have a length: at a multiple of four."""
    at = _WORD * generator.randrange(max(1, len(data) // _WORD))
    value = generator.choice((*EXTREMES, generator.randrange(2 * len(data))))
    data[at : at + _WORD] = struct.pack("<I", value)


def _set_number(data: bytearray, generator: random.Random) -> None:
    """Where it may have a number that is no number."""
    at = _WORD * generator.randrange(max(1, len(data) // _WORD))
    number = generator.choice((float("nan"), float("inf"), -float("inf"), 3e38, -1e-40))
    data[at : at + _WORD] = struct.pack("<f", number)


def _cut(data: bytearray, generator: random.Random) -> None:
    del data[generator.randrange(len(data)) :]


def _leave_out(data: bytearray, generator: random.Random) -> None:
    begin = generator.randrange(len(data))
    del data[begin : begin + generator.randint(1, _LONGEST_PART)]


def _double(data: bytearray, generator: random.Random) -> None:
    begin = generator.randrange(len(data))
    data[begin:begin] = data[begin : begin + generator.randint(1, _LONGEST_PART)]


def _insert(data: bytearray, generator: random.Random) -> None:
    begin = generator.randint(0, len(data))
    data[begin:begin] = generator.randbytes(generator.randint(1, _LONGEST_PART))


_CHANGES_OF_NOTHING: tuple[Callable[[bytearray, random.Random], None], ...] = (_insert,)
_CHANGES = (
    _flip_bit,
    _set_byte,
    _set_word,
    _set_number,
    _cut,
    _leave_out,
    _double,
    *_CHANGES_OF_NOTHING,
)
