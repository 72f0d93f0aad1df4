"""What a stretch of an asset's past rests on, read from kpi.db: its models, facts, sessions and intervals."""

import json
from typing import Any, NamedTuple

import apsw

from gateway.kpi.asset import AssetModel, fact_roles
from gateway.kpi.chunks import Chunks
from gateway.kpi.facts import Series
from gateway.kpi.intake import SESSION
from gateway.kpi.intervals import Interval
from gateway.kpi.laid import Intervals
from gateway.kpi.model import load
from gateway.kpi.segments import reach_ms
from gateway.kpi.store import Progress
from gateway.model import Tag, TagTable


class Inputs(NamedTuple):
    """All that a range depends on."""

    model: AssetModel
    facts: dict[str, Series]
    sessions: dict[int, Series]
    intervals: tuple[Interval, ...]


class Past:
    """One asset's past; every question is a read of its own unless the caller began a transaction."""

    def __init__(self, db: apsw.Connection, asset: str) -> None:
        self._db, self._asset = db, asset

    def progress(self) -> Progress | None:
        """How far the asset is; None: it has no facts."""
        found: Any = self._db.execute("SELECT * FROM progress WHERE owner = ?", (self._asset,)).fetchone()
        return Progress(*found[1:]) if found else None

    def inputs(self, digest: str, from_ms: int, to_ms: int) -> Inputs:
        """What a range depends on with the model of this hash."""
        model, tags = self._model(digest)
        wide = (from_ms - reach_ms(model), to_ms + reach_ms(model))
        chunks = Chunks(self._db)
        roles = {*fact_roles(model), *chunks.booked(self._asset)}
        facts = {role: chunks.window(self._asset, role, *wide) for role in sorted(roles)}
        sessions = {
            number: chunks.window(tag.name.rpartition("/")[0], SESSION, *wide)
            for number, tag in tags
            if tag.name.endswith(f"/{SESSION}")
        }
        return Inputs(model, facts, sessions, Intervals(self._db).of(self._asset, *wide))

    def _model(self, digest: str) -> tuple[AssetModel, TagTable]:
        sql = "SELECT json FROM model WHERE asset = ? AND hash = ? LIMIT 1"
        found: Any = self._db.execute(sql, (self._asset, digest)).fetchone()
        roles = json.loads(found[0])["roles"].values()
        names = {name for role in roles for name in (role["tag"], role["session"]) if name}
        tags = TagTable((number, Tag(name)) for number, name in enumerate(sorted(names)))
        return load(found[0], digest, tags), tags
