"""Batches become lines that say what the readings say: no more, no less."""

import math
import string
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.influx.encode import INFLUX, VICTORIA, Dialect, Encoded, Encoder
from adapters.influx.heads import plain_name
from gateway.model import BAD, GOOD, Batch, Reason, Site, Tag, TagTable, TagType, bad, uncertain
from tests.unit.adapters.influx.lines import Line, Value, parse

SITE = Site("bac-ninh-1", lines={"press-07": "stamping"}, areas={"stamping": "press shop"})
T = 1_780_000_000_123_456_789
LABELS = {"site": "bac-ninh-1", "area": "press shop", "line": "stamping", "asset": "press-07"}

TAGS = (
    Tag("press-07/active_power", TagType.FLOAT, "kW", source="meter"),
    Tag("press-07/total_count", TagType.INT, counter=True, source="meter"),
    Tag("press-07/door_open", TagType.BOOL, source="meter"),
    Tag("press-07/state", TagType.TEXT, source="meter"),
    Tag("press-07/import_energy", TagType.FLOAT, "kWh", counter=True, source="meter"),
    Tag("press-07/kpi/shift@2/oee"),
    Tag("press-07/kpi/minute/oee"),
    Tag("press-07/bucket/planned", TagType.INT),
    Tag("source/meter/session", TagType.BOOL),
    Tag("gateway/alive", TagType.INT),
    Tag("line/stamping/kpi/hour/oee"),
    Tag("site/bac-ninh-1/kpi/hour/oee"),
)
POWER, COUNT, DOOR, STATE, ENERGY, SHIFT_OEE, MINUTE_OEE, PLANNED, SESSION, ALIVE, LINE_OEE, SITE_OEE = range(1, 13)
Row = tuple[int, int, float, int]


def batch(*rows: Row, texts: Sequence[str] = ()) -> Batch:
    tag, time_ns, value, quality = zip(*rows, strict=True)
    return Batch(
        np.array(tag, np.int32),
        np.array(time_ns, np.int64),
        np.array(value, np.float64),
        np.array(quality, np.uint8),
        tuple(texts),
    )


def encode(given_batch: Batch, dialect: Dialect = INFLUX, tags: Sequence[Tag] = TAGS) -> Encoded:
    return Encoder(TagTable(enumerate(tags, 1)), SITE, dialect).encode(given_batch)


def lines(*rows: Row, dialect: Dialect = INFLUX, texts: Sequence[str] = ()) -> list[Line]:
    return parse(encode(batch(*rows, texts=texts), dialect).body)


def test_readings_of_one_asset_and_time_share_a_line() -> None:
    rows = [(POWER, T, 12.5, GOOD), (COUNT, T, 42.0, GOOD), (DOOR, T, 1.0, GOOD), (STATE, T, 0.0, GOOD)]
    fields: list[tuple[str, Value]] = [
        ("active_power", 12.5),
        ("total_count", 42),
        ("door_open", True),
        ("state", "EXECUTE"),
    ]
    assert lines(*rows, texts=["EXECUTE"]) == [Line("telemetry", LABELS, fields, T)]


def test_another_time_begins_another_line() -> None:
    found = lines((POWER, T, 1.5, GOOD), (POWER, T + 1, 2.5, GOOD))
    assert [(line.fields, line.time) for line in found] == [
        ([("active_power", 1.5)], T),
        ([("active_power", 2.5)], T + 1),
    ]


