"""Recordings: what is written is read again, and what others wrote is understood or refused with its line."""

import gzip
from contextlib import closing
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.model import GOOD, Batch, BatchBuilder, Reason, Tag, TagType, bad, uncertain
from gateway.ports import Unusable
from gateway.recording import Reader, Wanted, create_recording, open_recording
from gateway.recording.times import NotATime, parse_times

UTC, HANOI, BERLIN = ZoneInfo("UTC"), ZoneInfo("Asia/Ho_Chi_Minh"), ZoneInfo("Europe/Berlin")
TAGS = {
    tag.name: tag
    for tag in (
        Tag("press/state", TagType.TEXT, source="cells", source_time=True),
        Tag("press/total", TagType.INT, counter=True, modulus=65536, period_ms=1000, source="plc"),
        Tag("press/power", TagType.FLOAT, "kW"),
        Tag("Tür, “2”/offen", TagType.BOOL),
    )
}
IDS = {name: 10 + place for place, name in enumerate(TAGS)}
NAMES = {tag: name for name, tag in IDS.items()}
WANTED = {name: Wanted(IDS[name], tag.type) for name, tag in TAGS.items()}
ENDINGS = ("csv", "csv.gz", "csv.zst", "parquet")


def everything(reader: Reader, wanted: dict[str, Wanted] = WANTED) -> Batch:
    is_text = np.zeros(100, bool)
    is_text[[want.tag for want in wanted.values() if want.type is TagType.TEXT]] = True
    try:
        return Batch.concat(list(reader.pages(wanted)), is_text)
    finally:
        reader.close()


def rows(batch: Batch) -> list[tuple[str, int, float | str, int]]:
    return [
        (NAMES[r.tag], r.time_ns, batch.text(r.value) if r.tag == IDS["press/state"] else r.value, r.quality)
        for r in batch
    ]


def written(file: Path, *batches: Batch) -> Reader:
    writer = create_recording(file, TAGS)
    for batch in batches:
        writer.write(batch, NAMES)
    assert not file.exists()
    writer.close()
    return open_recording(file)


@pytest.mark.parametrize("ending", ENDINGS)
@given(data=st.data())
def test_what_is_written_is_read_again(
    ending: str, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    times = st.integers(1, 2**62)
    text = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=8)
    reading = st.one_of(
        st.tuples(st.just("press/state"), times, text, st.just(GOOD)),
        st.tuples(st.just("press/total"), times, st.integers(0, 2**53).map(float), st.just(uncertain(Reason.CLOCK))),
        st.tuples(
            st.just("press/power"),
            times,
            st.floats(allow_nan=False, allow_infinity=False).map(lambda v: v + 0.0),
            st.just(GOOD),
        ),
        st.tuples(st.sampled_from(["press/total", "press/power"]), times, st.just(0.0), st.just(bad(Reason.TIMEOUT))),
    )
    said = data.draw(st.lists(reading, min_size=1, max_size=20))
    builder = BatchBuilder()
    for name, time_ns, value, quality in said:
        if isinstance(value, str):
            builder.add_text(IDS[name], time_ns, value, quality)
        else:
            builder.add(IDS[name], time_ns, value, quality)
    batch = builder.build()
    reader = written(tmp_path_factory.mktemp("r") / f"x.{ending}", batch, batch)
    assert reader.tags == TAGS
    assert rows(everything(reader)) == [*said, *said]


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_recording_that_is_given_up_leaves_nothing(tmp_path: Path, ending: str) -> None:
    create_recording(tmp_path / f"x.{ending}", TAGS).discard()
    assert not list(tmp_path.iterdir())


def read(tmp_path: Path, text: str, wanted: dict[str, Wanted] = WANTED, zone: ZoneInfo = UTC) -> Batch:
    file = tmp_path / "x.csv"
    file.write_text(text, encoding="utf-8-sig")
    return everything(open_recording(file, zone), wanted)


def test_columns_may_stand_in_any_order_with_other_separators_beside_others(tmp_path: Path) -> None:
    batch = read(tmp_path, 'Tag;Extra;Value;Time\npress/power;x;1.5;1772406000\npress/total;;"7";1772406001\n')
    assert rows(batch) == [
        ("press/power", 1772406000 * 10**9, 1.5, GOOD),
        ("press/total", 1772406001 * 10**9, 7.0, GOOD),
    ]


def test_a_cell_without_a_number_is_a_bad_reading_and_its_neighbours_stay_good(tmp_path: Path) -> None:
    text = (
        "time,tag,value\n1,press/power,\n1,press/power,broken\n1,press/power,nan\n1,press/power,True\n1,press/power,2\n"
    )
    assert [quality for *_, quality in rows(read(tmp_path, text))] == [
        *(bad(Reason.MISSING), bad(Reason.WRONG_TYPE), bad(Reason.NOT_A_NUMBER)),
        *(GOOD, GOOD),
    ]


