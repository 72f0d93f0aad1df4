"""From journal records to facts: the few readings that KPIs need, picked out of all that pass by."""

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

from gateway.kpi.asset import POWER, AssetModel
from gateway.kpi.entries import POINT, Entry, Fact, fact_of, interval_of, load
from gateway.kpi.facts import Series, merge, text_code
from gateway.kpi.intervals import Interval
from gateway.kpi.segments import RENEWED, RESUMED, UP
from gateway.model import Batch, Reason, Tag, TagTable, TagType, is_usable, uncertain

_log = logging.getLogger("lineside.kpi")
SESSION: Final = "session"
_UP_AGAIN: Final = {uncertain(Reason.NOT_CONNECTED): RESUMED, uncertain(Reason.MISSING): RENEWED}
Key = tuple[str, str]
"""Owner (asset or `source/<source>`) and role."""
_EVENTS: Final = ("increment", "pulse", "measure")
"""Kinds whose readings each count, so that none may stand for another."""
_OWN_LIFE: Final[Key] = ("gateway", "alive")


@dataclass(frozen=True, slots=True)
class Taken:
    """What was picked since the last time.

    facts        facts by owner and role
    intervals    what people said of stretches of time, by asset
    entries      asset and entry of everything that people booked
    power        newest usable power by asset: time in ms and the tag's value
    texts        texts of state codes
    presence_ms  newest presence; None before the first
    position     of the newest record
    """

    facts: Mapping[Key, Series]
    power: Mapping[str, tuple[int, float]]
    texts: Mapping[float, str]
    presence_ms: int | None
    position: int
    intervals: Mapping[str, tuple[Interval, ...]] = field(default_factory=dict)
    entries: tuple[tuple[str, Entry], ...] = ()


_Chunk = tuple[NDArray[np.int16], NDArray[np.int64], NDArray[np.float64], NDArray[np.bool_], NDArray[np.int64]]
"""slot, time_ms, value, usable, and the time within its millisecond in ns."""


@dataclass(frozen=True, slots=True)
class _Slot:
    """Readings of one tag name, and whom they are for."""

    targets: list[Key]
    is_text: bool


