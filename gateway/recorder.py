"""`lineside record`: what a site has measured, out of its history, as a recording to replay or to give away."""

import asyncio
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from gateway.config import Config, models
from gateway.health import ALIVE
from gateway.history.file import NoHistory
from gateway.history.query import HistoryReader, UnknownTag
from gateway.history.readings import Readings
from gateway.model import Batch, Tag, TagTable
from gateway.ports import Unusable
from gateway.recording import create_recording, is_raw
from gateway.recording.disguise import Disguise

_READINGS: Final = 4_000_000  # of one slice, about: bounds the memory
_LONGEST_MS: Final = 6 * 3_600_000
_SHORTEST_MS: Final = 10 * 60_000
_ARRIVED_S: Final = 8.0  # until the newest readings are in the history


@dataclass(frozen=True, slots=True)
class Span:
    """From and to, UTC ms; None: as far as there is something."""

    from_ms: int | None = None
    to_ms: int | None = None


@dataclass(slots=True)
class Recorded:
    """What was written. tags: how many have readings."""

    readings: int = 0
    tags: int = 0
    from_ms: int = 0
    to_ms: int = 0


async def wait_for(seconds: float, stop: asyncio.Event, show: Callable[[float], None]) -> Span:
    """Waits so long, or until `stop` is set, and until what arrived is in the history; returns the time that passed.

    show: called with how much of the time is over, 0 to 1
    """
    start, from_ms = time.monotonic(), time.time_ns() // 1_000_000
    while not stop.is_set() and time.monotonic() - start < seconds:
        show((time.monotonic() - start) / seconds)
        try:
            async with asyncio.timeout(min(0.5, seconds)):
                await stop.wait()
        except TimeoutError:
            continue
    to_ms = time.time_ns() // 1_000_000
    await asyncio.sleep(_ARRIVED_S)
    return Span(from_ms, to_ms)


def record(config: Config, file: Path, span: Span, key: str | None, show: Callable[[float], None]) -> Recorded:
    """Writes a recording of everything measured in a span; a running gateway goes on undisturbed.

    Args:
        config: of the site; its tags are recorded, its KPIs are not: a replay computes them again.
        file: its name says how it is written.
        span: of time.
        key: where names, scales and dates are to be made unrecognisable; the same key gives the same again.
        show: called with how much is written, 0 to 1.

    Raises:
        Unusable: there is no history, nothing in that span, or the file cannot be written.
    """
    history = HistoryReader(config.data_file("history.db"))
    try:
        known = {known.name for known in history.tags()}
        tags = {tag.name: tag for tag in (*config.tags, ALIVE) if tag.name in known and is_recorded(tag.name)}
        whole = _whole(history, config, tags, span)
        disguise = Disguise(key, tags, _roles(config)) if key else None
        return _write(file, _pages(history, tags, whole, disguise), disguise.dictionary() if disguise else tags, show)
    except NoHistory as exc:
        raise Unusable(f"{config.data_file('history.db')} is not there: run the gateway first") from exc
    finally:
        history.close()


def is_recorded(name: str) -> bool:
    """What was measured, and the proofs that somebody was there to measure it."""
    return is_raw(name) or name == ALIVE.name


def _roles(config: Config) -> dict[str, str]:
    table = TagTable(enumerate(config.tags))
    found = models(config.root, table).values()
    return {binding.tag_name: role for model in found for role, binding in model.bindings.items() if binding.tag_name}


def _whole(history: HistoryReader, config: Config, tags: Mapping[str, Tag], span: Span) -> tuple[int, int]:
    """The span in full. Unusable: nothing is there."""
    newest = [found.time_ms for found in history.latest(list(tags)).values()]
    now_ms = max(newest, default=0)
    from_ms = now_ms - round(1000 * config.root.retention.readings) if span.from_ms is None else span.from_ms
    to_ms = now_ms + 1 if span.to_ms is None else span.to_ms
    if not newest or from_ms > now_ms:
        raise Unusable(
            "the history has no reading in that time: is the gateway running? Start `lineside run`, or say --from"
        )
    if to_ms <= from_ms:
        raise Unusable("the recording would end before it begins: --from must be before --to")
    return from_ms, to_ms


def _pages(
    history: HistoryReader, tags: Mapping[str, Tag], span: tuple[int, int], disguise: Disguise | None
) -> Iterator[tuple[float, Batch]]:
    """How much is done, and the readings of one slice of time after the other, each in the order of time.

    The tag numbers of a batch count `tags`.
    """
    from_ms, to_ms = span
    slice_ms = min(_LONGEST_MS, max(_SHORTEST_MS, 1000 * _READINGS // max(1, len(tags))))
    for start in range(from_ms, to_ms, slice_ms):
        end = min(start + slice_ms, to_ms)
        parts = []
        for number, name in enumerate(tags):
            try:
                readings = history.raw(name, start, end)
            except UnknownTag:
                continue
            if len(readings):
                batch = _batch(number, readings)
                parts.append(disguise.of(name, batch) if disguise else batch)
        yield (end - from_ms) / (to_ms - from_ms), _merged(parts)


def _batch(number: int, readings: Readings) -> Batch:
    tag = np.full(len(readings), number, np.int32)
    return Batch(tag, readings.time_ms * 1_000_000, readings.value.copy(), readings.quality.copy(), readings.texts)


def _merged(parts: list[Batch]) -> Batch:
    """One batch of several tags' readings, in the order of time."""
    numbers = [int(part.tag[0]) for part in parts if part.texts]
    is_text = np.zeros(max((int(part.tag[0]) for part in parts), default=0) + 1, np.bool_)
    is_text[numbers] = True
    whole = Batch.concat(parts, is_text)
    order = np.argsort(whole.time_ns, kind="stable")
    return Batch(whole.tag[order], whole.time_ns[order], whole.value[order], whole.quality[order], whole.texts)


def _write(
    file: Path, pages: Iterator[tuple[float, Batch]], tags: Mapping[str, Tag], show: Callable[[float], None]
) -> Recorded:
    found, seen = Recorded(), np.zeros(len(tags), np.bool_)
    writer = create_recording(file, tags)
    names = dict(enumerate(tags))
    try:
        for done, page in pages:
            writer.write(page, names)
            seen[page.tag] = True
            if len(page):
                found.from_ms = found.from_ms or int(page.time_ns[0]) // 1_000_000
                found.to_ms = int(page.time_ns[-1]) // 1_000_000
            found.readings += len(page)
            show(done)
    except BaseException:
        writer.discard()
        raise
    if not found.readings:
        writer.discard()
        raise Unusable("the history has no reading in that time: is the gateway running? Start `lineside run`")
    writer.close()
    found.tags = int(seen.sum())
    return found
