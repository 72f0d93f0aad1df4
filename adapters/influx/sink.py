"""InfluxDB and VictoriaMetrics as sinks: batches go out as compressed line protocol, one request at a time."""

import asyncio
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from isal import igzip
from numpy.typing import NDArray

from adapters.influx.config import InfluxConfig, VictoriaConfig
from adapters.influx.encode import INFLUX, VICTORIA, Encoder
from adapters.influx.http import Http, Login
from adapters.influx.prepare import Target, prepare_influx, prepare_victoria
from adapters.influx.verdict import Verdict, complaint, hold_s, judge, refused_all
from gateway.model import Batch, Site, TagTable, is_good
from gateway.ports import Clock, NotConnected, Rejected

_IN_A_THREAD: Final = 2**20  # bytes above which compressing would hold up the event loop
# What one write may spend on finding poison, in requests and in seconds: `flow` writes the rest again.
_MOST_REFUSALS: Final = 100
_LONGEST_SEARCH_S: Final = 20.0
_LONGEST_WAIT_S: Final = 30.0

Rows = NDArray[np.intp]


@dataclass(slots=True)
class _Answer:
    verdict: Verdict
    dropped: Mapping[str, int] = field(default_factory=dict)
    text: str = ""
    everything: bool = False  # each row was refused


class LineSink:
    """`ports.Sink` for every store that takes line protocol."""

    def __init__(
        self, name: str, config: InfluxConfig | VictoriaConfig, tags: TagTable, site: Site, clock: Clock
    ) -> None:
        self.name = name
        self._config = config
        self._clock = clock
        self._encoder = Encoder(tags, site, INFLUX if isinstance(config, InfluxConfig) else VICTORIA)
        self._http: Http | None = None
        self._target = Target("")
        self._hold_until = 0.0
        self._most_rows = config.batch_rows
        self._suspects: set[int] = set()  # tags of rows that were refused since the last connect

    async def connect(self) -> None:
        """Checks health, creates the database or bucket where it is missing. NotConnected: says why."""
        await self._hold()
        await self.close()
        config = self._config
        scheme = "Token" if isinstance(config, InfluxConfig) else "Bearer"
        login = await asyncio.to_thread(
            Login.load, scheme, config.username, config.password, config.token, config.token_file, config.ca_file
        )
        http = Http(config.url, login, config.timeout)
        try:
            if isinstance(config, InfluxConfig):
                self._target = await prepare_influx(http, login, config)
            else:
                self._target = await prepare_victoria(http)
        except BaseException:  # a cancelled connect must not leave its connections open either
            await http.close()
            raise
        self._http, self._most_rows = http, config.batch_rows
        self._suspects.clear()

    async def write(self, batch: Batch) -> Mapping[str, int]:
        """Sends every row; see `ports.Sink`. The dead letters' reason is the store's own text."""
        await self._hold()
        rows, dropped = self._kept(batch)
        todo = [rows[at : at + self._most_rows] for at in range(0, len(rows), self._most_rows)][::-1]
        refused: list[int] = []
        reason, refusals = "", 0
        deadline = self._clock.monotonic() + _LONGEST_SEARCH_S
        while todo:
            if refused and (refusals >= _MOST_REFUSALS or self._clock.monotonic() > deadline):
                break
            part = todo.pop()
            answer = await self._post(_take(batch, part))
            refusals += answer.verdict is not Verdict.STORED
            if answer.verdict is Verdict.STORED:
                dropped.update(answer.dropped)
            elif len(part) == 1 or answer.everything:
                refused += part.tolist()
                reason = reason or answer.text
                self._suspects.update(batch.tag[part].tolist())
            else:
                todo += self._split(batch, part, answer.verdict)
        if refused:
            raise Rejected(sorted(refused), reason)
        return dropped

    async def close(self) -> None:
        """Drops the connections; a write under way fails at once."""
        http, self._http = self._http, None
        if http is not None:
            await http.close()

    async def _post(self, batch: Batch) -> _Answer:
        if self._http is None:
            raise NotConnected("not connected")
        encoded = self._encoder.encode(batch)
        if not encoded.lines:
            return _Answer(Verdict.STORED, encoded.dropped)
        packed = await _compressed(encoded.body)
        reply = await self._http.post(self._target.path, self._target.params, packed, zipped=True)
        self._hold_until = self._clock.monotonic() + hold_s(reply.headers, self._clock.wall_ns())
        verdict = judge(reply)
        if verdict is Verdict.STORED:
            return _Answer(verdict, encoded.dropped)
        one_line_each = bool(is_good(batch.quality).all())
        everything = one_line_each and refused_all(reply.text, encoded.lines, len(batch))
        return _Answer(verdict, {}, complaint(reply), everything)

    def _split(self, batch: Batch, part: Rows, verdict: Verdict) -> list[Rows]:
        """Two smaller parts, the one to send first at the end; rows of tags that were refused before go apart."""
        middle = len(part) // 2
        if verdict is Verdict.TOO_LARGE:
            self._most_rows = min(self._most_rows, middle)
            return [part[middle:], part[:middle]]
        suspect = np.isin(batch.tag[part], list(self._suspects))
        if suspect.any() and not suspect.all():
            return [part[suspect], part[~suspect]]
        return [part[middle:], part[:middle]]

    def _kept(self, batch: Batch) -> tuple[Rows, Counter[str]]:
        """The rows of an age that the store keeps, and how many it would lose without a word."""
        now, target = self._clock.wall_ns(), self._target
        late = np.zeros(len(batch), np.bool_)
        early = late
        if target.past_ns is not None:
            late = batch.time_ns < now - target.past_ns
        if target.future_ns is not None:
            early = batch.time_ns > now + target.future_ns
        dropped = {"older than the store keeps": int(late.sum()), "too far in the future": int(early.sum())}
        return np.flatnonzero(~(late | early)), Counter({reason: n for reason, n in dropped.items() if n})

    async def _hold(self) -> None:
        """Waits out a short pause that the store asked for; a long one is for `flow`."""
        left = self._hold_until - self._clock.monotonic()
        if left > _LONGEST_WAIT_S:
            raise NotConnected(f"the store asked for a pause of {left:.0f} s more")
        if left > 0:
            await self._clock.sleep(left)


def _take(batch: Batch, rows: Rows) -> Batch:
    if len(rows) == len(batch):
        return batch
    return Batch(batch.tag[rows], batch.time_ns[rows], batch.value[rows], batch.quality[rows], batch.texts)


async def _compressed(body: bytes) -> bytes:
    if len(body) < _IN_A_THREAD:
        return igzip.compress(body, 1)
    return await asyncio.to_thread(igzip.compress, body, 1)


def build(name: str, config: InfluxConfig | VictoriaConfig, tags: TagTable, site: Site, clock: Clock) -> LineSink:
    """The sink of a config section."""
    return LineSink(name, config, tags, site, clock)
