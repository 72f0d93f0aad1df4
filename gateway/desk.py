"""The desk: what the control socket's requests do. The one place where entries are checked and get their revisions."""

import asyncio
import uuid
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from gateway.control import Refused, Reply
from gateway.kpi.asset import AssetModel
from gateway.kpi.bookable import Bookable
from gateway.kpi.engine import Engine
from gateway.kpi.entries import COUNT, READING, SPANS, Entry, dump, entry_tag, stamp_ns
from gateway.kpi.entrybook import Booked
from gateway.kpi.facts import FOREVER_MS
from gateway.model import Batch, BatchBuilder, TagTable
from gateway.ports import Clock
from gateway.requests import Book, Correct, Draft, Listed, Ping, Recompute, Withdraw, parsed

_PATIENCE_S: Final = 30.0
_HOUR_MS: Final = 3_600_000


class Desk:
    """Answers requests, one at a time. newest: the journal's newest position."""

    def __init__(
        self,
        engine: Engine,
        models: Mapping[str, AssetModel],
        tags: TagTable,
        clock: Clock,
        newest: Callable[[], int],
    ) -> None:
        self._engine, self._models, self._tags, self._clock = engine, models, tags, clock
        self._newest = newest
        self._submit: Callable[[Batch], Awaitable[None]]
        self._one_at_a_time = asyncio.Lock()
        self._ops: dict[str, Callable[[Mapping[str, Any]], Awaitable[Reply]]] = {
            "ping": self._ping,
            "book": self._book,
            "correct": self._correct,
            "withdraw": self._withdraw,
            "list": self._list,
            "recompute": self._recompute,
        }

    def books_with(self, submit: Callable[[Batch], Awaitable[None]]) -> None:
        """submit: makes a batch durable in the journal."""
        self._submit = submit

    async def answer(self, request: Mapping[str, Any]) -> Reply:
        """The answer to a request. Refused: says why it is not done."""
        op = self._ops.get(str(request.get("op")))
        if op is None:
            raise Refused(f"no op {request.get('op')!r}: there are {', '.join(self._ops)}")
        async with self._one_at_a_time:
            return await op(request)

    async def _ping(self, request: Mapping[str, Any]) -> Reply:
        parsed(Ping, request)
        return {"assets": list(self._models)}

    async def _book(self, request: Mapping[str, Any]) -> Reply:
        wanted = parsed(Book, request)
        await self._engine_is_here()
        entries = [self._drafted(draft, wanted.by) for draft in wanted.drafts]
        known = await self._engine.entries_of([entry.id for _, entry in entries])
        rules = await self._rules()
        problems: dict[int, str] = {}
        new: list[Booked] = []
        for index, (draft, (asset, entry)) in enumerate(zip(wanted.drafts, entries, strict=True)):
            try:
                rules.check(asset, entry)
                if entry.kind == READING and not draft.new:
                    await self._must_be_recorded(asset, entry)
                revised = _against(known.get(entry.id), asset, entry, wanted.mode)
            except ValueError as exc:
                problems[index] = str(exc)
                continue
            if revised is not None:
                known[entry.id] = (asset, revised)
                new.append((asset, revised))
        if problems:
            raise Refused("; ".join(list(problems.values())[:3]), problems)
        if not wanted.dry:
            await self._journal(new)
        return {"ids": [entry.id for _, entry in entries], "booked": len(new), "known": len(entries) - len(new)}

    async def _correct(self, request: Mapping[str, Any]) -> Reply:
        wanted = parsed(Correct, request)
        asset, before = await self._found(wanted.id)
        value = None if wanted.value is None else _like(before.value, wanted.value)
        fields = {"from_ms": wanted.from_, "to_ms": wanted.to, "value": value, "note": wanted.note}
        changes = {name: value for name, value in fields.items() if value is not None}
        if before.kind not in SPANS and changes.keys() & {"from_ms", "to_ms"}:
            raise Refused(f"the time of a {before.kind} does not change: withdraw it and add another one")
        now = before.revised(**changes, usable=True, by=wanted.by, booked_ms=self._now_ms())
        if now.meaning == before.meaning:
            raise Refused("that is what it says already")
        try:
            (await self._rules()).check(asset, now)
        except ValueError as exc:
            raise Refused(str(exc)) from exc
        await self._journal([(asset, now)])
        return {"asset": asset, "entry": dump(now)}

    async def _withdraw(self, request: Mapping[str, Any]) -> Reply:
        wanted = parsed(Withdraw, request)
        asset, before = await self._found(wanted.id)
        if not before.usable:
            raise Refused(f"{wanted.id} is withdrawn already")
        now = before.revised(usable=False, by=wanted.by, booked_ms=self._now_ms())
        if now.from_ms < (await self._rules()).sealed_ms.get(asset, -FOREVER_MS):
            raise Refused("its facts are not kept any more (retention.facts): its minutes are fixed")
        await self._journal([(asset, now)])
        return {"asset": asset, "entry": dump(now)}

    async def _list(self, request: Mapping[str, Any]) -> Reply:
        wanted = parsed(Listed, request)
        self._must_exist([wanted.asset] if wanted.asset else [])
        await self._engine_is_here()
        found = await self._engine.entries_between(wanted.asset, wanted.from_, wanted.to, wanted.limit + 1)
        rows = [[asset, dump(entry)] for asset, entry in found[: wanted.limit]]
        return {"entries": rows, "more": len(found) > wanted.limit}

    async def _recompute(self, request: Mapping[str, Any]) -> Reply:
        wanted = parsed(Recompute, request)
        self._must_exist(wanted.assets)
        if wanted.to <= wanted.from_:
            raise Refused("the range ends before it begins")
        await self._engine_is_here()
        span, current = (wanted.from_, wanted.to), wanted.model == "current"
        try:
            done = await self._engine.recompute(wanted.assets, span, current=current, by=wanted.by)
        except ValueError as exc:
            raise Refused(str(exc)) from exc
        return {"minutes": done.minutes, "changed": done.changed}

    # inside ---------------------------------------------------------------------------------------------------------

    def _drafted(self, draft: Draft, by: str) -> Booked:
        to_ms = draft.to
        if to_ms is None:
            to_ms = FOREVER_MS if draft.kind in SPANS else draft.from_
        name = draft.id or uuid.uuid4().hex[:12]
        if draft.kind == READING:  # corrections of one reading are revisions of one entry, whoever makes them
            name = f"{draft.asset}/{draft.role}@{draft.from_}" + (f"+{draft.seq}" if draft.seq else "")
        return draft.asset, Entry(
            id=name,
            kind=draft.kind,
            from_ms=draft.from_,
            to_ms=to_ms,
            value=draft.value,
            role=draft.role,
            seq=draft.seq,
            by=by,
            booked_ms=self._now_ms(),
            note=draft.note,
        )

    async def _must_be_recorded(self, asset: str, entry: Entry) -> None:
        """ValueError: there is no reading to correct at that very moment."""
        near = await self._engine.readings(asset, entry.role, entry.from_ms - _HOUR_MS, entry.from_ms + _HOUR_MS)
        if (entry.from_ms, entry.seq) not in near:
            times = sorted((at for at, _ in near), key=lambda at: abs(at - entry.from_ms))[:1]
            nearest = f"the nearest is {times[0] - entry.from_ms:+d} ms away" if times else "none within an hour"
            raise ValueError(f"{entry.role} has no reading at that very moment, {nearest}: say --new to add one")

    async def _found(self, entry_id: str) -> Booked:
        await self._engine_is_here()
        found = await self._engine.entries_of([entry_id])
        if entry_id not in found:
            raise Refused(f"no entry {entry_id!r}: `lineside fact list` shows them")
        return found[entry_id]

    def _must_exist(self, assets: Sequence[str]) -> None:
        for asset in assets:
            if asset not in self._models:
                raise Refused(f"no asset {asset!r}: there are {', '.join(self._models)}")

    async def _rules(self) -> Bookable:
        return Bookable(self._models, await self._engine.sealed_ms(), self._now_ms())

    async def _engine_is_here(self) -> None:
        """Waits until the engine knows everything that the journal holds, earlier entries among it."""
        try:
            async with asyncio.timeout(_PATIENCE_S):
                await self._engine.reach(self._newest())
        except TimeoutError as exc:
            raise Refused("the gateway is still catching up with its journal: try again later") from exc

    async def _journal(self, booked: Sequence[Booked]) -> None:
        builder = BatchBuilder()
        for asset, entry in booked:
            builder.add_text(self._tags.id_of(entry_tag(asset).name), stamp_ns(entry), dump(entry))
        if booked:
            await self._submit(builder.build())

    def _now_ms(self) -> int:
        return self._clock.wall_ns() // 1_000_000


