"""What every journal promises. The fixture is the place to add another implementation."""

import asyncio
from pathlib import Path

import apsw
import numpy as np
import pytest

from gateway.clock import SystemClock
from gateway.journal import JournalError, SqliteJournal, open_readonly, read_ledger
from gateway.model import GOOD, Batch, Tag, TagType
from gateway.ports import Delivery, Outcome, Record, Reject
from tests.servers import eventually


def batch(*values: float, tag: int = 1) -> Batch:
    n = len(values)
    return Batch(np.full(n, tag, np.int32), np.arange(n), np.array(values, np.float64), np.full(n, GOOD, np.uint8))


async def opened(path: Path, *consumers: str, **options: int) -> SqliteJournal:
    journal = await asyncio.to_thread(lambda: SqliteJournal(path, SystemClock(), commit_every_s=0.01, **options))
    await journal.open([(name, False) for name in consumers])
    return journal


async def commit(journal: SqliteJournal, *batches: Batch, producer: str = "plc") -> None:
    """Appends and waits until all is durable."""
    done = asyncio.Event()
    for item in batches[:-1]:
        await journal.append(Delivery(item), producer)
    await journal.append(Delivery(batches[-1], ack=done.set), producer)
    await done.wait()


async def read_all(journal: SqliteJournal, consumer: str, readings: int) -> list[Record]:
    records: list[Record] = []
    while sum(len(r.batch) for r in records) < readings:
        records += await journal.read(consumer, records[-1].position if records else None)
    return records


async def test_a_reader_gets_what_was_appended_in_order_and_again_after_a_restart(tmp_path: Path) -> None:
    journal = await opened(tmp_path / "j.db", "sink")
    await commit(journal, batch(1), batch(2, 3))
    live = await read_all(journal, "sink", 3)
    await journal.close()
    journal = await opened(tmp_path / "j.db", "sink")
    again = await read_all(journal, "sink", 3)
    await journal.close()
    assert [r.batch.value.tolist() for r in live] == [[1.0], [2.0, 3.0]]
    assert [(r.position, r.seq, r.batch) for r in again] == [(r.position, r.seq, r.batch) for r in live]


async def test_acknowledgements_run_in_order_and_only_after_the_commit(tmp_path: Path) -> None:
    journal = await opened(tmp_path / "j.db", "sink")
    order: list[int] = []
    on_disk: list[int] = []
    reader = await asyncio.to_thread(open_readonly, tmp_path / "j.db")
    done = asyncio.Event()

    def acknowledge(number: int) -> None:
        order.append(number)
        on_disk.append(read_ledger(reader).batches)
        if number == 4:
            done.set()

    for number in range(5):
        await journal.append(Delivery(batch(number), ack=lambda n=number: acknowledge(n), window_share=0.1), "mqtt")
    await done.wait()
    await journal.close()
    assert order == [0, 1, 2, 3, 4]
    assert on_disk == [5, 5, 5, 5, 5]


async def test_a_seq_that_was_seen_is_ignored_but_acknowledged_also_after_a_restart(tmp_path: Path) -> None:
    journal = await opened(tmp_path / "j.db", "sink")
    done = asyncio.Event()
    await journal.append(Delivery(batch(1)), "kpi", 7)
    await journal.append(Delivery(batch(1), ack=done.set), "kpi", 7)
    await done.wait()
    await journal.close()
    journal = await opened(tmp_path / "j.db", "sink")
    done.clear()
    await journal.append(Delivery(batch(1), ack=done.set), "kpi", 7)
    await done.wait()
    await commit(journal, batch(2), producer="other")
    records = await read_all(journal, "sink", 2)
    await journal.close()
    assert [r.batch.value.tolist() for r in records] == [[1.0], [2.0]]


async def test_every_reading_is_in_exactly_one_place_of_the_books(tmp_path: Path) -> None:
    journal = await opened(tmp_path / "j.db", "a", "b")
    await commit(journal, batch(1, 2, 3), batch(4, 5), batch(6))
    records = await read_all(journal, "a", 6)
    await journal.ack("a", records[1].position, Outcome(dead=((batch(4), "too old"),), dropped={"text": 1}))
    await commit(journal, batch(7))
    books = {account.consumer: account for account in (await journal.ledger()).accounts}
    await journal.close()
    assert all(account.balanced for account in books.values())
    a, b = books["a"], books["b"]
    assert (a.ingested, a.delivered, a.buffered, a.dead, a.dropped) == (7, 3, 2, 1, {"text": 1})
    assert (b.ingested, b.delivered, b.buffered) == (7, 0, 7)


