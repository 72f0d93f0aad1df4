"""Payload → readings."""

import json
import math
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.mqtt.payload import MAX_DEPTH, Point, SourceTime, extract, lookup, parse_path, shown, source_time
from gateway.model import GOOD, Batch, BatchBuilder, Reason, TagType, bad, describe, uncertain

RECEIVED_NS = 1_780_000_000_000_000_000
AHEAD_NS = 300 * 10**9


def point(path: str, wire: TagType = TagType.FLOAT, **more: object) -> Point:
    return Point(1, parse_path(path), wire, **more)  # type: ignore[arg-type]


def read(payload: bytes | str, *points: Point) -> Batch:
    builder = BatchBuilder()
    raw = payload.encode() if isinstance(payload, str) else payload
    reason = extract(points, raw, RECEIVED_NS, AHEAD_NS, builder)
    assert reason == ""
    return builder.build()


def rejected(payload: bytes, *points: Point) -> str:
    builder = BatchBuilder()
    reason = extract(points, payload, RECEIVED_NS, AHEAD_NS, builder)
    assert len(builder) == 0
    return reason


@pytest.mark.parametrize(
    ("text", "steps"),
    [
        ("$", ()),
        ("$.state", ("state",)),
        ("$.a.b[0].c", ("a", "b", 0, "c")),
        ("$[3]", (3,)),
        ('$["any name"].x', ("any name", "x")),
        ("$['a.b']", ("a.b",)),
        ("$.Điện-áp", ("Điện-áp",)),
    ],
)
def test_a_path_is_its_steps(text: str, steps: tuple[str | int, ...]) -> None:
    assert parse_path(text) == steps


@pytest.mark.parametrize("text", ["", "state", "$.", "$..a", "$.a[", "$.a[-1]", "$.a[*]", "$a", "$.a b", "$[?(@.x)]"])
def test_what_is_no_path_is_said_with_an_example(text: str) -> None:
    with pytest.raises(ValueError, match="is not a payload path: write one like"):
        parse_path(text)


def test_a_value_deep_in_a_payload_is_found() -> None:
    assert read('{"motor": {"phases": [1, 2, {"i": 3.5}]}}', point("$.motor.phases[2].i")).value.tolist() == [3.5]


@pytest.mark.parametrize("payload", ["{}", '{"a": null}', '{"a": {}}', '{"a": []}', "[]", "7", '{"a": {"b": null}}'])
def test_a_path_that_leads_nowhere_is_missing(payload: str) -> None:
    assert describe(int(read(payload, point("$.a.b")).quality[0])) == "bad: missing"


@pytest.mark.parametrize(
    ("wire", "raw", "reason"),
    [
        (TagType.FLOAT, '"12.5"', Reason.WRONG_TYPE),
        (TagType.FLOAT, "true", Reason.WRONG_TYPE),
        (TagType.FLOAT, "{}", Reason.WRONG_TYPE),
        (TagType.FLOAT, "NaN", Reason.NOT_A_NUMBER),
        (TagType.FLOAT, "Infinity", Reason.OUT_OF_RANGE),
        (TagType.FLOAT, "1e999", Reason.OUT_OF_RANGE),
        (TagType.FLOAT, "9" * 400, Reason.OUT_OF_RANGE),
        (TagType.INT, "1.5", Reason.WRONG_TYPE),
        (TagType.INT, "70000", Reason.OUT_OF_RANGE),
        (TagType.INT, "-1", Reason.OUT_OF_RANGE),
        (TagType.INT, "123456789012345678901234567890", Reason.OUT_OF_RANGE),
        (TagType.BOOL, "2", Reason.WRONG_TYPE),
        (TagType.BOOL, "1.0", Reason.WRONG_TYPE),
        (TagType.BOOL, '"true"', Reason.WRONG_TYPE),
        (TagType.TEXT, "5", Reason.WRONG_TYPE),
        (TagType.TEXT, '"\\ud800"', Reason.WRONG_TYPE),
        (TagType.TEXT, json.dumps("x" * 5000), Reason.OUT_OF_RANGE),
    ],
)
def test_an_unfit_value_is_bad_and_its_sibling_good(wire: TagType, raw: str, reason: Reason) -> None:
    limits = {"low": 0, "high": 65535} if wire is TagType.INT else {"low": -1e308, "high": 1e308}
    batch = read(f'{{"a": {raw}, "b": 5}}', point("$.a", wire, **limits), point("$.b"))
    assert batch.quality.tolist() == [bad(reason), GOOD]
    assert batch.value[1] == 5


@pytest.mark.parametrize(("raw", "value"), [("true", 1), ("false", 0), ("1", 1), ("0", 0)])
def test_a_bool_may_be_written_as_one_or_zero(raw: str, value: float) -> None:
    batch = read(raw, point("$", TagType.BOOL))
    assert (batch.value.tolist(), batch.quality.tolist()) == ([value], [GOOD])


def test_a_whole_number_may_be_written_as_a_float() -> None:
    assert read("5.0", point("$", TagType.INT)).value.tolist() == [5]


def test_scale_and_offset_are_applied_and_may_not_overflow() -> None:
    assert read("10", point("$", scale=0.1, offset=-2)).value.tolist() == [-1]
    assert read("1e300", point("$", scale=1e300)).quality.tolist() == [bad(Reason.OUT_OF_RANGE)]


@pytest.mark.parametrize("raw", [b"EXECUTE", b'"EXECUTE"'])
def test_a_whole_payload_may_be_plain_text(raw: bytes) -> None:
    batch = read(raw, point("$", TagType.TEXT))
    assert batch.text(batch.value[0]) == "EXECUTE"