class Intake:
    """Collects facts between two visits of the worker. Lives on the event loop, so everything is one vector step."""

    def __init__(
        self,
        models: Mapping[str, AssetModel],
        tags: TagTable,
        position: int = 0,
        presence_ms: int | None = None,
        lateness_ms: int = 900_000,
    ) -> None:
        self._tags = tags
        self._lateness_ms = lateness_ms
        self._assets = frozenset(models)
        self._wanted: dict[str, list[Key]] = {}
        bound = [(asset.name, binding) for asset in models.values() for binding in asset.bindings.values()]
        for name, binding in bound:
            if binding.tag >= 0:
                self._wanted.setdefault(tags[binding.tag].name, []).append((name, binding.role))
        self._events = frozenset((name, binding.role) for name, binding in bound if binding.kind in _EVENTS)
        self.position = position
        self.presence_ms = presence_ms
        self.newest_ms = 0
        self.pending = self.entered = 0
        self._entries: list[tuple[str, Entry]] = []
        self._chunks: list[_Chunk] = []
        self._texts: dict[float, str] = {}
        self._slots: list[_Slot] = []
        self._slot_by_tag: dict[tuple[str, bool], int] = {}
        self._index()

    def _index(self) -> None:
        """Tag id → slot. By name, so that older ids of a tag whose definition changed keep their meaning."""
        self._indexed = len(self._tags)
        lookup = {tag_id: self._slot(tag) for tag_id, tag in self._tags if self._targets(tag.name)}
        # one entry beyond the last id: `take` clips ids that are newer than the index to it
        self._slot_of = np.full(max(lookup, default=-1) + 2, -1, np.int16)
        self._slot_of[list(lookup)] = list(lookup.values())
        first = [slot.targets[0] for slot in self._slots]
        self._presence = np.array([key == _OWN_LIFE or key[1] == SESSION for key in first], bool)
        self._text_slot = np.array([slot.is_text for slot in self._slots], bool)
        self._entry_slot = np.array([key[1] == POINT for key in first], bool)

    def _targets(self, name: str) -> list[Key]:
        owner, _, point = name.rpartition("/")
        if (owner, point) == _OWN_LIFE or (point == SESSION and owner.startswith("source/")):
            return [(owner, point)]
        if point == POINT and owner in self._assets:
            return [(owner, POINT)]
        return self._wanted.get(name, [])

    def _slot(self, tag: Tag) -> int:
        key = (tag.name, tag.type is TagType.TEXT)
        if key not in self._slot_by_tag:
            self._slot_by_tag[key] = len(self._slots)
            self._slots.append(_Slot(self._targets(tag.name), key[1]))
        return self._slot_by_tag[key]

    def take(self, position: int, batch: Batch) -> None:
        """Picks the facts out of a record's batch."""
        if len(self._tags) != self._indexed:
            self._index()
        self.position = position
        slots = self._slot_of.take(batch.tag, mode="clip")
        rows = np.flatnonzero(slots >= 0)
        if not len(rows):
            return
        slots = slots[rows]
        booked = self._entry_slot[slots]
        if booked.any():
            self._enter(batch, rows[booked], slots[booked])
            rows, slots = rows[~booked], slots[~booked]
            if not len(rows):
                return
        time_ms = batch.time_ns[rows] // 1_000_000
        quality = batch.quality[rows]
        values, usable = batch.value[rows], is_usable(quality)
        if self._text_slot[slots].any():
            values = self._coded(batch, slots, values, usable)
        present = self._presence[slots]
        if present.any():
            self._advance(slots[present], time_ms[present])
            # a session that is down is a bad reading of the session tag, but certain knowledge to us
            ups = np.select([quality == code for code in _UP_AGAIN], list(_UP_AGAIN.values()), UP)
            values = np.where(present, np.where((values != 0) & usable, ups, 0.0), values)
            usable = usable | present
        self.newest_ms = max(self.newest_ms, int(time_ms.max()))
        self.pending += len(rows)
        self._chunks.append((slots, time_ms, values, usable, batch.time_ns[rows] % 1_000_000))

    def _enter(self, batch: Batch, rows: NDArray[np.intp], slots: NDArray[np.int16]) -> None:
        """Takes what people booked; that is about any time, so it moves no clock."""
        for value, slot in zip(batch.value[rows].tolist(), slots.tolist(), strict=True):
            asset = self._slots[slot].targets[0][0]
            try:
                self._entries.append((asset, load(batch.text(value))))
            except ValueError as exc:
                _log.error("%s: %s: ignored", asset, exc)
        self.entered += len(rows)
        self.pending += len(rows)

    def _advance(self, slots: NDArray[np.int16], time_ms: NDArray[np.int64]) -> None:
        """Presence goes forward. Back only where `gateway/alive` does, by more than the lateness: its clock was set."""
        for slot, stamp_ms in zip(slots.tolist(), time_ms.tolist(), strict=True):
            newest_ms = self.presence_ms
            is_own = self._slots[slot].targets[0] == _OWN_LIFE
            if newest_ms is None or stamp_ms > newest_ms or (is_own and stamp_ms < newest_ms - self._lateness_ms):
                self.presence_ms = stamp_ms

    def _coded(
        self, batch: Batch, slots: NDArray[np.int16], values: NDArray[np.float64], usable: NDArray[np.bool_]
    ) -> NDArray[np.float64]:
        values = values.copy()
        for row in np.flatnonzero(self._text_slot[slots] & usable).tolist():
            text = batch.text(values[row])
            if self._presence[slots[row]]:
                values[row] = float(text == "up")
            else:
                values[row] = text_code(text)
                self._texts[values[row]] = text
        return values

    def drain(self) -> Taken:
        """Hands over what was picked; nothing is pending afterwards."""
        chunks, self._chunks, self.pending = self._chunks, [], 0
        texts, self._texts = self._texts, {}
        entries, self._entries = tuple(self._entries), []
        found, said = _booked_facts(entries)
        texts |= said
        power: dict[str, tuple[int, float]] = {}
        if chunks:
            slots, time_ms, value, usable, within_ns = (np.concatenate(column) for column in zip(*chunks, strict=True))
            order = np.argsort(slots, kind="stable")
            edges = np.flatnonzero(np.diff(slots[order], prepend=-1, append=len(self._slots)))
            for low, high in pairwise(edges.tolist()):
                rows = order[low:high]
                read = (time_ms[rows], value[rows], usable[rows])
                slot = self._slots[slots[rows[0]]]
                each = {event: Series.of(*read, within_ns[rows] if event else None) for event in self._kinds(slot)}
                self._deal(each, slot, found, power)
        return Taken(found, power, texts, self.presence_ms, self.position, _booked_intervals(entries), entries)

    def _kinds(self, slot: _Slot) -> set[bool]:
        """Whether the slot's targets take its readings as events, as values, or both."""
        return {key in self._events for key in slot.targets}

    def _deal(
        self, each: Mapping[bool, Series], slot: _Slot, found: dict[Key, Series], power: dict[str, tuple[int, float]]
    ) -> None:
        for key in slot.targets:
            series = each[key in self._events]
            owner, role = key
            if role == POWER:
                known = np.flatnonzero(series.usable)
                if len(known):
                    power[owner] = (int(series.time_ms[known[-1]]), float(series.value[known[-1]]))
            elif owner != "gateway":
                found[key] = merge(found.get(key, Series.empty()), series)


def _booked_facts(entries: Iterable[tuple[str, Entry]]) -> tuple[dict[Key, Series], dict[float, str]]:
    """The facts in what people booked, and the texts of their codes."""
    rows: dict[Key, list[Fact]] = {}
    for asset, entry in entries:
        if fact := fact_of(entry):
            rows.setdefault((asset, fact.role), []).append(fact)
    texts = {fact.value: fact.text for facts in rows.values() for fact in facts if fact.text is not None}
    found = {
        key: Series.of(
            [fact.time_ms for fact in facts],
            [fact.value for fact in facts],
            [fact.usable for fact in facts],
            [fact.seq for fact in facts],
            [fact.revision for fact in facts],
        )
        for key, facts in rows.items()
    }
    return found, texts


def _booked_intervals(entries: Iterable[tuple[str, Entry]]) -> dict[str, tuple[Interval, ...]]:
    found: dict[str, list[Interval]] = {}
    for asset, entry in entries:
        if interval := interval_of(entry):
            found.setdefault(asset, []).append(interval)
    return {asset: tuple(intervals) for asset, intervals in found.items()}