async def test_rejected_payloads_become_durable_dead_letters_with_their_delivery(tmp_path: Path) -> None:
    journal = await opened(tmp_path / "j.db", "sink")
    done = asyncio.Event()
    await journal.append(Delivery(Batch.empty(), (Reject(b"{", "cell/7", "not JSON", 5),), done.set), "mqtt")
    await done.wait()
    await journal.close()
    db = await asyncio.to_thread(open_readonly, tmp_path / "j.db")
    found = db.execute("SELECT origin, reason, body FROM dead_letter").fetchall()
    assert found == [("cell/7", "not JSON", b"{")]


async def test_over_its_quota_the_oldest_go_and_are_counted(tmp_path: Path) -> None:
    journal = await opened(tmp_path / "j.db", "slow", max_bytes=400_000)
    noise = np.random.default_rng(1)
    for _ in range(40):
        await commit(journal, *(batch(*noise.random(200)) for _ in range(10)))
    books = (await journal.ledger()).accounts[0]
    first = (await journal.read("slow"))[0]
    await journal.close()
    assert books.balanced
    assert books.dropped["quota"] > 0
    assert books.ingested == 80_000
    assert journal.used_bytes <= 400_000
    assert first.position > 1
    assert books.buffered == books.ingested - books.dropped["quota"]


async def test_batches_that_all_have_taken_are_pruned(tmp_path: Path) -> None:
    journal = await opened(tmp_path / "j.db", "a", "b")
    await commit(journal, *(batch(i) for i in range(10)))
    for consumer in ("a", "b"):
        await journal.ack(consumer, 10)
    journal._writer._pruned_at -= 60  # the next commit is one that prunes
    await commit(journal, batch(11))
    ledger = await journal.ledger()
    await journal.close()
    assert ledger.batches == 1
    assert all(account.balanced for account in ledger.accounts)


async def test_a_damaged_batch_is_skipped_counted_and_harms_no_other(tmp_path: Path) -> None:
    journal = await opened(tmp_path / "j.db", "sink")
    await commit(journal, batch(1), batch(2, 3), batch(4))
    await journal.close()
    db = apsw.Connection(str(tmp_path / "j.db"))
    (body,) = db.execute("SELECT body FROM batch WHERE position = 2").fetchone()
    db.execute("UPDATE batch SET body = ? WHERE position = 2", (body[:20] + bytes([body[20] ^ 1]) + body[21:],))
    db.close()
    journal = await opened(tmp_path / "j.db", "sink")
    records = await read_all(journal, "sink", 2)
    await journal.ack("sink", records[-1].position)
    await commit(journal, batch(5))
    books = (await journal.ledger()).accounts[0]
    await journal.close()
    assert [r.batch.value.tolist() for r in records] == [[1.0], [4.0]]
    assert books.dropped == {"corrupt": 2}
    assert books.balanced


async def test_ids_of_tags_never_change_and_a_changed_definition_is_a_new_tag(tmp_path: Path) -> None:
    old, new = Tag("press/power", unit="W"), Tag("press/power", unit="kW")
    journal = await opened(tmp_path / "j.db")
    await journal.register([old, Tag("press/state", TagType.TEXT)])
    first = journal.tags.id_of("press/power")
    await journal.register([new])
    second = journal.tags.id_of("press/power")
    await journal.close()
    journal = await opened(tmp_path / "j.db")
    assert journal.tags[first] == old
    assert journal.tags[second] == new
    assert first != second
    await journal.close()


async def test_a_second_instance_is_refused_with_what_to_do(tmp_path: Path) -> None:
    journal = await opened(tmp_path / "j.db")
    with pytest.raises(JournalError, match="another gateway runs"):
        await opened(tmp_path / "j.db")
    await journal.close()


@pytest.mark.parametrize("content", [b"not a database at all, but long enough to look like one" * 40, b"SQLite"])
async def test_a_file_that_is_no_journal_is_refused_and_left_alone(tmp_path: Path, content: bytes) -> None:
    await asyncio.to_thread((tmp_path / "j.db").write_bytes, content)
    with pytest.raises(JournalError, match="not a journal"):
        await opened(tmp_path / "j.db")
    assert await asyncio.to_thread((tmp_path / "j.db").read_bytes) == content


async def test_a_newer_schema_is_refused(tmp_path: Path) -> None:
    await (await opened(tmp_path / "j.db")).close()
    db = apsw.Connection(str(tmp_path / "j.db"))
    db.execute("UPDATE meta SET value = 99 WHERE key = 'schema'")
    db.close()
    with pytest.raises(JournalError, match="schema 99"):
        await opened(tmp_path / "j.db")


