"""The Protocols that the parts of Lineside meet at. Each method's docstring is its contract."""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from gateway.model import Batch, Tag


class NotConnected(Exception):  # noqa: N818  # control flow, not a fault: `flow` reconnects
    """The other side cannot be reached (any more). The text says what was tried and what happened."""


class Unusable(Exception):  # noqa: N818  # the state of a file or address, for its user to mend
    """A file or an address cannot be used; the text says what to do. Nothing was changed or deleted."""


class Rejected(Exception):  # noqa: N818  # data, not a fault: `flow` dead-letters the rows
    """A sink will never accept these rows; the others were not judged and are to be written again."""

    def __init__(self, rows: Sequence[int], reason: str) -> None:
        super().__init__(reason)
        self.rows = rows
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Reject:
    """A payload that could not be parsed: kept as a dead letter, then acknowledged."""

    raw: bytes
    origin: str  # topic, endpoint …
    reason: str
    time_ns: int


@dataclass(frozen=True, slots=True)
class Delivery:
    """What a source hands over at once: batch and rejects become durable in one transaction.

    ack           called on the event loop after the commit, in the order of receipt; None: nobody waits
    window_share  part of the sender's un-acknowledged window that this delivery fills (0.1 = 100 of 1,000);
                  the journal commits when half a window waits
    """

    batch: Batch
    rejects: tuple[Reject, ...] = ()
    ack: Callable[[], None] | None = None
    window_share: float = 0.0

    @property
    def nbytes(self) -> int:
        """Bytes that it holds in memory, for bounds on queues."""
        return self.batch.nbytes + sum(len(reject.raw) for reject in self.rejects)


@dataclass(frozen=True, slots=True)
class Record:
    """A committed batch, as consumers read it. `position` grows by one per batch and never repeats."""

    position: int
    producer: str
    seq: int
    received_ns: int
    batch: Batch


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of readings that a consumer is done with but did not deliver.

    dead     (rows of the sink's batch as a Batch, reason): kept as dead letters
    dropped  reason → number of readings that this consumer cannot hold (a text in a store of numbers)
    """

    dead: tuple[tuple[Batch, str], ...] = ()
    dropped: Mapping[str, int] = field(default_factory=dict)


class Clock(Protocol):
    """Time, so that tests can own it."""

    def wall_ns(self) -> int:
        """UTC now, ns since 1970: for stamps, never for schedules."""
        ...

    def monotonic(self) -> float:
        """Seconds on a clock that never jumps: for schedules and intervals."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Returns after this time on the monotonic clock."""
        ...


class Source(Protocol):
    """Something that delivers readings. Never retries by itself: `flow` owns back-off for all sources."""

    name: str

    async def connect(self) -> None:
        """Opens the connection; called again, with back-off, until it returns. NotConnected: says why."""
        ...

    def deliveries(self) -> AsyncIterator[Delivery]:
        """Delivers until the connection is lost (NotConnected) or the iterator is closed; called once per connect."""
        ...

    def counters(self) -> Mapping[str, float]:
        """What it counts about itself since the start, by name; journalled as `source/<name>/<counter>`."""
        ...

    async def close(self) -> None:
        """Releases everything; safe to call in any state, more than once, within 2 s."""
        ...


@dataclass(frozen=True, slots=True)
class Polled:
    """One line of `lineside poll`: a tag's value beside the raw material that it was made from."""

    tag: Tag
    address: str  # "holding 52", "cell/7/state $.state"
    raw: str  # "42C8 0000", the JSON text …
    value: float | str | None
    quality: int
    time_ns: int


class Pollable(Protocol):
    """A source that can show one read of everything."""

    async def poll(self) -> list[Polled]:
        """Reads every tag once (event sources: listens up to 5 s), opening what it needs. NotConnected: says why."""
        ...


class Sink(Protocol):
    """A store that takes readings. Keeps nothing: its cursor is the journal's."""

    name: str

    async def connect(self) -> None:
        """Checks health, sets the store up; called again, with back-off, until it returns. NotConnected: says why."""
        ...

    async def write(self, batch: Batch) -> Mapping[str, int]:
        """Returns when the store has accepted every row; idempotent, since a batch may come again after a crash.

        Returns how many rows the store cannot hold by reason ({} mostly). Rejected: rows that it will never accept.
        NotConnected: try the whole batch again later.
        """
        ...

    async def close(self) -> None:
        """Releases everything; safe to call in any state, more than once, within 2 s."""
        ...


class Consumer(Protocol):
    """A reader of the journal with state of its own, and its cursor in the same file and transaction."""

    def position(self) -> int:
        """The position up to which its own file is durable; it reads on from there after a start."""
        ...

    async def take(self, records: Sequence[Record]) -> int:
        """Works records in, in order; returns the position up to which its file is durable now (may lag)."""
        ...

    async def close(self) -> None:
        """Makes everything taken durable and releases the file."""
        ...


class Journal(Protocol):
    """The spine: one durable log with a cursor per consumer."""

    async def append(self, delivery: Delivery, producer: str, seq: int | None = None) -> None:
        """Accepts a delivery; waits while the journal's inbox is full. `delivery.ack` runs once it is durable.

        seq: the producer's own growing number; one that was seen already is ignored (and acknowledged).
        None: the journal counts. Readings that cannot be written (disk full) are counted as dropped, unless
        somebody waits for their acknowledgement: those are kept and tried again.
        """
        ...

    async def read(self, consumer: str, after: int | None = None) -> list[Record]:
        """The next committed records after a position, at least one: waits for it.

        after: None: after the consumer's cursor in the journal.
        """
        ...

    async def ack(self, consumer: str, position: int, outcome: Outcome | None = None) -> None:
        """The consumer is done with everything up to `position`; rides along with the next commit."""
        ...
