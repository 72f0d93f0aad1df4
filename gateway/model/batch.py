"""Readings as columns: the only thing that flows through Lineside."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from gateway.model.quality import GOOD


@dataclass(frozen=True, slots=True)
class Reading:
    """One row of a batch. `value` is the text itself only where the caller resolved it with `Batch.text`."""

    tag: int
    time_ns: int
    value: float
    quality: int


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """n readings in four columns and one side list; the arrays are read-only.

    tag      int32[n]    ids from the TagTable
    time_ns  int64[n]    UTC: stamped when the reply arrived, or the payload's own time
    value    float64[n]  bool 0.0/1.0; integers exact to 2**53; for a text tag the index into `texts`
    quality  uint8[n]    see `gateway.model.quality`; it, never NaN, says that a value is missing
    """

    tag: NDArray[np.int32]
    time_ns: NDArray[np.int64]
    value: NDArray[np.float64]
    quality: NDArray[np.uint8]
    texts: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        n = len(self.tag)
        if not (len(self.time_ns) == len(self.value) == len(self.quality) == n):
            raise ValueError("the columns of a batch must have one length")
        for column in (self.tag, self.time_ns, self.value, self.quality):
            column.flags.writeable = False

    def __len__(self) -> int:
        return len(self.tag)

    def __iter__(self) -> Iterator[Reading]:
        rows = zip(self.tag.tolist(), self.time_ns.tolist(), self.value.tolist(), self.quality.tolist(), strict=True)
        return (Reading(*row) for row in rows)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Batch):
            return NotImplemented
        return self.texts == other.texts and self._bytes() == other._bytes()

    def _bytes(self) -> tuple[bytes, ...]:
        return self.tag.tobytes(), self.time_ns.tobytes(), self.value.tobytes(), self.quality.tobytes()

    __hash__ = None  # type: ignore[assignment]  # columns are not hashable

    @property
    def nbytes(self) -> int:
        """Bytes that the columns and texts hold in memory, for bounds on queues."""
        return 21 * len(self) + sum(map(len, self.texts))

    def where(self, mask: NDArray[np.bool_]) -> "Batch":
        """The rows where `mask` (bool[n]) is true."""
        return Batch(self.tag[mask], self.time_ns[mask], self.value[mask], self.quality[mask], self.texts)

    def text(self, value: float) -> str:
        """The text that a text reading's value stands for."""
        return self.texts[int(value)]

    @staticmethod
    def empty() -> "Batch":
        """A batch without readings."""
        return Batch(np.empty(0, np.int32), np.empty(0, np.int64), np.empty(0, np.float64), np.empty(0, np.uint8))

    @staticmethod
    def concat(batches: Sequence["Batch"], is_text: NDArray[np.bool_] | None = None) -> "Batch":
        """One batch of all rows in order.

        is_text: bool[max tag id + 1], true for text tags; needed where a batch has texts, to re-index them.
        """
        values: list[NDArray[np.float64]] = []
        texts: list[str] = []
        for batch in batches:
            if batch.texts and is_text is None:
                raise ValueError("concat of batches with texts needs is_text")
            if batch.texts and is_text is not None and texts:
                values.append(np.where(is_text[batch.tag], batch.value + len(texts), batch.value))
            else:
                values.append(batch.value)
            texts.extend(batch.texts)
        if not batches:
            return Batch.empty()
        return Batch(
            np.concatenate([b.tag for b in batches]),
            np.concatenate([b.time_ns for b in batches]),
            np.concatenate(values),
            np.concatenate([b.quality for b in batches]),
            tuple(texts),
        )


@dataclass(slots=True)
class BatchBuilder:
    """Collects single readings of event sources into one batch."""

    _tag: list[int] = field(default_factory=list)
    _time_ns: list[int] = field(default_factory=list)
    _value: list[float] = field(default_factory=list)
    _quality: list[int] = field(default_factory=list)
    _texts: dict[str, int] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self._tag)

    def add(self, tag: int, time_ns: int, value: float, quality: int = GOOD) -> None:
        """Adds a number or a bool."""
        self._tag.append(tag)
        self._time_ns.append(time_ns)
        self._value.append(float(value))
        self._quality.append(quality)

    def add_text(self, tag: int, time_ns: int, text: str, quality: int = GOOD) -> None:
        """Adds a reading of a text tag."""
        self.add(tag, time_ns, self._texts.setdefault(text, len(self._texts)), quality)

    def build(self) -> Batch:
        """The readings so far as a batch; the builder is empty afterwards."""
        batch = Batch(
            np.array(self._tag, np.int32),
            np.array(self._time_ns, np.int64),
            np.array(self._value, np.float64),
            np.array(self._quality, np.uint8),
            tuple(self._texts),
        )
        self._tag, self._time_ns, self._value, self._quality, self._texts = [], [], [], [], {}
        return batch
