"""Every stored minute once more, from nothing but the stored facts: the proof that kpi.db is what it claims to be."""

import json
from pathlib import Path

from gateway.kpi.asset import fact_roles
from gateway.kpi.book import derive
from gateway.kpi.facts import FOREVER_MS
from gateway.kpi.intake import SESSION
from gateway.kpi.model import ModelHistory, load
from gateway.kpi.store import Progress, Row, Store
from gateway.model import Tag, TagTable


def recompute(path: Path) -> dict[str, dict[int, Row]]:
    """asset → minute → quantities of all minutes whose facts are not yet forgotten.

    Each asset is computed in one piece from its first fact on, with the models recorded for it.
    StoreError: kpi.db cannot be read.
    """
    store = Store(path)
    try:
        return {
            owner: _minutes(store, owner, progress) for owner, progress in store.progress().items() if "/" not in owner
        }
    finally:
        store.close()


def _minutes(store: Store, asset: str, progress: Progress) -> dict[int, Row]:
    stored = store.models(asset)
    tags = _tags([text for _, _, text in stored])
    history = ModelHistory(
        tuple(start for start, _, _ in stored), tuple(load(text, digest, tags) for _, digest, text in stored)
    )
    roles = {role for one in history.models for role in fact_roles(one)}
    booked = store.chunks.booked(asset)
    facts = {role: store.chunks.window(asset, role, 0, FOREVER_MS) for role in roles | booked}
    intervals = store.intervals.of(asset, 0, FOREVER_MS + 1)
    sessions = {
        number: store.chunks.window(tag.name.rpartition("/")[0], SESSION, 0, FOREVER_MS)
        for number, tag in tags
        if tag.name.endswith(f"/{SESSION}")
    }
    rows: dict[int, Row] = {}
    start_ms = max(progress.first_ms, progress.sealed_ms)
    for model, from_ms, to_ms in history.over(start_ms, progress.closed_ms):
        mine = {role: series for role, series in facts.items() if role in model.bindings or role in booked}
        found = derive(model, mine, sessions, (from_ms, to_ms), progress.horizon_ms, intervals, store.texts).buckets
        rows |= {m: tuple(row) for m, row in zip(found.minute.tolist(), found.values.T.tolist(), strict=True)}
    return rows


def _tags(models: list[str]) -> TagTable:
    """Numbers for the names in some models; any will do."""
    names = {name for text in models for role in json.loads(text)["roles"].values() for name in role.values()}
    texts = sorted(name for name in names if isinstance(name, str) and "/" in name)
    return TagTable((number, Tag(name)) for number, name in enumerate(texts))
