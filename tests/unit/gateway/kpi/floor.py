"""A worker fed by hand with readings, bookings and intervals; and its minutes from scratch."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from gateway.kpi.answer import Rules
from gateway.kpi.asset import Binding, fingerprint
from gateway.kpi.book import derive
from gateway.kpi.closing import Limits
from gateway.kpi.entries import Entry
from gateway.kpi.factors import Factors
from gateway.kpi.facts import FOREVER_MS, Series, merge
from gateway.kpi.intake import Intake
from gateway.kpi.intervals import Interval, latest
from gateway.kpi.publisher import Publisher
from gateway.kpi.slices import Slice
from gateway.kpi.split import by_minute
from gateway.kpi.worker import Plant, Worker
from gateway.model import Tag, TagType
from tests.unit.gateway.kpi.kit import Kit, Readings, Row

Said = Mapping[str, Sequence[Interval]]
Booked = Mapping[tuple[str, str], Series]


class Floor:
    """Keeps all that the worker was given, so that its minutes can be computed from scratch."""

    def __init__(
        self,
        kit: Kit,
        path: Path,
        limits: Limits = Limits(),  # noqa: B008
        constraints: Mapping[str, str] | None = None,
    ) -> None:
        self.kit, self.path, self.limits, self.constraints = kit, path, limits, constraints or {}
        self.readings: Readings = []
        self.booked: dict[tuple[str, str], Series] = {}
        self.intervals: dict[str, tuple[Interval, ...]] = {}
        self.position = 0
        self.open()

    def open(self) -> None:
        """Opens the file, as after a restart."""
        plant = Plant(self.kit.models, self.kit.site, self.kit.inbox.tags, self.constraints, self.limits)
        self.worker = Worker(self.path, plant, Publisher(Rules(Factors(), {})))

    def take(
        self,
        readings: Readings,
        booked: Booked | None = None,
        said: Said | None = None,
        entries: tuple[tuple[str, Entry], ...] = (),
    ) -> None:
        """Hands over what came in, and commits until nothing is due."""
        booked, said = booked or {}, said or {}
        self.position += 1
        self.readings = [*self.readings, *readings]
        self.booked |= {key: merge(self.booked.get(key, Series.empty()), one) for key, one in booked.items()}
        self.intervals |= {one: latest((*self.intervals.get(one, ()), *some)) for one, some in said.items()}
        intake = Intake(self.kit.models, self.kit.inbox.tags, 0, self.worker.presence_ms)
        intake.take(self.position, self.kit.batch(readings))
        found = intake.drain()
        facts = {**found.facts, **booked}
        intervals = {name: tuple(some) for name, some in said.items()}
        self.worker.absorb(replace(found, facts=facts, intervals=intervals, entries=entries))
        self.commit()

    def commit(self) -> None:
        """Commits until nothing is due."""
        self.worker.commit(0)
        while self.worker.behind:
            self.worker.commit(0)

    def scratch(self, asset: str) -> tuple[dict[int, Row], dict[int, tuple[tuple[str, str, Row], ...]]]:
        """Minutes and slices of the asset up to where the worker is, from everything at once."""
        model, progress = self.kit.models[asset], self.worker.progress[asset]
        facts = {role: self.kit.series(self.readings, b.tag) for role, b in model.bindings.items() if role != "power"}
        facts |= {role: one for (owner, role), one in self.booked.items() if owner == asset}
        sessions = {tag: self.kit.series(self.readings, tag) for tag in self.kit.session.values()}
        span = (progress.first_ms, progress.closed_ms)
        said = self.intervals.get(asset, ())
        texts = self.worker.store.texts
        found = derive(model, facts, sessions, span, progress.horizon_ms, said, texts).buckets
        rows = dict(zip(found.minute.tolist(), map(tuple, found.values.T.tolist()), strict=True))
        return rows, by_minute(found.slices)

    def stored(self, asset: str) -> tuple[dict[int, Row], dict[int, tuple[tuple[str, str, Row], ...]]]:
        """The same as kpi.db has it."""
        minutes = self.worker.store.minutes(asset, 0, FOREVER_MS)
        return {n: row for n, (row, _) in minutes.items()}, self.worker.store.splits.of(asset, 0, FOREVER_MS)

    def close(self) -> None:
        """Releases the file."""
        self.worker.close()


def bind(kit: Kit, asset: str, roles: Mapping[str, str], **changes: object) -> None:
    """Gives an asset more roles: role → kind; `product` and `order` are texts."""
    model = kit.models[asset]
    bindings = dict(model.bindings)
    for role, kind in roles.items():
        text = role in ("product", "order")
        kit.ids[f"{asset}/{role}"] = kit.inbox.add(Tag(f"{asset}/{role}", TagType.TEXT if text else TagType.FLOAT))
        tag, hold = kit.ids[f"{asset}/{role}"], bindings["state"].hold
        bindings[role] = Binding(role, tag, kind, is_text=text, hold=hold, tag_name=f"{asset}/{role}")
    model = replace(model, bindings=bindings, **changes)  # type: ignore[arg-type]
    kit.models[asset] = replace(model, hash=fingerprint(model))


__all__ = ["Booked", "Floor", "Said", "Slice", "bind"]