def test_qualities_may_be_words(tmp_path: Path) -> None:
    text = "time,tag,value,quality\n1,press/power,1,good\n1,press/power,1,Bad: timeout\n1,press/power,1,uncertain\n"
    assert [quality for *_, quality in rows(read(tmp_path, text))] == [GOOD, bad(Reason.TIMEOUT), 0x40]


def test_tags_that_nobody_wants_are_named(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("time,tag,value\n1,press/power,1\n2,other,2\n")
    reader = open_recording(tmp_path / "x.csv")
    assert len(everything(reader)) == 1
    assert reader.ignored == {"other"}


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "x.csv: there is no line that names the columns"),
        ("time,name,value\n", "x.csv:1: no column 'tag'"),
        ("# lineside recording 9\ntime,tag,value\n", "recordings of version 1"),
        ("time,tag,value\n1,a,1\n\n2,b\n", "x.csv:.*: there are too few cells"),
        ("time,tag,value\n2026-03-02,a,1\n2026-13-02,b,1\n", "x.csv:3: '2026-13-02' is not a time"),
        ("time,tag,value,quality\n1,a,1,fine\n", "'fine' is not a quality"),
        ('# lineside recording 1\n# tag {"name":"a","typ":"int"}\ntime,tag,value\n', "unknown key 'typ'"),
    ],
)
def test_what_cannot_be_read_is_said_with_its_line(tmp_path: Path, text: str, problem: str) -> None:
    with pytest.raises(Unusable, match=problem):
        read(tmp_path, text)


def test_a_file_that_was_cut_off_is_said_to_be(tmp_path: Path) -> None:
    body = gzip.compress(b"time,tag,value\n" + b"1,press/power,1\n" * 100_000)
    (tmp_path / "x.csv.gz").write_bytes(body[:-100])
    with pytest.raises(Unusable, match="cannot be read on"):
        everything(open_recording(tmp_path / "x.csv.gz"))


@pytest.mark.parametrize("name", ["x.txt", "x.csv.bz2"])
def test_another_kind_of_file_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(Unusable, match="a recording is a file named"):
        open_recording(tmp_path / name)


@pytest.mark.parametrize("name", ["x.csv", "x.parquet"])
def test_a_file_that_is_not_there_is_said_to_be(tmp_path: Path, name: str) -> None:
    with pytest.raises(Unusable, match="No such file"):
        open_recording(tmp_path / name)


def test_types_of_a_foreign_csv_are_guessed_from_all_its_values(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("time,tag,value\n1,a,1\n1,b,1.5\n1,c,RUN\n1,d,true\n2,a,\n2,b,2\n2,e,1\n3,e,2.5\n")
    with closing(open_recording(tmp_path / "x.csv")) as reader:
        found = reader.survey()
    assert {name: str(tag.type) for name, tag in found.items()} == {
        "a": "int", "b": "float", "c": "text", "d": "bool", "e": "float",
    }  # fmt: skip


def test_a_foreign_parquet_is_read_whatever_its_types(tmp_path: Path) -> None:
    table = pa.table(
        {
            "tag": ["press/power", "press/state"],
            "value": ["1.5", "RUN"],
            "time": pa.array([1772406000000, 1772406001000], pa.timestamp("ms")),
        }
    )
    pq.write_table(table, tmp_path / "x.parquet")
    reader = open_recording(tmp_path / "x.parquet", HANOI)
    start = (1772406000 - 7 * 3600) * 10**9
    assert rows(everything(reader)) == [
        ("press/power", start, 1.5, GOOD),
        ("press/state", start + 10**9, "RUN", GOOD),
    ]


@pytest.mark.parametrize(
    ("text", "zone", "expected"),
    [
        ("2026-03-02T06:00:00Z", HANOI, "2026-03-02T06:00:00"),
        ("2026-03-02T06:00:00+07:00", UTC, "2026-03-01T23:00:00"),
        ("2026-03-02 06:00:00.5", HANOI, "2026-03-01T23:00:00.5"),
        ("2026-07-01T12:00", BERLIN, "2026-07-01T10:00"),
        ("1772406000", UTC, "2026-03-01T23:00:00"),
        ("1772406000250", UTC, "2026-03-01T23:00:00.25"),
        ("1772406000250000000", UTC, "2026-03-01T23:00:00.25"),
    ],
)
def test_times_are_read_as_they_are_meant(text: str, zone: ZoneInfo, expected: str) -> None:
    assert parse_times([text], zone).tolist() == [int(np.datetime64(expected, "ns").astype(np.int64))]


def test_times_with_and_without_offset_may_stand_side_by_side() -> None:
    found = parse_times(["2026-03-02T06:00:00Z", "2026-03-02T13:00:00", "2026-03-02T06:00:00-01:00"], HANOI)
    assert np.diff(found).tolist() == [0, 3600 * 10**9]


def test_a_wrong_time_is_named() -> None:
    with pytest.raises(NotATime, match="'yesterday' is not a time") as found:
        parse_times(["2026-03-02T06:00:00Z", "yesterday"], UTC)
    assert found.value.row == 1
