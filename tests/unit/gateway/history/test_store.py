import asyncio
import resource
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import apsw
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.history import History, NoHistory, StoreFault, StoreFull, StoreUnusable
from gateway.history.compaction import Compaction
from gateway.history.file import create_or_open, open_to_read, transaction
from gateway.model import BAD, GOOD, UNCERTAIN, Reason, Tag, bad
from tests.clock import VirtualClock
from tests.unit.gateway.history import made
from tests.unit.gateway.history.made import EAGER, FAR_POWER, FAR_STATE, OEE, OEE_2, POWER, STATE, T0, Row

MINUTE = 60_000
DAY_S = 86_400
values = st.one_of(st.integers(-50, 50).map(float), st.sampled_from([float("nan"), 0.1, 1e300]))
qualities = st.sampled_from([GOOD, GOOD, GOOD, UNCERTAIN, BAD])
times = st.integers(T0, T0 + 5 * MINUTE)
number_rows = st.tuples(st.sampled_from([POWER, FAR_POWER]), times, values, qualities)
text_rows = st.tuples(st.sampled_from([STATE, FAR_STATE]), times, st.sampled_from(["RUN", "STOP", ""]), qualities)
batches = st.lists(st.lists(st.one_of(number_rows, text_rows), max_size=12), min_size=1, max_size=12)


@pytest.fixture(scope="session")
def folders(tmp_path_factory: pytest.TempPathFactory) -> pytest.TempPathFactory:
    """Folders for the examples of a property."""
    return tmp_path_factory


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "history.db"


def expected_raw(rows: list[Row], tag: int) -> list[tuple[int, str, int]]:
    """What must come back; as text, since NaN equals nothing."""
    ours = [row for row in rows if row[0] == tag]
    told = [(time_ms, "" if isinstance(value, str) and q == BAD else value, q) for _, time_ms, value, q in ours]
    return [(time_ms, repr(value), q) for time_ms, value, q in sorted(told, key=lambda row: row[0])]


@given(batches)
def test_whatever_is_taken_comes_back_by_time(folders: pytest.TempPathFactory, made_of: list[list[Row]]) -> None:
    path = folders.mktemp("any") / "history.db"
    asyncio.run(made.keep(path, [made.record(n, rows) for n, rows in enumerate(made_of, 1)], compaction=EAGER))
    flat = [row for rows in made_of for row in rows]
    for tag in {row[0] for row in flat}:
        found = [(time_ms, repr(value), quality) for time_ms, value, quality in made.raw(path, tag)]
        assert found == expected_raw(flat, tag)


@given(batches, st.data())
def test_a_crash_anywhere_and_a_replay_change_nothing(
    folders: pytest.TempPathFactory, made_of: list[list[Row]], data: st.DataObject
) -> None:
    folder = folders.mktemp("crash")
    records = [made.record(n, rows) for n, rows in enumerate(made_of, 1)]
    killed_after = data.draw(st.integers(0, len(records)))

    async def crash_and_replay() -> None:
        store = made.history(folder / "history.db", flush_every_s=0, sync_every_s=0, compaction=EAGER)
        durable = [await store.take([record]) for record in records[:killed_after]]
        copy = made.as_a_crash_leaves_it(folder / "history.db", folder / "killed")
        await store.close()
        again = made.history(copy, flush_every_s=0, compaction=Compaction(fold_at=2, settle_at=30))
        assert again.position() >= max(durable, default=0)
        await again.take(records[: again.position()])  # the journal may hand out what the history has already
        await again.take(records[again.position() :])
        await again.close()

    asyncio.run(crash_and_replay())
    asyncio.run(made.keep(folder / "whole.db", records))
    assert repr(made.content(folder / "killed" / "history.db")) == repr(made.content(folder / "whole.db"))