def _like(before: float | str, value: float | str) -> float | str:
    """A new value of the old one's type. Refused: it is no number, but the old one is."""
    if isinstance(before, str):
        return str(value)
    try:
        return float(value)
    except ValueError as exc:
        raise Refused(f"{value!r} is no number") from exc


def _against(known: Booked | None, asset: str, entry: Entry, mode: str) -> Entry | None:
    """The revision that an entry becomes beside what is booked under its id; None: that says the same.

    ValueError: the id is booked for something else.
    """
    if known is None:
        return entry
    owner, before = known
    if replace(before, usable=True).meaning == entry.meaning and owner == asset:
        return None
    if mode == "new":
        raise ValueError(f"{entry.id} is booked already: correct or withdraw it")
    if (owner, before.kind, before.role) != (asset, entry.kind, entry.role):
        raise ValueError(f"{entry.id} is booked already as a {before.kind} of {owner}")
    if before.kind == COUNT and before.from_ms != entry.from_ms:
        raise ValueError(f"{entry.id} is booked already at another time: withdraw it, and take another id")
    return before.revised(
        from_ms=entry.from_ms,
        to_ms=entry.to_ms,
        value=entry.value,
        note=entry.note,
        usable=True,
        by=entry.by,
        booked_ms=entry.booked_ms,
    )