async def test_a_full_disk_keeps_what_is_awaited_counts_what_is_lost_and_heals(tmp_path: Path) -> None:
    journal = await opened(tmp_path / "j.db", "sink")
    await commit(journal, batch(1))
    pages = journal._database.db.pragma("page_count")
    journal._database.db.pragma("max_page_count", pages)
    noise = np.random.default_rng(2)
    acked = asyncio.Event()
    await journal.append(Delivery(batch(*noise.random(20_000)), ack=acked.set), "mqtt")
    await eventually(lambda: bool(journal.blocked))
    polled = 0
    while polled < 1_400_000:
        await journal.append(Delivery(batch(*noise.random(20_000))), "plc")
        polled += 20_000
    assert not acked.is_set()
    journal._database.db.pragma("max_page_count", 2**30)
    await acked.wait()
    await commit(journal, batch(2))
    ledger = await journal.ledger()
    await journal.close()
    plc = next(p for p in ledger.producers if p.name == "plc")
    assert plc.lost > 0
    assert plc.ingested == polled + 2
    assert ledger.accounts[0].ingested == 20_000 + plc.ingested - plc.lost
    assert ledger.accounts[0].balanced


async def test_a_new_sink_may_start_from_now(tmp_path: Path) -> None:
    journal = await opened(tmp_path / "j.db", "old")
    await commit(journal, batch(1))
    await journal.close()
    journal = await asyncio.to_thread(lambda: SqliteJournal(tmp_path / "j.db", SystemClock(), commit_every_s=0.01))
    await journal.open([("old", False), ("late", True)])
    await commit(journal, batch(2))
    records = await journal.read("late")
    await journal.close()
    assert [r.batch.value.tolist() for r in records] == [[2.0]]


async def test_a_seq_that_was_seen_is_not_counted_again(tmp_path: Path) -> None:
    journal = await opened(tmp_path / "j.db", "sink")
    for _ in range(3):
        await journal.append(Delivery(batch(1, 2)), "kpi", 7)
    await journal.flush()
    (producer,) = [p for p in (await journal.ledger()).producers if p.name == "kpi"]
    await journal.close()
    assert producer.ingested == 2


async def test_a_flood_of_dead_letters_costs_no_reading(tmp_path: Path) -> None:
    journal = await opened(tmp_path / "j.db", "slow", max_bytes=4_000_000)
    for number in range(40):
        letter = Reject(bytes(64_000), f"cell/{number}", "garbage", number)
        await journal.append(Delivery(Batch.empty(), (letter,)), "mqtt")
        await commit(journal, batch(number))
    ledger = await journal.ledger()
    await journal.close()
    assert ledger.accounts[0].dropped == {}
    assert ledger.accounts[0].buffered == 40
    assert 0 < ledger.dead_letters < 40


async def test_rejects_that_wait_for_the_disk_count_towards_the_bound(tmp_path: Path) -> None:
    journal = await opened(tmp_path / "j.db", "sink")
    await journal.append(Delivery(Batch.empty(), (Reject(bytes(1_000_000), "cell/7", "garbage", 1),)), "mqtt")
    assert journal.waiting_bytes() >= 1_000_000
    await journal.flush()
    assert journal.waiting_bytes() == 0
    await journal.close()


async def test_pruning_keeps_up_with_a_hundred_batches_a_second(tmp_path: Path) -> None:
    journal = await opened(tmp_path / "j.db", "sink")
    await commit(journal, *(batch(i) for i in range(2_000)))
    await journal.ack("sink", 2_000)
    journal._writer._pruned_at -= 60
    await commit(journal, batch(1))
    ledger = await journal.ledger()
    await journal.close()
    assert ledger.batches <= 2


async def test_a_registration_that_nobody_waits_for_any_more_harms_nothing(tmp_path: Path) -> None:
    journal = await opened(tmp_path / "j.db", "sink")
    task = asyncio.create_task(journal.register([Tag("press/late")]))
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await commit(journal, batch(1))
    await journal.close()


async def test_a_writer_that_dies_ends_everybody_who_uses_the_journal(tmp_path: Path) -> None:
    journal = await opened(tmp_path / "j.db", "sink")
    await commit(journal, batch(1))
    reading = asyncio.create_task(journal.read("sink", 1))
    journal._database.db.close()  # the next commit finds what no waiting mends
    await journal.append(Delivery(batch(2)), "plc")
    with pytest.raises((JournalError, RuntimeError), match=r"writer ended|cannot be used"):
        await reading
    with pytest.raises((JournalError, RuntimeError)):
        await journal.append(Delivery(batch(3)), "plc")
    await journal.close()


async def test_a_stretch_of_damaged_batches_is_passed_and_counted(tmp_path: Path) -> None:
    journal = await opened(tmp_path / "j.db", "sink")
    await commit(journal, *(batch(i) for i in range(200)))
    await journal.close()
    db = apsw.Connection(str(tmp_path / "j.db"))
    db.execute("UPDATE batch SET body = x'00' WHERE position BETWEEN 2 AND 199")
    db.close()
    journal = await opened(tmp_path / "j.db", "sink")
    records = await read_all(journal, "sink", 2)
    await journal.ack("sink", 200)
    await commit(journal, batch(5))
    books = (await journal.ledger()).accounts[0]
    await journal.close()
    assert [r.position for r in records] == [1, 200]
    assert books.dropped == {"corrupt": 198}
    assert books.balanced
