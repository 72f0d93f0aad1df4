"""States from texts, numbers, bits, PackML, several tags and moving counters: the engine against the oracle."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.kpi.asset import TimeClass
from gateway.kpi.config import AssetConfig
from gateway.kpi.facts import Series, text_code
from gateway.kpi.roles import build_models
from gateway.kpi.segments import segments
from gateway.model import Site, Tag, TagTable, TagType
from tests.oracle.rules import PACKML, PRIORITY, Readings, classes

T0 = 1_780_000_020_000
SPAN_MS = 600_000
TYPES = {"text": TagType.TEXT, "word": TagType.INT, "level": TagType.FLOAT, "flag": TagType.BOOL, "count": TagType.INT}
VALUES: Mapping[str, st.SearchStrategy[Any]] = {
    "text": st.sampled_from(["RUN", "STOP", "Execute", "ABORTED", "held", "", None]),
    "word": st.sampled_from([0.0, 1.0, 2.0, 3.0, 8.0, 9.0, 130.0, None]),
    "level": st.sampled_from([-1.0, 0.0, 0.2, 4.9, 5.0, 5.1, 12.5, None]),
    "flag": st.sampled_from([0.0, 1.0, 1.0, None]),
    "count": st.sampled_from([0.0, 1.0, 2.0, 5.0, 9.0, None]),
}
RAW: Mapping[str, list[Any]] = {
    "text": ["RUN", "STOP", "HELD"],
    "word": [1, 2, 3, "bit 0", "bit 1", "bit 3", "bit 7", ">= 8"],
    "level": [5, 0.2, "> 5", ">= 5", "< 0.2", "<= 0", "0.2..5", "4..20"],
    "flag": [True, False],
}


@dataclass(frozen=True)
class Case:
    """A `state:` of the config, its tags' readings, and what was the newest proof of life."""

    state: Mapping[str, Any]
    tags: Mapping[str, Readings]
    horizon_ms: int


@st.composite
def cases(draw: st.DrawFn) -> Case:
    names = draw(st.lists(st.sampled_from(list(TYPES)), min_size=1, max_size=3, unique=True))
    steps = [draw(_steps(name)) for name in names]
    state = steps[0] if len(steps) == 1 else {"first_of": steps}
    tags = {name: draw(_readings(VALUES[name])) for name in names}
    return Case(state, tags, T0 + SPAN_MS + draw(st.integers(0, 90_000)))


@st.composite
def _steps(draw: st.DrawFn, name: str) -> dict[str, Any]:
    rest = {"otherwise": draw(st.sampled_from(PRIORITY))} if draw(st.booleans()) else {}
    if name == "count":
        return {"counter": name, "idle_after_ms": draw(st.sampled_from([20_000, 60_000])), **rest}
    if name == "text" and draw(st.booleans()):
        return {"tag": name, "map": "packml", **rest}
    raws = draw(st.lists(st.sampled_from(RAW[name]), min_size=1, max_size=4, unique_by=repr))
    return {"tag": name, **_dealt(draw, raws), **rest}


def _dealt(draw: st.DrawFn, raws: list[Any]) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = {}
    for raw in raws:
        found.setdefault(draw(st.sampled_from(PRIORITY)), []).append(raw)
    return found


def _readings(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Readings]:
    return st.dictionaries(st.integers(T0 - 60_000, T0 + SPAN_MS + 60_000), values, max_size=15)


def engine(case: Case) -> list[tuple[int, str]]:
    """The engine's classes, by way of the config as a user writes it."""
    tags = TagTable((n, Tag(f"m/{name}", TYPES[name])) for n, name in enumerate(case.tags))
    config = AssetConfig.model_validate({"state": _written(case.state)})
    (model,) = build_models({"m": config}, {}, {}, tags, Site("plant", "UTC", {})).values()
    facts = {role: _series(case.tags[b.tag_name.removeprefix("m/")]) for role, b in model.bindings.items()}
    found = segments(model, facts, (), {}, T0, T0 + SPAN_MS, case.horizon_ms)
    merged: list[tuple[int, str]] = []
    for start_ms, kind in zip(found.start_ms.tolist(), found.time_class.tolist(), strict=True):
        if not merged or merged[-1][1] != TimeClass(kind).label:
            merged.append((start_ms, TimeClass(kind).label))
    return merged


def _written(state: Mapping[str, Any]) -> dict[str, Any]:
    if "first_of" in state:
        return {"first_of": [_written(step) for step in state["first_of"]]}
    written = {key: value for key, value in state.items() if key != "idle_after_ms"}
    return written | ({"idle_after": f"{state['idle_after_ms']}ms"} if "counter" in state else {})


def _series(readings: Readings) -> Series:
    values = [text_code(v) if isinstance(v, str) else 0.0 if v is None else v for v in readings.values()]
    return Series.of(list(readings), values, [v is not None for v in readings.values()])


@settings(max_examples=500, deadline=None)
@given(cases())
def test_whatever_the_config_says_of_states_the_engine_and_the_oracle_see_the_same(case: Case) -> None:
    assert engine(case) == classes(case.state, case.tags, T0, T0 + SPAN_MS, case.horizon_ms)


def test_the_oracle_knows_all_of_packml() -> None:
    assert len({name for names in PACKML.values() for name in names}) == 17