async def test_a_power_cut_takes_nothing_that_was_called_durable(tmp_path: Path, clock: VirtualClock) -> None:
    path, wal = tmp_path / "history.db", tmp_path / "history.db-wal"
    store = made.history(path, clock, flush_every_s=0, sync_every_s=30)
    synced_bytes, durable = wal.stat().st_size, 0
    for n in range(1, 40):
        await clock.advance(4)
        now_durable = await store.take([made.numbers(n, n * 1.0, start_ms=T0 + 1000 * n)])
        if now_durable > durable:
            synced_bytes, durable = wal.stat().st_size, now_durable
        copy = made.as_a_crash_leaves_it(path, tmp_path / f"cut-{n}")
        with copy.with_name("history.db-wal").open("r+b") as log:
            log.truncate(synced_bytes + (wal.stat().st_size - synced_bytes) * (n % 4) // 4)
        left = made.history(copy)
        assert left.position() >= durable
        assert len(made.raw(copy, POWER)) == left.position()
        await left.close()
    await store.close()
    assert 30 <= durable < 39


async def test_the_durable_position_moves_only_with_a_flush_of_the_log_to_the_disk(
    path: Path, clock: VirtualClock, synced: list[str]
) -> None:
    store = made.history(path, clock, flush_every_s=0, sync_every_s=30)
    durable = store.position()
    for n in range(1, 20):
        await clock.advance(7)
        synced.clear()
        now_durable = await store.take([made.numbers(n, 1.0, start_ms=T0 + n)])
        assert synced == (["history.db-wal"] if now_durable > durable else [])
        durable = now_durable
    synced.clear()
    await store.close()
    assert synced[0] == "history.db-wal"
    assert durable == 15


async def test_records_that_come_again_change_nothing(path: Path) -> None:
    records = [made.numbers(n, 1.0, 2.0, start_ms=T0 + 5000 * n) for n in (1, 2, 3)]
    store = made.history(path, flush_every_s=0)
    await store.take(records)
    await store.take(records[1:])
    await store.close()
    assert len(made.raw(path, POWER)) == 6
    assert made.sql(path, "SELECT sum(count) FROM minute") == [(6,)]


async def test_a_commit_comes_at_most_every_five_seconds_and_shows_all_before_it(
    path: Path, clock: VirtualClock
) -> None:
    store = made.history(path, clock)
    commits = []
    with closing(sqlite3.connect(path)) as watcher:
        for n in range(1, 61):
            await clock.advance(1)
            await store.take([made.numbers(n, 1.0, start_ms=T0 + 1000 * n)])
            commits.append(watcher.execute("PRAGMA data_version").fetchone())
            assert n - len(made.raw(path, POWER)) < 5
    await store.close()
    assert len(set(commits)) == 1 + 60 // 5


async def test_open_readings_are_bounded_by_bytes_too(path: Path, clock: VirtualClock) -> None:
    store = made.history(path, clock, open_bytes=10 * 21)
    for n in range(1, 30):
        await store.take([made.numbers(n, *range(5), start_ms=T0 + 5000 * n)])
        assert n * 5 - len(made.raw(path, POWER)) < 10
    await store.close()


async def test_the_durable_position_waits_for_the_disk_and_close_completes_it(path: Path, clock: VirtualClock) -> None:
    store = made.history(path, clock, flush_every_s=5, sync_every_s=30)
    assert await store.take([made.numbers(1, 1.0)]) == 0
    await clock.advance(6)
    assert await store.take([made.numbers(2, 1.0)]) == 0
    await clock.advance(30)
    assert await store.take([made.numbers(3, 1.0)]) == 3 == store.position()
    await store.take([made.numbers(4, 1.0)])
    await store.close()
    await store.close()
    assert store.position() == 4
    assert not path.with_name("history.db-wal").exists()
    again = made.history(path)
    assert again.position() == 4
    await again.close()


async def test_minutes_are_right_for_late_readings_and_across_flushes(path: Path) -> None:
    start_s = T0 // 1000
    await made.keep(
        path,
        [
            made.record(1, [(POWER, T0 + 10_000, 4.0, GOOD), (POWER, T0 + 50_000, 6.0, UNCERTAIN)]),
            made.record(2, [(POWER, T0 + MINUTE, 100.0, GOOD), (POWER, T0 + 20_000, -1.0, GOOD)]),
            made.record(3, [(POWER, T0 + 59_000, 999.0, BAD), (POWER, T0 + 50_000, 7.0, GOOD)]),
        ],
    )
    found = made.sql(path, "SELECT time_s, count, mean, min, max, last FROM minute ORDER BY time_s")
    assert found == [(start_s, 4, 4.0, -1.0, 7.0, 7.0), (start_s + 60, 1, 100.0, 100.0, 100.0, 100.0)]


async def test_latest_is_the_newest_in_time_and_has_no_value_when_bad(path: Path) -> None:
    await made.keep(
        path,
        [
            made.record(1, [(POWER, T0 + 9000, 1.0, GOOD), (STATE, T0, "RUN", GOOD)]),
            made.record(2, [(POWER, T0 + 5000, 2.0, GOOD), (STATE, T0 + 1, "STOP", bad(Reason.STALE))]),
            made.record(3, [(FAR_POWER, T0, 8.0, bad(Reason.TIMEOUT))]),
        ],
    )
    assert made.sql(path, "SELECT * FROM latest ORDER BY tag") == [
        (POWER, T0 + 9000, 1.0, None, GOOD),
        (STATE, T0 + 1, None, None, bad(Reason.STALE)),
        (FAR_POWER, T0, None, None, bad(Reason.TIMEOUT)),
    ]


async def test_a_kpi_row_holds_its_highest_revision_in_any_order(path: Path) -> None:
    late = [(OEE_2, T0, 0.5, GOOD), (OEE, T0 + MINUTE, 0.0, bad(Reason.MISSING))]
    await made.keep(path, [made.record(1, late), made.record(2, [(OEE, T0, 0.7, GOOD)])])
    assert made.sql(path, "SELECT * FROM kpi") == [
        ("press", "minute", T0, "oee", 0.5, 2),
        ("press", "minute", T0 + MINUTE, "oee", None, 0),
    ]
    assert made.sql(path, "SELECT name FROM tag WHERE name LIKE '%kpi%'") == [("press/kpi/minute/oee",)]
    assert made.sql(path, "SELECT count(*) FROM minute") == [(0,)]


async def test_any_sqlite_reader_sees_names_and_seconds(path: Path) -> None:
    await made.keep(path, [made.record(1, [(POWER, T0 + 500, 3.0, GOOD), (STATE, T0, "RUN", GOOD)])])
    assert made.sql(path, "SELECT name, unit, time_s, mean FROM minute_named") == [("press/power", "kW", T0 // 1000, 3)]
    assert made.sql(path, "SELECT name, time_s, value, text FROM latest_named ORDER BY name") == [
        ("press/power", T0 / 1000 + 0.5, 3.0, None),
        ("press/state", T0 / 1000, None, "RUN"),
    ]


@given(batches)
def test_folding_and_settling_change_no_answer(folders: pytest.TempPathFactory, made_of: list[list[Row]]) -> None:
    folder = folders.mktemp("compaction")
    records = [made.record(n, rows) for n, rows in enumerate(made_of, 1)]
    asyncio.run(made.keep(folder / "eager.db", records, compaction=EAGER))
    asyncio.run(made.keep(folder / "never.db", records))
    assert repr(made.content(folder / "eager.db")) == repr(made.content(folder / "never.db"))


async def test_blocks_become_chunks_of_bounded_size(path: Path) -> None:
    await made.keep(path, [made.numbers(n, *range(8), start_ms=T0 + 8000 * n) for n in range(1, 40)], compaction=EAGER)
    blocks, waiting = made.sql(path, "SELECT count(*), sum(count) FROM block")[0]
    chunks, largest, settled = made.sql(path, "SELECT count(*), max(count), sum(count) FROM chunk")[0]
    assert blocks <= 5
    assert chunks > 10
    assert largest <= 16
    assert waiting + settled == 39 * 8


async def test_a_damaged_block_is_given_up_and_said_while_all_others_live_on(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    await made.keep(path, [made.numbers(n, n * 1.0, start_ms=T0 + n) for n in (1, 2)])
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("UPDATE block SET data = x'00112233445566' WHERE id = 1")
    await made.keep(path, [made.numbers(n, n * 1.0, start_ms=T0 + n) for n in (3, 4)], compaction=EAGER)
    assert [value for _, value, _ in made.raw(path, POWER)] == [2.0, 3.0, 4.0]
    assert "a block of readings is lost (1, 7 bytes)" in caplog.text


async def test_old_readings_go_but_roll_ups_stay_longer(path: Path, clock: VirtualClock) -> None:
    store = made.history(
        path, clock, flush_every_s=0, retention_raw_s=DAY_S, retention_minute_s=3 * DAY_S, compaction=EAGER
    )
    start_ms = clock.wall_ns() // 1_000_000
    for n in range(1, 97):
        await clock.advance(3600)
        now_ms = start_ms + n * 3_600_000
        await store.take([made.numbers(n, *range(10), start_ms=now_ms)])
    await store.close()
    kept = made.raw(path, POWER)
    assert 24 * 10 <= len(kept) < 36 * 10
    assert kept[0][0] >= now_ms - 36 * 3_600_000
    (oldest,) = made.sql(path, "SELECT min(time_s) FROM minute")[0]
    assert 72 <= (now_ms // 1000 - oldest) / 3600 < 75


async def test_age_counts_from_the_newest_reading_so_that_imports_and_wrong_clocks_delete_nothing(
    path: Path, clock: VirtualClock
) -> None:
    now_ms = clock.wall_ns() // 1_000_000
    store = made.history(path, clock, flush_every_s=0, retention_raw_s=DAY_S)
    year_ms = 365 * DAY_S * 1000
    await store.take([made.numbers(1, *range(10), start_ms=now_ms - 3 * year_ms)])
    await clock.advance(120)
    await store.take([made.numbers(2, *range(10), start_ms=now_ms - 3 * year_ms + 60_000)])
    assert len(made.raw(path, POWER)) == 20
    await store.take([made.numbers(3, 1.0, start_ms=now_ms), made.numbers(4, 1.0, start_ms=now_ms + 50 * year_ms)])
    await clock.advance(120)
    await store.take([made.numbers(5, 1.0, start_ms=now_ms + 1000)])
    await store.close()
    assert [row[0] for row in made.raw(path, POWER)][:2] == [now_ms, now_ms + 1000]


async def test_minute_kpis_go_with_the_minutes_and_longer_windows_stay(path: Path, clock: VirtualClock) -> None:
    now_ms = clock.wall_ns() // 1_000_000
    store = made.history(path, clock, flush_every_s=0, retention_minute_s=DAY_S)
    await store.take([made.record(1, [(OEE, now_ms - 5 * DAY_S * 1000, 0.1, GOOD), (OEE, now_ms, 0.2, GOOD)])])
    await clock.advance(61)
    await store.take([made.numbers(2, 1.0, start_ms=now_ms)])
    await clock.advance(61)
    await store.take([made.numbers(3, 1.0, start_ms=now_ms + 1)])
    await store.close()
    assert made.sql(path, "SELECT value FROM kpi") == [(0.2,)]


async def test_beyond_its_size_the_oldest_readings_make_room(path: Path) -> None:
    noise = [[(n * 7919 % 10_007) * 1.37e-5 for n in range(k, k + 400)] for k in range(0, 40_000, 400)]
    records = [made.numbers(n, *some, start_ms=T0 + n * 400_000) for n, some in enumerate(noise, 1)]
    limit = 150_000
    await made.keep(path, records, max_size=limit, compaction=EAGER)
    kept = made.raw(path, POWER)
    assert 400 < len(kept) < 40_000
    assert kept[-1][0] == T0 + 100 * 400_000 + 399_000
    used = "SELECT (page_count - freelist_count) * 4096 FROM pragma_page_count, pragma_freelist_count"
    assert made.sql(path, used)[0][0] <= limit


async def test_no_space_is_said_and_nothing_is_counted_twice_when_there_is_again(path: Path) -> None:
    store = made.history(path, flush_every_s=0)
    await store.take([made.numbers(1, *range(50))])
    with page_limit(store):
        for _ in range(3):
            with pytest.raises(StoreFull, match="no space left"):
                await store.take([made.numbers(2, *[n * 0.377 for n in range(9000)], start_ms=T0 + MINUTE)])
        assert len(made.raw(path, POWER)) == 50
    await store.take([made.numbers(2, *[n * 0.377 for n in range(9000)], start_ms=T0 + MINUTE)])
    await store.close()
    assert store.position() == 2
    assert len(made.raw(path, POWER)) == 9050
    assert made.sql(path, "SELECT sum(count) FROM minute") == [(9050,)]


async def test_a_failing_disk_is_said_and_taking_goes_on_afterwards(path: Path) -> None:
    store = made.history(path, flush_every_s=0)
    await store.take([made.numbers(1, *range(50))])
    many = made.numbers(2, *[n * 0.377 for n in range(9000)], start_ms=T0 + MINUTE)
    with file_size_limit(path.with_name("history.db-wal").stat().st_size + 1000), pytest.raises(StoreFault):
        await store.take([many])
    await store.take([many])
    await store.close()
    assert len(made.raw(path, POWER)) == 9050


async def test_a_close_that_cannot_write_leaves_the_rest_to_the_journal(path: Path) -> None:
    store = made.history(path)
    await store.take([made.numbers(1, *[n * 0.377 for n in range(9000)])])
    with page_limit(store):
        await store.close()
    assert store.position() == 0
    await made.keep(path, [made.numbers(1, 5.0)])
    assert len(made.raw(path, POWER)) == 1


async def test_a_cancelled_take_loses_and_doubles_nothing(path: Path) -> None:
    store = made.history(path, flush_every_s=0)
    records = [made.numbers(n, *range(20), start_ms=T0 + n * MINUTE) for n in range(1, 6)]
    for record in records:
        taking = asyncio.create_task(store.take([record]))
        await asyncio.sleep(0)
        taking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await taking
    await store.take(records)
    await store.close()
    assert store.position() == 5
    assert len(made.raw(path, POWER)) == 100


async def test_a_tag_that_comes_later_is_known_from_its_first_flush(path: Path, clock: VirtualClock) -> None:
    tags = made.table()
    store = History(path, tags, clock=clock, flush_every_s=0)
    await store.take([made.numbers(1, 1.0)])
    tags.add(9_000, Tag("saw/power"))
    await store.take([made.numbers(2, 2.0, tag=9_000)])
    await store.close()
    assert made.sql(path, "SELECT id FROM tag WHERE name = 'saw/power'") == [(9_000,)]


def test_a_transaction_that_fails_leaves_the_file_as_it_was(path: Path) -> None:
    db = create_or_open(path)
    with pytest.raises(apsw.SQLError), transaction(db):
        db.execute("UPDATE cursor SET position = 5; SELECT no_such_column FROM cursor")
    with transaction(db):
        db.execute("UPDATE cursor SET newest_ms = 7")
    assert db.execute("SELECT position, newest_ms FROM cursor").fetchall() == [(0, 7)]
    db.close()


def test_a_history_of_a_later_version_is_refused_and_left_alone(path: Path) -> None:
    asyncio.run(made.keep(path, [made.numbers(1, 1.0)]))
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA user_version = 99")
    before = path.read_bytes()
    with pytest.raises(StoreUnusable, match="schema 99"):
        made.history(path)
    assert path.read_bytes() == before


def test_a_file_that_is_no_history_is_refused_and_left_alone(tmp_path: Path) -> None:
    text, other = tmp_path / "text.db", tmp_path / "other.db"
    text.write_text("not a database, but long enough to look at" * 50)
    with closing(sqlite3.connect(other)) as db:
        db.execute("CREATE TABLE mine (x)")
    for path, said in ((text, "not a history"), (other, "not a history")):
        before = path.read_bytes()
        with pytest.raises(StoreUnusable, match=said):
            made.history(path)
        assert path.read_bytes() == before


def test_a_folder_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(StoreFault, match=r"nowhere/history\.db"):
        made.history(tmp_path / "nowhere" / "history.db")


def test_reading_before_there_is_a_history_is_said(path: Path) -> None:
    with pytest.raises(NoHistory, match="no history yet"):
        open_to_read(path)


class WatchedFile(apsw.VFSFile):
    """A file of the operating system that tells when it is flushed to the disk."""

    def __init__(self, name: str | apsw.URIFilename | None, flags: list[int], synced: list[str]) -> None:
        super().__init__("unix", name, flags)
        self._name = name.filename() if isinstance(name, apsw.URIFilename) else str(name)
        self._synced = synced

    def xSync(self, flags: int) -> None:  # noqa: N802  # SQLite's name
        self._synced.append(Path(self._name).name)
        super().xSync(flags)


class WatchedDisk(apsw.VFS):
    """The disk of every connection that is opened from now on."""

    def __init__(self, synced: list[str]) -> None:
        super().__init__("watched", "unix", makedefault=True)
        self._synced = synced

    def xOpen(self, name: str | apsw.URIFilename | None, flags: list[int]) -> WatchedFile:  # noqa: N802
        return WatchedFile(name, flags, self._synced)


@pytest.fixture
def synced() -> Iterator[list[str]]:
    """Names of the files that were flushed to the disk, in order."""
    names: list[str] = []
    disk = WatchedDisk(names)
    yield names
    disk.unregister()


@contextmanager
def page_limit(store: History) -> Iterator[None]:
    """No page can be added, as on a full disk."""
    db = store._db  # the limit belongs to the connection
    was = db.pragma("max_page_count")
    db.pragma("max_page_count", db.pragma("page_count"))
    yield
    if not store._closed:
        db.pragma("max_page_count", was)


@contextmanager
def file_size_limit(size: int) -> Iterator[None]:
    """Writes beyond this size fail in the operating system."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
