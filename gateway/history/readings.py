"""Readings as the history holds them: columns with times in ms, sorted by tag and time."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from gateway.model import Batch, is_usable

_NS_PER_MS = 1_000_000
_RADIX_LIMIT = 1 << 16  # numpy sorts uint16 by radix, many times faster than wider integers


@dataclass(frozen=True, slots=True)
class Readings:
    """n readings, all numeric or all text.

    tag      int32[n]
    time_ms  int64[n]    UTC
    value    float64[n]  for texts the index into `texts`
    quality  uint8[n]
    texts    () for numbers
    """

    tag: NDArray[np.int32]
    time_ms: NDArray[np.int64]
    value: NDArray[np.float64]
    quality: NDArray[np.uint8]
    texts: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.tag)

    def __getitem__(self, rows: slice | NDArray[np.intp] | NDArray[np.bool_]) -> "Readings":
        return Readings(self.tag[rows], self.time_ms[rows], self.value[rows], self.quality[rows], self.texts)

    def text(self, row: int) -> str | None:
        """The text of a row, None where the readings are numbers."""
        return self.texts[int(self.value[row])] if self.texts else None

    def runs(self) -> NDArray[np.intp]:
        """Where each tag's run starts, plus n at the end; for sorted readings. intp[tags + 1]."""
        return edges(self.tag)

    def sorted(self) -> "Readings":
        """Ordered by tag, then time; readings of one tag and time stay in order of arrival."""
        if not len(self):
            return self
        key = self.tag.astype(np.uint16) if self.tag.min() >= 0 and self.tag.max() < _RADIX_LIMIT else self.tag
        ordered = self[np.argsort(key, kind="stable")]
        backwards = (ordered.time_ms[1:] < ordered.time_ms[:-1]) & (ordered.tag[1:] == ordered.tag[:-1])
        return self[np.lexsort((self.time_ms, self.tag))] if backwards.any() else ordered

    def split(self, bounds: NDArray[np.intp]) -> "Iterator[Readings]":
        """The rows between each two neighbouring bounds."""
        return (self[start:end] for start, end in pairwise(bounds.tolist()))

    def with_own_texts(self) -> "Readings":
        """The same rows with only the texts that they use."""
        if not self.texts:
            return self
        used, inverse = np.unique(self.value.astype(np.intp), return_inverse=True)
        texts = tuple(self.texts[i] for i in used.tolist())
        return Readings(self.tag, self.time_ms, inverse.astype(np.float64), self.quality, texts)

    @staticmethod
    def of_numbers(batch: Batch) -> "Readings":
        """Readings of numeric tags, in the batch's order."""
        return Readings(batch.tag, batch.time_ns // _NS_PER_MS, batch.value, batch.quality)

    @staticmethod
    def of_texts(batch: Batch) -> "Readings":
        """Readings of text tags, in the batch's order; an unusable reading has the text ""."""
        index = np.where(is_usable(batch.quality), batch.value, -1).astype(np.int64)
        used, inverse = np.unique(index, return_inverse=True)
        texts = tuple("" if i < 0 else batch.texts[i] for i in used.tolist())
        return Readings(batch.tag, batch.time_ns // _NS_PER_MS, inverse.astype(np.float64), batch.quality, texts)

    @staticmethod
    def concat(parts: Sequence["Readings"]) -> "Readings":
        """All rows in order; equal texts share one index."""
        index: dict[str, int] = {}
        values = []
        for part in parts:
            here = np.array([index.setdefault(text, len(index)) for text in part.texts], np.float64)
            values.append(here[part.value.astype(np.intp)] if part.texts else part.value)
        if not parts:
            return Readings.of_numbers(Batch.empty())
        return Readings(
            np.concatenate([part.tag for part in parts]),
            np.concatenate([part.time_ms for part in parts]),
            np.concatenate(values),
            np.concatenate([part.quality for part in parts]),
            tuple(index),
        )


def edges(*keys: NDArray[np.signedinteger]) -> NDArray[np.intp]:
    """Where any of the keys changes: the first row of each run, plus n at the end. ints[n] → intp[runs + 1]."""
    n = len(keys[0])
    if not n:
        return np.zeros(1, np.intp)
    change = np.zeros(n - 1, np.bool_)
    for key in keys:
        change |= key[1:] != key[:-1]
    return np.concatenate([[0], np.flatnonzero(change) + 1, [n]])
