"""Replies → a column of values, qualities and texts, for a whole poll at once. No I/O."""

from collections.abc import Mapping, Sequence
from itertools import accumulate
from math import isfinite
from types import MappingProxyType
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from adapters.modbus.checks import Check, Memory, checks_of
from adapters.modbus.numbers import Numbers, bytes_of, start_of
from adapters.modbus.plan import Block
from adapters.modbus.point import Point
from adapters.modbus.strings import Names
from gateway.model import GOOD, Reason, bad

_NO_FAILURE: Final[Mapping[int, int]] = MappingProxyType({})


class Column(NamedTuple):
    """Decoded points in their order: value float64[n] (NaN where bad), quality uint8[n], and the texts of readings."""

    value: NDArray[np.float64]
    quality: NDArray[np.uint8]
    texts: tuple[str, ...]


class Decoder:
    """Turns an image, the blocks' reply data one behind the other, into values and qualities.

    Points that no block brings are bad (quarantined) in every column. It works in buffers of its own: one image at a
    time. What must be known from one poll to the next is in `memory`, which decoders of one device share.
    """

    def __init__(self, points: Sequence[Point], blocks: Sequence[Block], memory: Memory | None = None) -> None:
        self.offsets = tuple(accumulate((block.nbytes for block in blocks), initial=0))
        self.block_of = np.full(len(points), -1, np.intp)
        for number, block in enumerate(blocks):
            self.block_of[list(block.points)] = number
        self._rows_of = [np.array(block.points, np.intp) for block in blocks]
        present = [i for i in range(len(points)) if self.block_of[i] >= 0]
        starts = {i: start_of(points[i], blocks[self.block_of[i]], self.offsets[self.block_of[i]]) for i in present}
        self._numbers = Numbers(points, starts, self.offsets[-1])
        self._quality = np.where(self.block_of < 0, bad(Reason.QUARANTINED), GOOD).astype(np.uint8)
        self._checks: list[Check] = [*self._numbers.checks, *checks_of(points, memory or Memory())]
        strings = {i: bytes_of(points[i], starts[i][0])[::-1] for i in present if points[i].type == "string"}
        self._names = Names(points, strings)

    @np.errstate(invalid="ignore", over="ignore")  # signalling NaNs and overflow end up bad
    def decode(self, image: bytes, failed: Mapping[int, int] = _NO_FAILURE) -> Column:
        """The column of one image.

        image:  reply data of all blocks in order, `offsets[-1]` bytes; anything where a block failed
        failed: block number → quality of its points
        """
        value, quality = self._numbers.take(image), self._quality.copy()
        for number, why in failed.items():
            rows = self._rows_of[number]
            value[rows], quality[rows] = np.nan, why
        for check in self._checks:
            check(value, quality)
        texts = self._names.apply(image, value, quality)
        if not isfinite(value.dot(value)):  # four times cheaper than to look at each value
            odd = ~np.isfinite(value)
            value[odd] = np.nan
            quality[odd & (quality == GOOD)] = bad(Reason.NOT_A_NUMBER)
        return Column(value, quality, texts)