def test_each_kind_of_tag_has_its_measurement_and_labels() -> None:
    ids = (SHIFT_OEE, MINUTE_OEE, PLANNED, SESSION, ALIVE, LINE_OEE, SITE_OEE)
    found = lines(*((tag, T, 1.0, GOOD) for tag in ids))
    site, asset = {"site": "bac-ninh-1"}, LABELS
    line = {"site": "bac-ninh-1", "area": "press shop", "line": "stamping"}
    assert found == [
        Line("kpi", asset | {"window": "shift", "rev": "2"}, [("oee", 1.0)], T),
        Line("kpi", asset | {"window": "minute"}, [("oee", 1.0)], T),
        Line("bucket", asset, [("planned", 1)], T),
        Line("health", site | {"source": "meter"}, [("session", True)], T),
        Line("health", site, [("alive", 1)], T),
        Line("kpi", line | {"window": "hour"}, [("oee", 1.0)], T),
        Line("kpi", site | {"window": "hour"}, [("oee", 1.0)], T),
    ]


def test_a_bad_reading_leaves_its_quality_and_no_value() -> None:
    timeout = bad(Reason.TIMEOUT)
    assert lines((POWER, T, 7.0, timeout)) == [Line("quality", LABELS, [("active_power", timeout)], T)]


def test_an_uncertain_reading_leaves_its_value_and_its_quality() -> None:
    stale = uncertain(Reason.STALE)
    assert lines((POWER, T, 7.0, stale)) == [
        Line("telemetry", LABELS, [("active_power", 7.0)], T),
        Line("quality", LABELS, [("active_power", stale)], T),
    ]


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("tag", [POWER, COUNT, MINUTE_OEE])
def test_what_is_no_number_is_never_written_as_one(tag: int, value: float) -> None:
    (line,) = lines((tag, T, value, GOOD))
    assert line.measurement == "quality"
    assert line.fields[0][1] == bad(Reason.NOT_A_NUMBER)


def test_an_integer_beyond_int64_leaves_a_trace() -> None:
    (line,) = lines((COUNT, T, 2.0**63, GOOD))
    assert (line.measurement, line.fields) == ("quality", [("total_count", bad(Reason.OUT_OF_RANGE))])


def test_a_float32_gauge_reads_as_the_meter_shows_it() -> None:
    (line,) = lines((POWER, T, float(np.float32(230.1)), GOOD))
    assert line.fields == [("active_power", 230.1)]


def test_a_counter_and_a_computed_value_keep_every_digit() -> None:
    exact = float(np.float32(230.1))
    found = lines((ENERGY, T, exact, GOOD), (MINUTE_OEE, T, exact, GOOD))
    assert [line.fields[0][1] for line in found] == [exact, exact]


def test_a_large_gauge_keeps_every_digit() -> None:
    (line,) = lines((POWER, T, 4_000_000.25, GOOD))
    assert line.fields == [("active_power", 4_000_000.25)]


