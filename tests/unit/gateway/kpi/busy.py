"""Random histories of machines that say what they make, and of which people say something, too."""

from dataclasses import replace

import numpy as np
from hypothesis import strategies as st

from gateway.kpi.asset import Binding, TimeClass
from gateway.kpi.facts import FOREVER_MS, Series
from gateway.kpi.intervals import KINDS, Interval
from tests.unit.gateway.kpi.machines import SPAN_MS, T0, History, histories

MORE_KINDS = {"product": "level", "order": "level", "startup": "level", "rework": "increment", "inspected": "pulse"}
PRODUCTS = {"1": 3_000_000, "B": 1_000_000}
REASONS = {"tool": TimeClass.FAULT, "service": TimeClass.MAINTENANCE}


@st.composite
def busy_histories(draw: st.DrawFn) -> History:
    """With products, orders, start-up, bookings, minor stops and what people said of its time."""
    plain = draw(histories())
    hold = next(iter(plain.model.bindings.values())).hold
    more = draw(st.sets(st.sampled_from(sorted(MORE_KINDS))))
    bound = {role: Binding(role, 50 + n, MORE_KINDS[role], hold=hold) for n, role in enumerate(sorted(more))}
    model = replace(
        plain.model,
        bindings={**plain.model.bindings, **bound},
        ideal_by_product=PRODUCTS,
        minor_stop_ms=draw(st.sampled_from([0, 45_000, 130_000])),
        reasons=REASONS,
        rated_per_h=draw(st.sampled_from([None, 1000.0])),
        takt_us=draw(st.sampled_from([None, 4_000_000])),
    )
    facts = {role: draw(_values([0.0, 1.0, 1.0, 2.0, np.nan])) for role in bound}
    booked = draw(st.sets(st.sampled_from(["good", "scrap", "total", "rework"])))
    facts |= {f"{role}_booked": draw(_values([3.0, 1.0, -1.0, np.nan])) for role in sorted(booked)}
    return replace(plain, model=model, facts={**plain.facts, **facts}, intervals=draw(_said()))


@st.composite
def _values(draw: st.DrawFn, values: list[float]) -> Series:
    times = draw(st.lists(st.integers(-120, SPAN_MS // 1000 + 120), max_size=12, unique=True))
    return Series.of([T0 + 1000 * time for time in times], [draw(st.sampled_from(values)) for _ in times])


@st.composite
def _said(draw: st.DrawFn) -> tuple[Interval, ...]:
    """Intervals of every kind, which overlap and may go on for ever."""
    found = []
    for number in range(draw(st.integers(0, 5))):
        start = T0 + draw(st.integers(-120_000, SPAN_MS))
        kind = draw(st.sampled_from(KINDS))
        value = draw(st.sampled_from(["tool", "service", "other"] if kind in ("stop", "planned") else ["1", "B", ""]))
        end = draw(st.sampled_from([start + 1, start + 50_500, start + 300_000, FOREVER_MS]))
        found.append(Interval(str(number), kind, start, end, value, 0, draw(st.booleans())))
    return tuple(found)