def test_plain_text_that_is_not_utf8_is_rejected() -> None:
    assert rejected(b"\xff\xfe", point("$", TagType.TEXT)) == "not UTF-8 text"


@pytest.mark.parametrize("raw", [b"", b"{", b"EXECUTE", b'{"a": "\xff"}', b"\x00\x01", b"[" * 100_000, b'{"a": 1} x'])
def test_what_is_not_json_is_rejected(raw: bytes) -> None:
    assert rejected(raw, point("$.a")) != ""


def test_nesting_up_to_the_limit_is_read_and_beyond_it_rejected() -> None:
    assert read(b"[" * MAX_DEPTH + b"]" * MAX_DEPTH, point("$.a")).quality.tolist() == [bad(Reason.MISSING)]
    for nested in (b"[" * (MAX_DEPTH + 1) + b"]" * (MAX_DEPTH + 1), b'{"a":' * 40 + b"1" + b"}" * 40):
        assert rejected(nested, point("$.a")) == f"nested deeper than {MAX_DEPTH} levels"


def test_brackets_inside_a_text_are_not_nesting() -> None:
    assert read(json.dumps({"a": 1, "b": "[" * 100}), point("$.a")).value.tolist() == [1]


def test_of_equal_keys_the_last_one_counts() -> None:
    assert read('{"a": 1, "a": 2}', point("$.a")).value.tolist() == [2]


@pytest.mark.parametrize(
    ("raw", "unit"),
    [
        (1_780_000_000, "s"),
        (1_780_000_000.25, "s"),
        (1_780_000_000_250, "ms"),
        (1_780_000_000_250_000, "us"),
        (1_780_000_000_250_000_000, "ns"),
        ("2026-05-28T20:26:40.250Z", "ms"),
        ("2026-05-29T03:26:40.250+07:00", "ms"),
    ],
)
def test_a_source_time_is_read_in_every_unit(raw: object, unit: str) -> None:
    expected = RECEIVED_NS + (0 if raw == 1_780_000_000 else 250_000_000)
    assert source_time(raw, unit) == expected


@pytest.mark.parametrize("raw", [0, -5, True, None, "yesterday", "2026-05-28T20:26:40", 1e300, math.nan, [], 2**63])
def test_what_cannot_be_a_time_is_none(raw: object) -> None:
    assert source_time(raw, "ms") is None


@given(st.datetimes(datetime(1970, 1, 2), datetime(2200, 1, 1), timezones=st.just(UTC)))  # noqa: DTZ001
def test_iso_and_microseconds_agree(moment: datetime) -> None:
    micros = (moment - datetime(1970, 1, 1, tzinfo=UTC)) // (datetime.resolution)
    assert source_time(moment.isoformat(), "ms") == source_time(micros, "us") == micros * 1000


@pytest.mark.parametrize("stamp", ["null", '"never"', str(1_780_000_000_000 + 301_000)])
def test_without_a_believable_source_time_the_arrival_counts_and_the_reading_is_uncertain(stamp: str) -> None:
    timed = point("$.a", time=SourceTime(("ts",), "ms"))
    batch = read(f'{{"a": 1, "ts": {stamp}}}', timed)
    assert (batch.time_ns.tolist(), batch.quality.tolist()) == ([RECEIVED_NS], [uncertain(Reason.CLOCK)])


def test_each_point_may_have_its_own_source_time() -> None:
    points = [point("$.a", time=SourceTime((key,), "s")) for key in ("t1", "t2")]
    assert read('{"a": 1, "t1": 100, "t2": 200}', *points).time_ns.tolist() == [100 * 10**9, 200 * 10**9]


def test_what_is_shown_is_the_part_at_the_path_or_the_raw_payload() -> None:
    assert shown(b'{"a": {"b": [1, 2]}}', ("a",)) == '{"b": [1, 2]}'
    assert shown(b"garbage", ("a",)) == "garbage"


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=20,
)


@given(json_values, st.sampled_from(list(TagType)))
def test_any_json_gives_one_reading_per_point_and_no_number_that_is_not_good(value: object, wire: TagType) -> None:
    points = [point("$.a", wire, low=-(2.0**53), high=2.0**53), point("$.a[0]", wire), point("$.b")]
    batch = read(json.dumps({"a": value, "b": 1}), *points)
    assert len(batch) == 3
    assert batch.quality[2] == GOOD
    usable = batch.quality >= 0x40
    assert bool(all(math.isfinite(number) for number in batch.value[usable].tolist()))
    for text in batch.texts:
        text.encode()


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_rejected_but_never_an_error(raw: bytes) -> None:
    builder = BatchBuilder()
    points = [point("$.a"), point("$", TagType.TEXT)]
    reason = extract(points, raw, RECEIVED_NS, AHEAD_NS, builder)
    assert len(builder) == (0 if reason else 2)


@given(st.lists(st.text(min_size=1, max_size=8).filter(lambda t: '"' not in t) | st.integers(0, 99), max_size=6))
def test_a_path_written_with_quotes_and_brackets_reads_back(steps: list[str | int]) -> None:
    text = "$" + "".join(f"[{step}]" if isinstance(step, int) else f'["{step}"]' for step in steps)
    if "\n" not in text:
        assert parse_path(text) == tuple(steps)


def test_lookup_of_the_empty_path_is_the_document() -> None:
    assert lookup({"a": 1}, ()) == {"a": 1}