def test_victoriametrics_gets_milliseconds_plain_numbers_and_no_text() -> None:
    rows = [(COUNT, T, 42.0, GOOD), (DOOR, T, 0.0, GOOD), (STATE, T, 0.0, GOOD), (STATE, T, 0.0, BAD)]
    encoded = encode(batch(*rows, texts=["EXECUTE"]), VICTORIA)
    assert encoded.dropped == {"text": 1}
    assert parse(encoded.body) == [
        Line("telemetry", LABELS, [("total_count", 42.0), ("door_open", 0.0)], T // 1_000_000),
        Line("quality", LABELS, [("state", 0.0)], T // 1_000_000),
    ]
    assert b"42i" not in encoded.body


def test_a_long_line_is_cut_before_a_store_refuses_it() -> None:
    tags = [Tag(f"press-07/{'p' * 60}{n}", source="meter") for n in range(3000)]
    encoded = encode(batch(*((n, T, 1.0, GOOD) for n in range(1, 3001))), VICTORIA, tags)
    assert encoded.lines == len(parse(encoded.body)) == 8
    assert max(map(len, encoded.body.splitlines())) < 64 * 1024
    assert sum(len(line.fields) for line in parse(encoded.body)) == 3000


def test_an_empty_batch_is_no_line() -> None:
    assert encode(Batch.empty()) == Encoded(b"", 0)


def test_tags_that_join_later_are_known() -> None:
    table = TagTable(enumerate(TAGS, 1))
    encoder = Encoder(table, SITE, INFLUX)
    encoder.encode(batch((POWER, T, 1.0, GOOD)))
    table.add(40, Tag("press-08/active_power"))
    (line,) = parse(encoder.encode(batch((40, T, 1.0, GOOD))).body)
    assert line.labels["asset"] == "press-08"


def test_a_field_that_the_store_reserves_is_renamed() -> None:
    encoded = encode(batch((1, T, 1.0, GOOD)), tags=[Tag("press-07/time")])
    assert parse(encoded.body)[0].fields == [("time_", 1.0)]


NAMES = st.text(st.sampled_from(string.ascii_letters + '0189_.-,= "\\\n\r\t%äß設備💡'), min_size=1, max_size=12)


@given(owner=NAMES, point=NAMES, site=NAMES)
def test_any_name_comes_back(owner: str, point: str, site: str) -> None:
    encoder = Encoder(TagTable([(1, Tag(f"{owner}/{point}"))]), Site(site), INFLUX)
    (line,) = parse(encoder.encode(batch((1, T, 1.0, GOOD))).body)
    assert line.labels == {"site": plain_name(site), "asset": plain_name(owner)}
    assert line.fields == [(plain_name(point), 1.0)]


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_any_text_comes_back(text: str) -> None:
    (line,) = lines((STATE, T, 0.0, GOOD), texts=[text])
    assert line.fields == [("state", text)]


FINITE = st.floats(allow_nan=False, allow_infinity=False)
VALUES = {
    POWER: FINITE | st.floats(width=32, allow_nan=False, allow_infinity=False),
    COUNT: st.integers(-(2**53), 2**53).map(float),
    DOOR: st.sampled_from([0.0, 1.0]),
    STATE: st.sampled_from([0.0, 1.0]),
    ENERGY: FINITE,
    MINUTE_OEE: FINITE,
}
TEXTS = ("IDLE", 'say "x"\\')
QUALITY = st.sampled_from([GOOD, uncertain(Reason.STALE), bad(Reason.TIMEOUT), GOOD | Reason.CLOCK])
ROWS = st.sampled_from(sorted(VALUES)).flatmap(
    lambda tag: st.tuples(st.just(tag), st.integers(T, T + 2), VALUES[tag], QUALITY)
)


@given(st.lists(ROWS, min_size=1, max_size=30))
def test_every_reading_leaves_exactly_its_traces_in_order(rows: list[Row]) -> None:
    encoded = encode(batch(*rows, texts=TEXTS))
    found = parse(encoded.body)
    assert encoded.lines == len(found)
    assert not encoded.dropped
    values = [(name, line.time, v) for line in found if line.measurement != "quality" for name, v in line.fields]
    traces = [(name, line.time, v) for line in found if line.measurement == "quality" for name, v in line.fields]
    assert traces == [(field_of(tag), time, q) for tag, time, _, q in rows if q & 0xC0 != GOOD]
    wanted = [(tag, time, value) for tag, time, value, q in rows if q & 0xC0 != BAD]
    assert [(name, time) for name, time, _ in values] == [(field_of(tag), time) for tag, time, _ in wanted]
    for (_, _, stored), (tag, _, value) in zip(values, wanted, strict=True):
        assert means(stored, tag, value)


def field_of(tag: int) -> str:
    return TAGS[tag - 1].name.rpartition("/")[2]


def means(stored: Value, tag: int, value: float) -> bool:
    """Whether a stored value is the reading: exactly, or, for a small gauge, the same float32."""
    if tag == STATE:
        return stored == TEXTS[int(value)]
    if tag == POWER and abs(value) < 2**20:
        return stored == value or np.float32(stored) == np.float32(value) == value
    wanted_type = {COUNT: int, DOOR: bool}.get(tag, float)
    return type(stored) is wanted_type and stored == value
